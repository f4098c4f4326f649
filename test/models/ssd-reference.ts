/**
 * SSD's raw outputs read independently of the engine and of the publisher: anchors computed in pixels, boxes as corners in
 * double, every pair compared. Only what both say of the model's facts is the same.
 */
import type { EngineResult } from '../../clients/publisher/index.js';

const PIXELS = 300;
const SIDES = [19, 10, 5, 3, 2, 1];
const SCALES = [0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 1];
const CLASSES = 24;

interface Cell {
  readonly cx: number;
  readonly cy: number;
  readonly w: number;
  readonly h: number;
}

const anchorsInPixels = (): Cell[] =>
  SIDES.flatMap((side, map) => {
    const [scale = 1, next = 1] = [SCALES[map], SCALES[map + 1]];
    const rectangle = (ratio: number): [number, number] => [scale * ratio ** 0.5, scale * ratio ** -0.5];
    const shapes: [number, number][] =
      map === 0
        ? [[0.1, 0.1], rectangle(2), rectangle(1 / 2)]
        : [...[1, 2, 1 / 2, 3, 0.3333].map(rectangle), [(scale * next) ** 0.5, (scale * next) ** 0.5]];
    const step = PIXELS / side;
    return Array.from({ length: side * side }, (_, cell) =>
      shapes.map(([w, h]) => ({
        cx: ((cell % side) + 0.5) * step,
        cy: (Math.floor(cell / side) + 0.5) * step,
        w: w * PIXELS,
        h: h * PIXELS,
      })),
    ).flat();
  });

/** Intersection over union. */
export const boxOverlap = (a: EngineResult['box'], b: EngineResult['box']): number => {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const size = (box: EngineResult['box']): number => (box[2] - box[0]) * (box[3] - box[1]);
  return (width * height) / (size(a) + size(b) - width * height);
};

/** @param boxes y, x, h, w of 1,917 anchors @param scores logits of "???" and 23 classes for each; best results first */
export const readSsd = (
  boxes: readonly number[],
  scores: readonly number[],
  { minScore = 0.4, minSuppression = 0.5, most = 16 } = {},
): EngineResult[] => {
  const candidates = anchorsInPixels().flatMap(({ cx, cy, w, h }, anchor) => {
    const [y = 0, x = 0, tall = 0, wide = 0] = boxes.slice(4 * anchor, 4 * anchor + 4);
    const [midX, midY] = [cx + (x / 10) * w, cy + (y / 10) * h];
    const [halfW, halfH] = [(Math.exp(wide / 5) * w) / 2, (Math.exp(tall / 5) * h) / 2];
    const box = [midX - halfW, midY - halfH, midX + halfW, midY + halfH].map((value) => value / PIXELS);
    return Array.from({ length: CLASSES - 1 }, (_, i) => ({
      class: i,
      score: 1 / (1 + Math.exp(-(scores[CLASSES * anchor + i + 1] ?? NaN))),
      box: box as unknown as EngineResult['box'],
    })).filter(({ score }) => score >= minScore);
  });
  const kept: EngineResult[] = [];
  for (const candidate of candidates.sort((a, b) => b.score - a.score))
    if (
      !kept.some(
        (other) => other.class === candidate.class && boxOverlap(other.box, candidate.box) > minSuppression,
      )
    )
      kept.push(candidate);
  return kept.slice(0, most);
};
