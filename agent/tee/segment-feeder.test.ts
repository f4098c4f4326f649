import { encodeDeterministic } from '../../protocol/cbor.js';
import { Code, Command } from '../../protocol/codes.js';
import type { InvokeReply } from './messages.js';
import { SegmentFeeder, type SegmentSource } from './segment-feeder.js';
import type { TeeSession } from './session.js';

const HALF = 100;

/** Segment i has `sizes[i]` bytes, all of them i. */
class Segments implements SegmentSource {
  readonly reads: number[][] = [];
  closed = false;
  constructor(private readonly sizes: readonly number[]) {}

  sizeOf(index: number): number | undefined {
    return this.sizes[index];
  }

  read(indices: readonly number[], into: Uint8Array): { count: number; length: number } {
    let length = 0;
    let count = 0;
    for (const index of indices) {
      const size = this.sizes[index] ?? Infinity;
      if (length + size > into.length) break;
      into.fill(index, length, length + size);
      length += size;
      count += 1;
    }
    this.reads.push(indices.slice(0, count));
    return { count, length };
  }

  close(): void {
    this.closed = true;
  }
}

/** A TA whose frames want these segments, and which takes all that is sent; it says in which order things happened. */
const teeThatWants = (order: readonly number[], source: Segments) => {
  const halves = [new Uint8Array(HALF), new Uint8Array(HALF)] as const;
  const calls: {
    segments: number[];
    value: number;
    half: number | undefined;
    readAhead: number[] | undefined;
  }[] = [];
  let left: number[] = [];
  const take = (
    command: number,
    segments: number[],
    value: number,
    reads: number,
    half?: number,
  ): InvokeReply => {
    if (command === Command.FRAME) left = [...order];
    else {
      calls.push({ segments, value, half, readAhead: source.reads[reads] });
      expect(left.slice(0, segments.length)).toEqual(segments);
      left = left.slice(segments.length);
    }
    const output = left.length > 0 ? encodeDeterministic(left) : Uint8Array.of(1, 2, 3);
    const status = left.length > 0 ? Code.SEGMENTS_WANTED : 0;
    return { kind: 'reply', status, b: left[0] ?? 7, c: 0, d: 0, output };
  };
  const answer = async (
    command: number,
    bytes: Uint8Array,
    value: number,
    half?: number,
  ): Promise<InvokeReply> => {
    const reads = source.reads.length;
    const segments = [...bytes].filter((byte, i) => byte !== bytes[i - 1]);
    await Promise.resolve(); // what the caller does meanwhile is done while the TA works
    return take(command, segments, value, reads, half);
  };
  const session = {
    half: (which: 0 | 1) => halves[which],
    invoke: (command: number, bytes: Uint8Array, value: number) => answer(command, bytes, value),
    invokeNow: (command: number, _bytes: Uint8Array, value: number) =>
      take(command, [], value, source.reads.length),
    invokeHalf: (command: number, which: 0 | 1, length: number, value: number) =>
      answer(command, halves[which].slice(0, length), value, which),
  };
  return { session: session as unknown as TeeSession, calls };
};

test('sends as many as fit, from both halves in turn, and reads the next ones meanwhile', async () => {
  const source = new Segments([0, 40, 40, 40, 40, 60]);
  const { session, calls } = teeThatWants([1, 2, 3, 4, 5], source);
  let progress = 0;
  const feeder = new SegmentFeeder(session, () => (progress += 1));
  feeder.useModel(source);
  expect((await feeder.frame(new Uint8Array(10))).output).toEqual(Uint8Array.of(1, 2, 3));
  expect(calls).toEqual([
    { segments: [1, 2], value: 1, half: 0, readAhead: [3, 4] },
    { segments: [3, 4], value: 3, half: 1, readAhead: [5] },
    { segments: [5], value: 5, half: 0, readAhead: undefined },
  ]);
  expect(progress).toBe(3);
  // The first ones of the next frame are read while the TA works on the frame itself.
  source.reads.length = 0;
  await feeder.frame(new Uint8Array(10));
  expect(source.reads).toEqual([[1, 2], [3, 4], [5]]);
  expect(calls[3]).toMatchObject({ segments: [1, 2], half: 1 });
});

test('a frame that fills more than one half leaves no room to read ahead to', async () => {
  const source = new Segments([0, 40, 40]);
  const { session, calls } = teeThatWants([1, 2], source);
  const feeder = new SegmentFeeder(session, () => undefined);
  feeder.useModel(source);
  await feeder.frame(new Uint8Array(10));
  await feeder.frame(new Uint8Array(HALF + 1));
  expect(calls.map(({ half }) => half)).toEqual([0, 0]);
});

test('a segment longer than a half goes by itself', async () => {
  const source = new Segments([0, 40, 150, 40]);
  const { session, calls } = teeThatWants([1, 2, 3], source);
  const feeder = new SegmentFeeder(session, () => undefined);
  feeder.useModel(source);
  expect((await feeder.frame(new Uint8Array(10))).status).toBe(0);
  expect(calls.map(({ segments, half }) => [segments, half])).toEqual([
    [[1], 0],
    [[2], undefined],
    [[3], 0],
  ]);
});

test('without the model, or without one of its segments, the frame gets an error and no more is asked', async () => {
  const source = new Segments([0, 40]);
  const { session, calls } = teeThatWants([1, 2], source);
  const feeder = new SegmentFeeder(session, () => undefined);
  expect((await feeder.frame(new Uint8Array(10))).status).toBe(Code.MODEL_UNKNOWN);
  expect(calls).toEqual([]);
  feeder.useModel(source);
  expect((await feeder.frame(new Uint8Array(10))).status).toBe(Code.MODEL_UNKNOWN);
  expect(calls).toHaveLength(1);
  feeder.useModel(new Segments([]));
  expect(source.closed).toBe(true);
});
