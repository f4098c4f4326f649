import { FrameQueue, type Sealing } from './frame-queue.js';

const id = (n: number): Uint8Array => Uint8Array.of(n);
const A = Uint8Array.of(0xa);
const B = Uint8Array.of(0xb);
const sealed = (channel: Uint8Array, number: number): Sealing => ({
  channel,
  number,
  record: id(9),
  sentAt: 0,
});
const upTo = (last: number) => (number: number) => number <= last;

function filled(count: number, capacity = 8): FrameQueue<string> {
  const queue = new FrameQueue<string>(capacity);
  for (let n = 1; n <= count; n++) {
    queue.push(id(n), n, `frame ${n}`);
    const next = queue.nextUnsealed();
    if (next !== undefined) next.sealing = sealed(A, n);
  }
  return queue;
}

test('when full the oldest goes and is named', () => {
  const queue = new FrameQueue<string>(2);
  expect(queue.push(id(1), 1, 'one')).toBeUndefined();
  expect(queue.push(id(2), 2, 'two')).toBeUndefined();
  expect(queue.push(id(3), 3, 'three')).toMatchObject({ reason: 'overflow', frame: { frame: 'one' } });
  expect(queue.length).toBe(2);
  expect(queue.nextUnsealed()?.frame).toBe('two');
});

test('a receipt takes out what it covers in its channel, once', () => {
  const queue = filled(4);
  expect(queue.receipted(B, upTo(4))).toEqual([]);
  expect(queue.receipted(A, upTo(2)).map(({ frame }) => frame)).toEqual(['frame 1', 'frame 2']);
  expect(queue.receipted(A, upTo(2))).toEqual([]);
  expect(queue.outstanding()).toBe(2);
});

test('frames that were not sealed are not receipted', () => {
  const queue = filled(1);
  queue.push(id(2), 2, 'two');
  expect(queue.receipted(A, upTo(1_000_000))).toHaveLength(1);
  expect(queue.length).toBe(1);
});

test('a receipt may leave some out', () => {
  const queue = filled(4);
  expect(queue.receipted(A, (number) => number % 2 === 0).map(({ frame }) => frame)).toEqual([
    'frame 2',
    'frame 4',
  ]);
  expect(queue.sealed().map(({ frame }) => frame)).toEqual(['frame 1', 'frame 3']);
});

test('after a new boot everything is sealed again under its old id, in order', () => {
  const queue = filled(3);
  queue.receipted(A, upTo(1));
  queue.unsealAll();
  expect(queue.outstanding()).toBe(0);
  const first = queue.nextUnsealed();
  expect(first?.id).toEqual(id(2));
  if (first !== undefined) first.sealing = sealed(B, 1);
  expect(queue.nextUnsealed()?.id).toEqual(id(3));
  // A late receipt of the old channel says nothing about the new one.
  expect(queue.receipted(A, upTo(3))).toEqual([]);
  expect(queue.receipted(B, upTo(1))).toHaveLength(1);
});

test('what was lost goes after all others, while few wait for a receipt, and in its turn in a new channel', () => {
  const queue = filled(4);
  queue.receipted(A, (number) => number === 3);
  queue.unsealLost(B, (number) => number < 3);
  expect(queue.outstanding()).toBe(3);
  queue.unsealLost(A, (number) => number < 3);
  expect(queue.sealed().map(({ frame }) => frame)).toEqual(['frame 4']);
  queue.push(id(5), 5, 'frame 5');
  const newer = queue.nextUnsealed(1);
  expect(newer?.frame).toBe('frame 5');
  if (newer !== undefined) newer.sealing = sealed(A, 5);
  expect(queue.nextUnsealed(2)).toBeUndefined();
  expect(queue.nextUnsealed(3)?.frame).toBe('frame 1');
  queue.unsealAll();
  queue.push(id(6), 6, 'frame 6');
  expect(queue.nextUnsealed(0)?.frame).toBe('frame 1');
});

test('drop takes out by condition', () => {
  const queue = filled(3);
  expect(queue.drop('too-old', ({ time }) => time < 3).map(({ frame }) => frame.time)).toEqual([1, 2]);
  expect(queue.length).toBe(1);
});

test('a capacity below 1 is refused', () => {
  expect(() => new FrameQueue(0)).toThrow(RangeError);
});
