/**
 * The object detector of the demo, made int8 by the command: what the float one finds on photographs that calibration did not see
 * it finds, too.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { generateKeys, writeKeyFile } from '../../clients/keys/index.js';
import type { Picture } from '../../clients/picture/index.js';
import {
  EngineTool,
  openPackage,
  readPackage,
  type EngineResult,
  type OpenedPackage,
  type QuantiseReport,
} from '../../clients/publisher/index.js';
import { smartZoneIn } from './command.js';
import { cropsOf } from './crops.js';
import { people, sharedPhotographs } from './photographs.js';
import { describeWithOracle } from './shared.js';
import { boxOverlap } from './ssd-reference.js';

const MODEL = resolve('node_modules/@mediapipe/objectron/objectron_solution_packed_assets.data');
const SIDE = { width: 300, height: 300 };
/** Each half of the photographs is tested with what the other half calibrated; CI does one of the two. */
const HALVES: readonly (() => Promise<Picture[]>)[] = [
  async () => [...(await people(2, 4, 6)), ...(await sharedPhotographs('cat', 'grace_hopper', 'sunflower'))],
  async () => [...(await people(1, 3, 5)), ...(await sharedPhotographs('bird', 'person', 'no_person'))],
];
const SAMPLED = process.env['SMART_ZONE_TEST_LONG'] === '1' ? HALVES.length : 1;
/** Detections have a score of at least 0.4; one that is close to it may be on the other side of it afterwards. */
const COUNTS = 0.45;
const LEAST_OVERLAP = 0.8;
const LEAST_DETECTIONS = [10, 1];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'smart-zone-quantise-'));
  writeKeyFile(join(folder, 'publisher.key.json'), generateKeys('publisher', 'tester'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Packed by the command, and opened. */
const pack = async (
  name: string,
  ...flags: string[]
): Promise<{ content: OpenedPackage; report: QuantiseReport | undefined }> => {
  const target = EngineTool.find().target();
  const { status, out, error } = await smartZoneIn(folder)(
    ...['model', 'pack', MODEL, '--name', name, '--target', target, '--json', ...flags],
  );
  if (status !== 0) throw new Error(error);
  const { quantised } = JSON.parse(out) as { quantised?: QuantiseReport };
  const key = Buffer.from(readFileSync(join(folder, `${name}.key`), 'utf8').trim(), 'base64url');
  return {
    content: openPackage(readPackage(readFileSync(join(folder, `${name}.szm`))), key),
    report: quantised,
  };
};

interface Kept {
  readonly found: number;
  readonly lost: readonly string[];
  readonly extra: readonly string[];
  readonly overlap: number;
  readonly scores: number;
}

const compare = async (
  float: OpenedPackage,
  int8: OpenedPackage,
  frames: readonly Uint8Array[],
): Promise<Kept> => {
  const engine = EngineTool.find();
  const kept = { found: 0, lost: [] as string[], extra: [] as string[], overlap: 1, scores: 0 };
  const name = (detection: EngineResult, frame: number): string =>
    `${float.header.labels[detection.class]} ${detection.score.toFixed(2)} on crop ${frame}`;
  for (const [i, frame] of frames.entries()) {
    const [before = [], after = []] = await Promise.all(
      [float, int8].map(
        async ({ header, weights }) =>
          (await engine.infer({ bytes: header.graph, segments: weights }, 'u8', frame)).results,
      ),
    );
    const nearest = (of: EngineResult, among: readonly EngineResult[]): EngineResult | undefined =>
      among
        .filter((other) => other.class === of.class && boxOverlap(of.box, other.box) >= LEAST_OVERLAP)
        .sort((a, b) => boxOverlap(of.box, b.box) - boxOverlap(of.box, a.box))[0];
    for (const detection of before.filter(({ score }) => score >= COUNTS)) {
      const same = nearest(detection, after);
      if (same === undefined) {
        kept.lost.push(name(detection, i));
        continue;
      }
      kept.found += 1;
      kept.overlap = Math.min(kept.overlap, boxOverlap(detection.box, same.box));
      kept.scores = Math.max(kept.scores, Math.abs(detection.score - same.score));
    }
    for (const detection of after.filter(({ score }) => score >= COUNTS))
      if (nearest(detection, before) === undefined) kept.extra.push(name(detection, i));
  }
  return kept;
};

describeWithOracle('SSD-MobileNetV2, quantised', () => {
  test('keeps its detections on photographs that calibration did not see', async () => {
    const { content: float } = await pack('float');
    for (const [half, photographs] of HALVES.entries()) {
      const others = HALVES[1 - half];
      if (half >= SAMPLED || others === undefined) break;
      const calibration = join(folder, `calibration-${half}`);
      mkdirSync(calibration);
      for (const [i, frame] of cropsOf(await others(), { ...SIDE, count: 30, seed: 1 }).entries())
        writeFileSync(join(calibration, `${String(i).padStart(2, '0')}.bin`), frame);
      const { content: int8, report } = await pack(`int8-${half}`, '--quantise', calibration);
      expect(report).toMatchObject({ calibrationFrames: 24, test: { frames: 6 } });
      expect(report?.test?.decibels).toBeGreaterThan(20);
      expect(int8.header.labels).toEqual(float.header.labels);
      const bytes = ({ weights }: OpenedPackage): number =>
        weights.reduce((sum, { length }) => sum + length, 0);
      expect(bytes(int8)).toBeLessThan(bytes(float) / 3);

      const frames = cropsOf(await photographs(), { ...SIDE, count: 60, seed: 2 });
      const { found, lost, extra, overlap, scores } = await compare(float, int8, frames);
      console.info(
        `half ${half + 1}/${HALVES.length}: ${found} of ${found + lost.length} detections kept on ${frames.length} crops, ` +
          `${extra.length} more, IoU at least ${overlap.toFixed(2)}, scores within ${scores.toFixed(2)}`,
      );
      expect(found).toBeGreaterThanOrEqual(LEAST_DETECTIONS[half] ?? 1);
      expect(lost).toEqual([]);
      expect(extra).toEqual([]);
    }
  }, 240_000);
});
