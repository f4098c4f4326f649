/**
 * YOLO's values read independently of the engine and of the publisher, by the papers' formulas (Redmon & Farhadi 2016,
 * arXiv:1612.08242, section 2; 2018, arXiv:1804.02767, section 2.1; scale_x_y: Bochkovskiy et al. 2020, arXiv:2004.10934, "eliminate
 * grid sensitivity"): boxes as corners in pixels, in double.
 */
import type { EngineResult } from '../../clients/publisher/index.js';

export interface YoloMap {
  readonly columns: number;
  readonly rows: number;
  /** Width and height of the anchors of a cell, in pixels. */
  readonly anchors: readonly (readonly [number, number])[];
  readonly scaleXy?: number;
}

interface Reading {
  readonly width: number;
  readonly height: number;
  readonly classes: number;
  readonly softmax?: boolean;
  readonly minScore: number;
  readonly minSuppression?: number;
  readonly most?: number;
}

type Box = EngineResult['box'];

const logistic = (value: number): number => 1 / (1 + Math.exp(-value));

const overlap = (a: Box, b: Box): number => {
  const wide = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const high = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (wide <= 0 || high <= 0) return 0;
  const size = (box: Box): number => (box[2] - box[0]) * (box[3] - box[1]);
  return (wide * high) / (size(a) + size(b) - wide * high);
};

/** @param values map by map, cell by cell, anchor by anchor: tx, ty, tw, th, to, classes */
export const readYolo = (
  values: readonly number[],
  maps: readonly YoloMap[],
  { width, height, classes, softmax = false, minScore, minSuppression = 0.45, most = 16 }: Reading,
): { results: EngineResult[]; candidates: number } => {
  const candidates: EngineResult[] = [];
  let at = 0;
  for (const { columns, rows, anchors, scaleXy = 1 } of maps)
    for (let cy = 0; cy < rows; cy++)
      for (let cx = 0; cx < columns; cx++)
        for (const [pw, ph] of anchors) {
          const [tx = NaN, ty = NaN, tw = NaN, th = NaN, to = NaN, ...raw] = values.slice(
            at,
            (at += 5 + classes),
          );
          const stretched = (t: number): number => logistic(t) * scaleXy - (scaleXy - 1) / 2;
          const bx = ((stretched(tx) + cx) * width) / columns;
          const by = ((stretched(ty) + cy) * height) / rows;
          const [bw, bh] = [pw * Math.exp(tw), ph * Math.exp(th)];
          const box: Box = [
            (bx - bw / 2) / width,
            (by - bh / 2) / height,
            (bx + bw / 2) / width,
            (by + bh / 2) / height,
          ];
          const sum = raw.reduce((total, value) => total + Math.exp(value), 0);
          for (const [index, value] of raw.entries()) {
            const score = logistic(to) * (softmax ? Math.exp(value) / sum : logistic(value));
            if (score >= minScore) candidates.push({ class: index, score, box });
          }
        }
  if (at !== values.length) throw new Error(`${values.length} values, the maps have ${at}`);
  const results: EngineResult[] = [];
  for (const one of candidates.sort((a, b) => b.score - a.score))
    if (
      !results.some((better) => better.class === one.class && overlap(better.box, one.box) > minSuppression)
    )
      results.push(one);
  return { results: results.slice(0, most), candidates: candidates.length };
};
