import type { Detection, Results } from '../../protocol/messages/results.js';
import type { EngineResult, EngineTool } from './golden.js';
import type { OpenedPackage } from './inspect.js';
import { readEdges, type GraphEdges } from './read-edges.js';
import { overlapOf, resultsOfOutputs } from './read-outputs.js';
import { engineOutput, realInput, storedInput, referenceInput, referenceOutput } from './reference/edges.js';
import type { ReferenceModel } from './reference/reference.js';

export interface NamedFrame {
  readonly name: string;
  /** In the package's input format. */
  readonly data: Uint8Array;
}

export interface VerifyOptions {
  readonly content: OpenedPackage;
  readonly reference: ReferenceModel;
  /** The reference's file, for messages. */
  readonly file: string;
  readonly frames: readonly NamedFrame[];
  /** What a device's label says of a frame. */
  readonly device: (frame: Uint8Array) => Promise<Results>;
  /** Raw outputs, which no device lets out, come from the engine as a program; without it they are not compared. */
  readonly engine?: EngineTool;
}

/** How far an output is from the reference's, over all frames; real values. */
export interface OutputDifference {
  readonly greatest: number;
  readonly mean: number;
  /** The greatest magnitude that the reference gives. */
  readonly magnitude: number;
}

export interface Agreement {
  readonly runtime: string;
  readonly frames: number;
  readonly kind: Results['kind'];
  /** Of how many (top-1 results, detections of either side, errors, tensors) how many are the same. */
  readonly agreeing: number;
  readonly of: number;
  /** Of detections that were found by both: the least overlap (IoU). */
  readonly leastOverlap?: number;
  /** The greatest difference of a score that both give (of an error or tensor: of a value). */
  readonly scoreDifference: number;
  readonly outputs: readonly OutputDifference[];
  /** One line for each disagreement. */
  readonly disagreements: readonly string[];
}

/** The same detection: boxes overlap so much, scores differ by so little. */
const LEAST_OVERLAP = 0.9;
const MOST_SCORE_DIFFERENCE = 0.05;
/** Float kernels sum in another order. */
const FLOAT_NOISE = 1e-4;

interface Comparison {
  readonly agreeing: number;
  readonly of: number;
  readonly overlap: number;
  readonly difference: number;
  readonly disagreements: readonly string[];
}

/**
 * Runs a package on a device against the model that it was made from. Every label is compared with what the reference's outputs
 * mean (read by resultsOfOutputs, not by the engine).
 * @throws ModelImportError where the package was made from another model
 */
export const verify = async (options: VerifyOptions): Promise<Agreement> => {
  const { content, reference, file, frames, device, engine } = options;
  const { header, weights } = content;
  const edges = readEdges(header.graph, weights);
  const [input] = reference.inputs;
  const totals: Totals[] = edges.outputs.map(() => ({ greatest: 0, sum: 0, count: 0, magnitude: 0 }));
  const comparisons: Comparison[] = [];
  let kind: Results['kind'] = 'tensor';
  for (const { name, data } of frames) {
    const real = realInput(edges, header.input.format, data);
    if (input === undefined) throw new RangeError(`${file} has no input`);
    const given = await reference.run(referenceInput(real, edges.input, input, file));
    const expected = edges.outputs.map((ours, i) => {
      const [values, theirs] = [given[i], reference.outputs[i]];
      if (values === undefined || theirs === undefined) throw new RangeError(`${file} has no output ${i}`);
      return referenceOutput(values, theirs, ours, file);
    });
    const results = await device(data);
    kind = results.kind;
    // A reconstruction is compared with the input as the network has it.
    const seen = storedInput(edges, real);
    comparisons.push(compare(name, results, expected, seen, edges, header.labels));
    if (engine === undefined) continue;
    const graph = { bytes: header.graph, segments: weights };
    const { outputs } = await engine.infer(graph, header.input.format, data);
    outputs.forEach((bytes, i) => {
      const [ours, total] = [edges.outputs[i], totals[i]];
      if (ours && total) addDifferences(total, engineOutput(bytes, ours), expected[i] ?? []);
    });
  }
  const sum = (of: (each: Comparison) => number): number => comparisons.reduce((a, each) => a + of(each), 0);
  return {
    runtime: reference.runtime,
    frames: frames.length,
    kind,
    agreeing: sum(({ agreeing }) => agreeing),
    of: sum((each) => each.of),
    ...(kind === 'detections' && { leastOverlap: Math.min(1, ...comparisons.map(({ overlap }) => overlap)) }),
    scoreDifference: Math.max(0, ...comparisons.map(({ difference }) => difference)),
    outputs:
      engine === undefined
        ? []
        : totals.map(({ greatest, sum: all, count, magnitude }) => ({
            greatest,
            mean: all / count,
            magnitude,
          })),
    disagreements: comparisons.flatMap(({ disagreements }) => disagreements),
  };
};

interface Totals {
  greatest: number;
  sum: number;
  count: number;
  magnitude: number;
}

const addDifferences = (total: Totals, ours: readonly number[], theirs: readonly number[]): void => {
  ours.forEach((value, i) => {
    const other = theirs[i] ?? NaN;
    const difference = Math.abs(value - other);
    // Not a number is as different as can be.
    total.greatest = Number.isNaN(difference) ? Infinity : Math.max(total.greatest, difference);
    total.sum += difference;
    total.magnitude = Math.max(total.magnitude, Math.abs(other));
  });
  total.count += ours.length;
};

const compare = (
  frame: string,
  results: Results,
  outputs: readonly (readonly number[])[],
  input: readonly number[],
  edges: GraphEdges,
  labels: readonly string[],
): Comparison => {
  const expected = resultsOfOutputs(edges.head, outputs, input);
  const text = (index: number, score: number): string =>
    `${labels[index] || `class ${index}`} ${score.toFixed(3)}`;
  const one = (same: boolean, difference: number, message: string): Comparison => ({
    agreeing: same ? 1 : 0,
    of: 1,
    overlap: 1,
    difference,
    disagreements: same ? [] : [`${frame}: ${message}`],
  });
  switch (results.kind) {
    case 'classes': {
      const [ours, theirs] = [results.classes[0], expected[0]];
      if (ours === undefined || theirs === undefined)
        return one(
          ours === theirs,
          0,
          `${ours ? 'a class' : 'no class'} here, ${theirs ? 'one' : 'none'} there`,
        );
      const there = expected.find((result) => result.class === ours.index);
      const scale = edges.head.kind === 'topK' ? edges.outputs[edges.head.scores]?.scale : 0;
      const tie = there !== undefined && theirs.score - there.score <= Math.max(scale ?? 0, FLOAT_NOISE);
      return one(
        ours.index === theirs.class || tie,
        Math.abs(ours.score - (there?.score ?? 0)),
        `${text(ours.index, ours.score)} here, ${text(theirs.class, theirs.score)} there`,
      );
    }
    case 'detections':
      return compareDetections(frame, results.detections, expected, edges, text);
    case 'reconstruction': {
      const error = expected[0]?.score ?? NaN;
      const difference = Math.abs(results.error - error);
      const message = `error ${results.error} here, ${error} there`;
      return one(difference <= Math.abs(error) * 0.01 + FLOAT_NOISE, difference, message);
    }
    case 'tensor': {
      const number = edges.head.kind === 'vector' ? edges.head.output : 0;
      const [edge, theirs] = [edges.outputs[number], outputs[number] ?? []];
      const ours = edge === undefined ? [] : engineOutput(results.data, edge);
      const difference = ours.reduce((most, v, i) => Math.max(most, Math.abs(v - (theirs[i] ?? NaN))), 0);
      const magnitude = theirs.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const allowed = Math.max((edge?.scale ?? 0) * 1.001, magnitude * 1e-3);
      return one(difference <= allowed, difference, `values differ by up to ${difference}`);
    }
  }
};

const boxOf = ({ box: { x, y, width, height } }: Detection): EngineResult['box'] => [
  x,
  y,
  x + width,
  y + height,
];

/** Each of theirs with the best of ours that is still free; what is just about as sure as the least counts for neither side. */
const compareDetections = (
  frame: string,
  ours: readonly Detection[],
  theirs: readonly EngineResult[],
  { head }: GraphEdges,
  text: (index: number, score: number) => string,
): Comparison => {
  const free = new Set(ours);
  const disagreements: string[] = [];
  const minScore = head.kind === 'detections' ? head.minScore : 0;
  const counts = (score: number): boolean => score >= minScore + MOST_SCORE_DIFFERENCE;
  let [agreeing, of, overlap, difference] = [0, 0, 1, 0];
  for (const result of theirs) {
    const near = [...free]
      .filter(({ index }) => index === result.class)
      .map((detection) => ({ detection, share: overlapOf(boxOf(detection), result.box) }))
      .sort((a, b) => b.share - a.share)[0];
    if (near === undefined || near.share < LEAST_OVERLAP) {
      if (!counts(result.score)) continue;
      of += 1;
      disagreements.push(`${frame}: ${text(result.class, result.score)} is not found here`);
      continue;
    }
    free.delete(near.detection);
    of += 1;
    const apart = Math.abs(near.detection.score - result.score);
    overlap = Math.min(overlap, near.share);
    difference = Math.max(difference, apart);
    if (apart <= MOST_SCORE_DIFFERENCE) agreeing += 1;
    else
      disagreements.push(
        `${frame}: ${text(result.class, near.detection.score)} here, ${result.score.toFixed(3)} there`,
      );
  }
  for (const { index, score } of free) {
    if (!counts(score)) continue;
    of += 1;
    disagreements.push(`${frame}: ${text(index, score)} is found here only`);
  }
  return { agreeing, of, overlap, difference, disagreements };
};
