import type { EngineResult } from './golden.js';
import type { ReadDetectionsHead, ReadHead } from './read-edges.js';

type Box = readonly [number, number, number, number];
interface Candidate {
  readonly class: number;
  readonly score: number;
  readonly box: Box;
}

const NO_BOX: Box = [0, 0, 0, 0];

const logistic = (value: number): number => 1 / (1 + Math.exp(-value));

const softmaxOf = (values: readonly number[]): number[] => {
  const greatest = Math.max(...values);
  const powers = values.map((value) => Math.exp(value - greatest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((value) => value / sum);
};

/**
 * What a head makes of a network's outputs, in double and apart from the engine: what a device's labels are compared with. Best
 * first; of equal scores the lower class or the earlier anchor.
 * @param outputs real values of each of the graph's outputs
 * @param input the input's real values (for the reconstruction error)
 */
export const resultsOfOutputs = (
  head: ReadHead,
  outputs: readonly (readonly number[])[],
  input: readonly number[],
): EngineResult[] => {
  switch (head.kind) {
    case 'topK': {
      const raw = outputs[head.scores] ?? [];
      const scores = head.softmax ? softmaxOf(raw) : raw;
      return scores
        .map((score, i) => ({ class: i, score, box: NO_BOX }))
        .filter(({ score }) => score >= head.minScore)
        .sort((a, b) => b.score - a.score)
        .slice(0, head.most);
    }
    case 'detections':
      return suppress(candidatesOf(head, outputs[head.boxes] ?? [], outputs[head.scores] ?? []), head);
    case 'reconstruction': {
      const output = outputs[head.output] ?? [];
      const sum = output.reduce((total, value, i) => total + (value - (input[i] ?? NaN)) ** 2, 0);
      return [{ class: 0, score: sum / output.length, box: NO_BOX }];
    }
    case 'vector':
    case 'none':
      return [];
  }
};

const candidatesOf = (
  head: ReadDetectionsHead,
  boxes: readonly number[],
  scores: readonly number[],
): Candidate[] => {
  const count = head.anchors.length / (head.flags.cells ? 6 : 4);
  const [perBox, classes] = [boxes.length / count, scores.length / count];
  const { flags, firstClass, minScore, scoreClip } = head;
  return Array.from({ length: count }, (_, anchor) => {
    const raw = scores.slice(anchor * classes, (anchor + 1) * classes);
    const clipped = scoreClip === 0 ? raw : raw.map((v) => Math.min(scoreClip, Math.max(-scoreClip, v)));
    // Cells: the classes among themselves, each times the objectness.
    const before = flags.cells ? firstClass : 0;
    const object = flags.cells ? logistic(raw[4] ?? NaN) : 1;
    const probable = flags.softmax
      ? [...raw.slice(0, before), ...softmaxOf(raw.slice(before))]
      : flags.sigmoid
        ? clipped.map(logistic)
        : clipped;
    const found = probable
      .map((score) => score * object)
      .map((score, k) => ({ class: k - firstClass, score }))
      .filter(({ class: index, score }) => index >= 0 && score >= minScore);
    if (found.length === 0) return [];
    const box = boxOf(head, boxes.slice(anchor * perBox, anchor * perBox + 4), anchor);
    return found.map((each) => ({ ...each, box }));
  }).flat();
};

const boxOf = (
  { anchors, scale, flags }: ReadDetectionsHead,
  raw: readonly number[],
  anchor: number,
): Box => {
  const [p = 0, q = 0, r = 0, s = 0] = raw;
  const [x, y, w, h] = flags.yx ? [q, p, s, r] : [p, q, r, s];
  const columns = flags.cells ? 6 : 4;
  const [ax = 0, ay = 0, aw = 0, ah = 0, reachX = 0, reachY = 0] = anchors.subarray(columns * anchor);
  const size = (value: number): number => (flags.expSize ? Math.exp(value) : value);
  const [dx, dy] = flags.cells
    ? [(logistic(x / scale[0]) - 0.5) * reachX, (logistic(y / scale[1]) - 0.5) * reachY]
    : [(x / scale[0]) * aw, (y / scale[1]) * ah];
  const [midX, midY] = [ax + dx, ay + dy];
  const [halfW, halfH] = [(size(w / scale[2]) * aw) / 2, (size(h / scale[3]) * ah) / 2];
  return [midX - halfW, midY - halfH, midX + halfW, midY + halfH];
};

/** Intersection over union. */
export const overlapOf = (a: Box, b: Box): number => {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const area = (box: Box): number => (box[2] - box[0]) * (box[3] - box[1]);
  return (width * height) / (area(a) + area(b) - width * height);
};

/** As many candidates as the engine keeps (ta/tinylib/candidates.h). */
const MOST_CANDIDATES = 256;

const suppress = (candidates: readonly Candidate[], head: ReadDetectionsHead): EngineResult[] => {
  let left = [...candidates].sort((a, b) => b.score - a.score).slice(0, MOST_CANDIDATES);
  const kept: EngineResult[] = [];
  while (left.length > 0 && kept.length < head.most) {
    const [best, ...others] = left as [Candidate, ...Candidate[]];
    const goes = (other: Candidate): boolean =>
      (!head.flags.perClass || other.class === best.class) &&
      overlapOf(best.box, other.box) > head.minSuppression;
    const gone = [best, ...others.filter(goes)];
    const total = gone.reduce((sum, { score }) => sum + score, 0);
    const mean = (k: number): number =>
      gone.reduce((sum, { box, score }) => sum + (box[k] ?? 0) * score, 0) / total;
    kept.push(head.flags.weighted ? { ...best, box: [mean(0), mean(1), mean(2), mean(3)] } : best);
    left = others.filter((other) => !goes(other));
  }
  return kept;
};
