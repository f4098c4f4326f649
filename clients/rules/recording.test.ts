import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asKid } from '../../protocol/kid.js';
import type { LabelEvent } from './label-event.js';
import { LabelRecorder, readRecording } from './recording.js';

const folder = mkdtempSync(join(tmpdir(), 'sz-recording-'));
afterAll(() => rmSync(folder, { recursive: true }));

const label = (number: number): LabelEvent => ({
  device: { kid: asKid(new Uint8Array(8).fill(1)), name: 'porch-pi' },
  sensor: { kid: asKid(new Uint8Array(8).fill(2)), name: 'porch' },
  number,
  frameId: new Uint8Array(8).fill(number),
  sensorTime: 1_795_000_000_000 + number,
  received: 1_795_000_000_030 + number,
  model: new Uint8Array(32).fill(7),
  results: {
    kind: 'detections',
    detections: [
      { index: 0, name: 'face', score: 0.1 + 0.2, box: { x: 0.1, y: 0.2, width: 0.3, height: 0.4 } },
    ],
  },
});

const all = async (path: string): Promise<LabelEvent[]> => {
  const labels: LabelEvent[] = [];
  for await (const each of readRecording(path)) labels.push(each);
  return labels;
};

test('what was recorded comes back, bytes and floats as they were; the file is for its owner only', async () => {
  const path = join(folder, 'three.cbor');
  const recorder = await LabelRecorder.create(path);
  for (const number of [1, 2, 3]) recorder.write(label(number));
  await recorder.close();
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const labels = await all(path);
  expect(labels.map(({ number }) => number)).toEqual([1, 2, 3]);
  expect(labels[1]?.results).toEqual(label(2).results);
  expect(new Uint8Array(labels[1]?.frameId ?? [])).toEqual(label(2).frameId);
});

test('a recording is not overwritten', async () => {
  const path = join(folder, 'kept.cbor');
  writeFileSync(path, 'kept');
  await expect(LabelRecorder.create(path)).rejects.toThrow('EEXIST');
  expect(readFileSync(path, 'utf8')).toBe('kept');
});

test('another file, an empty one, and one cut off are named as such', async () => {
  const cut = join(folder, 'cut.cbor');
  const recorder = await LabelRecorder.create(cut);
  recorder.write(label(1));
  await recorder.close();
  truncateSync(cut, statSync(cut).size - 5);
  const empty = join(folder, 'empty.cbor');
  writeFileSync(empty, '');
  const other = join(folder, 'other.cbor');
  writeFileSync(other, '{"rules":[]}');
  for (const path of [cut, empty, other])
    await expect(all(path)).rejects.toThrow('is not a recording of labels');
});
