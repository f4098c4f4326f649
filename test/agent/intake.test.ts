import { Backoff } from '../../agent/backoff.js';
import { OrderedAcks } from '../../agent/broker/ordered-acks.js';
import { FrameQueue, type QueuedFrame } from '../../agent/intake/frame-queue.js';
import { LabelWindow } from '../../agent/intake/label-window.js';
import { KnownMessages } from '../../agent/flow/known-messages.js';
import { Gate } from '../../agent/flow/gate.js';

const frames = (count: number, acknowledged: string[], connection = 1): QueuedFrame[] =>
  Array.from({ length: count }, (_, i) => ({
    sensor: `${i}`,
    record: Buffer.from([i]),
    arrived: 0,
    connection,
    acknowledge: () => acknowledged.push(`${i}`),
  }));

describe('FrameQueue', () => {
  test('drops the oldest when full, acknowledges and reports it', async () => {
    const acknowledged: string[] = [];
    const dropped: string[] = [];
    const queue = new FrameQueue(3, ({ sensor }) => dropped.push(sensor));
    for (const frame of frames(5, acknowledged)) queue.push(frame);
    expect(dropped).toEqual(['0', '1']);
    expect(acknowledged).toEqual(['0', '1']);
    const kept = [await queue.take(), await queue.take(), await queue.take()];
    expect(kept.map((frame) => frame?.sensor)).toEqual(['2', '3', '4']);
    expect(queue.length).toBe(0);
  });

  test('hands a frame to a waiting taker', async () => {
    const queue = new FrameQueue(1, () => undefined);
    const taken = queue.take();
    const [first, second] = frames(2, []);
    if (!first || !second) throw new Error('no frames');
    queue.push(first);
    queue.push(second);
    expect(await taken).toBe(first);
    expect(await queue.take()).toBe(second);
  });

  test('a smaller depth applies at once', () => {
    const dropped: string[] = [];
    const queue = new FrameQueue(4, ({ sensor }) => dropped.push(sensor));
    for (const frame of frames(4, [])) queue.push(frame);
    queue.setDepth(1);
    expect(dropped).toEqual(['0', '1', '2']);
  });

  test('after close() what is queued can be taken, and nothing comes in or is acknowledged', async () => {
    const acknowledged: string[] = [];
    const queue = new FrameQueue(4, () => undefined);
    const [first, second] = frames(2, acknowledged);
    if (!first || !second) throw new Error('no frames');
    queue.push(first);
    queue.close();
    queue.push(second);
    expect(await queue.take()).toBe(first);
    expect(await queue.take()).toBeUndefined();
    expect(acknowledged).toEqual([]);
  });

  test('forgets frames that the broker sends again', () => {
    const queue = new FrameQueue(9, () => undefined);
    for (const frame of [...frames(3, [], 1), ...frames(2, [], 2)]) queue.push(frame);
    expect(queue.forget(2)).toBe(3);
    expect(queue.length).toBe(2);
  });
});

test('OrderedAcks releases in the order of arrival, each once', () => {
  const sent: number[] = [];
  const acks = new OrderedAcks();
  const release = [0, 1, 2, 3].map((i) => acks.receive(() => sent.push(i)));
  release[2]?.();
  release[1]?.();
  expect(sent).toEqual([]);
  expect(acks.outstanding).toBe(4);
  release[0]?.();
  expect(sent).toEqual([0, 1, 2]);
  release[0]?.();
  release[3]?.();
  expect(sent).toEqual([0, 1, 2, 3]);
  expect(acks.outstanding).toBe(0);
});

test('Backoff doubles up to its cap, with jitter between half and all', () => {
  const least = new Backoff(100, 1000, () => 0);
  const most = new Backoff(100, 1000, () => 0.999999);
  expect([1, 2, 3, 4, 5].map(() => least.next())).toEqual([50, 100, 200, 400, 500]);
  expect([1, 2, 3, 4, 5].map(() => most.next())).toEqual([100, 200, 400, 800, 1000]);
  least.reset();
  expect(least.next()).toBe(50);
});

test('LabelWindow holds back a label more than it has room for', async () => {
  const window = new LabelWindow(2);
  let finish = (): void => undefined;
  window.add(new Promise((resolve) => (finish = resolve)));
  window.add(new Promise(() => undefined));
  let room = false;
  void window.room().then(() => (room = true));
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(room).toBe(false);
  finish();
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(room).toBe(true);
});

test('Gate lets pass when open and says when it has ended', async () => {
  const gate = new Gate();
  const first = gate.pass();
  gate.open();
  expect(await first).toBe(true);
  gate.close();
  const second = gate.pass();
  gate.end();
  expect(await second).toBe(false);
});

test('strangers displace each other, never a sender that the TA has accepted', () => {
  const known = new KnownMessages();
  const member = known.remember('member', Buffer.from('offer'));
  if (!member) throw new Error('not remembered');
  member.accepted = true;
  for (let i = 0; i < 1000; i += 1) known.remember(`stranger ${i}`, Buffer.from('noise'));
  expect(known.all).toHaveLength(128);
  expect(known.get('member')).toBe(member);
  expect(known.remember('long', Buffer.alloc(20_000))).toBeUndefined();
});
