/**
 * Models whose weights do not fit: the TA keeps what fits, asks for the rest segment by segment, and labels are those of a TA
 * that has the whole model. The TA runs under AddressSanitizer and UndefinedBehaviorSanitizer.
 */
import { randomBytes } from 'node:crypto';
import { importTflite, pack, readPackage, type SealedModel } from '../../clients/publisher/index.js';
import { Code, codeName, Command, decodeStrict, equalBytes, verifyReceipt } from '../../protocol/index.js';
import {
  DeviceUnderTest,
  expectOk,
  faceModel,
  faceNetwork,
  frame,
  type LabelReader,
  type Party,
  party,
  type SensorChannel,
} from './device-under-test.js';
import { withForgedSegment } from '../support/forged-model.js';
import { TaHost, type TaReply } from './ta-host.js';

const MOST_AT_ONCE = 1_572_864;
const ALL = 0xffffffff;

const status = (reply: TaReply): string => {
  expect(reply.result).toBe(0);
  return reply.a === 0 ? 'OK' : codeName(reply.a)!;
};
const wantedBy = (reply: TaReply): number[] => {
  expect(status(reply)).toBe('SEGMENTS_WANTED');
  const wanted = decodeStrict(reply.out) as number[];
  expect(wanted[0]).toBe(reply.b);
  return wanted;
};

/** A device with this model and its parties, in a heap of this size. */
class Device {
  frames = 0;
  continues = 0;

  private constructor(
    readonly device: DeviceUnderTest,
    readonly sensor: Party,
    readonly rules: Party,
    readonly publisher: Party,
    public segments: readonly Uint8Array[],
    public installed: TaReply,
    public envelope: Uint8Array = new Uint8Array(),
  ) {}

  static async create(model: SealedModel, heapKib?: number): Promise<Device> {
    const device = new DeviceUnderTest(TaHost.create('ta_host', heapKib));
    const [sensor, rules, publisher] = [party('sensor'), party('rules'), party('publisher')];
    expectOk(await device.claim());
    await device.enrol(sensor, rules, publisher);
    const created = new Device(device, sensor, rules, publisher, [], {
      result: 0,
      a: 0,
      b: 0,
      c: 0,
      d: 0,
      out: new Uint8Array(),
    });
    await created.install(model, 1);
    return created;
  }

  async install(model: SealedModel, sequence: number): Promise<TaReply> {
    const { signed, offer } = await this.device.package(this.publisher, model, sequence);
    const opened = readPackage(signed.bytes);
    this.installed = await this.device.load(opened, offer);
    if (this.installed.a === 0) ({ envelope: this.envelope, segments: this.segments } = opened);
    return this.installed;
  }

  get ta(): TaHost {
    return this.device.ta;
  }

  /** FRAME and as many CONTINUE as it takes. @param most bytes of one invoke */
  async frame(record: Uint8Array, most = MOST_AT_ONCE): Promise<TaReply> {
    this.frames += 1;
    let reply = await this.ta.call('FRAME', record);
    while (reply.result === 0 && reply.a === Code.SEGMENTS_WANTED)
      reply = await this.continue(wantedBy(reply), most);
    return reply;
  }

  continue(wanted: readonly number[], most = 1): Promise<TaReply> {
    const parts: Uint8Array[] = [];
    for (const index of wanted) {
      const segment = this.segments[index]!;
      most -= segment.length;
      if (parts.length > 0 && most < 0) break;
      parts.push(segment);
    }
    this.continues += 1;
    return this.ta.call('CONTINUE', Buffer.concat(parts), wanted[0]);
  }

  /** A frame that waits for segments now. */
  async pending(channel: SensorChannel): Promise<{ record: Uint8Array; wanted: number[] }> {
    const record = channel.writer.seal(frame());
    return { record, wanted: wantedBy(await this.ta.call('FRAME', record)) };
  }
}

let resident: Device;
let streamed: Device;
let reader: LabelReader;
let channel: SensorChannel;
const smallSegments = async (name: string): Promise<SealedModel> =>
  pack(importTflite(await faceNetwork(), 'face_detection_short_range.tflite'), {
    name,
    preset: 'face-detection-short-range',
    segmentBytes: 16 * 1024,
  });
let model: SealedModel;
let other: SealedModel;
/** The face detector's arena takes 1280 of it; its weights would take 600 more. */
const HEAP_KIB = 1600;

beforeAll(async () => {
  [model, other] = [await smallSegments('faces'), await smallSegments('others')];
  resident = await Device.create(model);
  streamed = await Device.create(model, HEAP_KIB);
  reader = await streamed.device.labelReader(streamed.rules);
  channel = await streamed.device.openChannel(streamed.sensor);
});
afterAll(async () => {
  await resident.device.stop();
  await streamed.device.stop();
});

test('a model that fits is resident, one that does not is streamed', () => {
  expect(resident.installed).toMatchObject({ a: 0, b: ALL, c: 1, d: 0 });
  expect(streamed.installed).toMatchObject({ a: 0, b: ALL, c: 1 });
  expect(streamed.installed.d).toBeGreaterThan(100_000);
});

test('its labels are those of the resident model, however many segments come at once', async () => {
  const there = await resident.device.openChannel(resident.sensor);
  const thereReader = await resident.device.labelReader(resident.rules);
  for (const most of [1, 40_000, 100_000, MOST_AT_ONCE]) {
    const picture = new Uint8Array(randomBytes(128 * 128 * 3));
    const want = expectOk(await resident.frame(there.writer.seal(frame(picture))));
    const have = expectOk(await streamed.frame(channel.writer.seal(frame(picture)), most));
    expect(reader.open(have.out, streamed.sensor).results).toEqual(
      thereReader.open(want.out, resident.sensor).results,
    );
    expect(have.out.length).toBe(want.out.length);
  }
  expect(resident.continues).toBe(0);
  expect(streamed.continues).toBeGreaterThan(20);
});

test('what it wants is told in advance, and is the same for every frame', async () => {
  const first = await streamed.pending(channel);
  let { wanted } = first;
  while (wanted.length > 1) {
    const next: number[] = wantedBy(await streamed.continue(wanted));
    expect(next).toEqual(wanted.slice(1));
    wanted = next;
  }
  expectOk(await streamed.continue(wanted));
  const second = await streamed.pending(channel);
  expect(second.wanted).toEqual(first.wanted);
  expectOk(await streamed.frame(second.record));
});

test('what was streamed is wiped with the label, and with an inference that ends early', async () => {
  const plaintext = (index: number): Uint8Array => model.graph.segments[index - 1]!.subarray(64, 128);
  const { wanted } = await streamed.pending(channel);
  const [first, second] = [wanted[0]!, wanted[1]!];
  expect(await streamed.ta.find(plaintext(first))).toBe(0);
  expect(await streamed.ta.find(plaintext(1))).toBe(1); // resident
  wantedBy(await streamed.continue(wanted));
  expect(await streamed.ta.find(plaintext(first))).toBe(1);
  const altered = streamed.segments[second]!.slice();
  altered[altered.length - 1]! ^= 1; // found out when all of it was decrypted
  expect(status(await streamed.ta.call('CONTINUE', altered, second))).toBe('MODEL_DIGEST');
  expect(await streamed.ta.find(plaintext(first))).toBe(0);
  expect(await streamed.ta.find(plaintext(second))).toBe(0);
  expectOk(await streamed.frame(channel.writer.seal(frame())));
  for (const index of wanted) expect(await streamed.ta.find(plaintext(index))).toBe(0);
});

describe('a segment that is not the one wanted ends the inference and nothing else', () => {
  let record: Uint8Array;
  let wanted: number[];
  let lastNumber: number;
  const receipt = async (): Promise<number> => {
    const { signingKey } = await streamed.device.hello();
    return verifyReceipt(expectOk(await streamed.ta.call('RECEIPT', channel.id)).out, signingKey).lastNumber;
  };
  const send = async (bytes: Uint8Array, index = wanted[0]!): Promise<string> =>
    status(await streamed.ta.call('CONTINUE', bytes, index));
  /** The frame's number is still free: it begins again. */
  const again = async (): Promise<void> => {
    expect(status(await streamed.continue(wanted))).toBe('NO_INFERENCE');
    wanted = wantedBy(await streamed.ta.call('FRAME', record));
  };

  beforeEach(async () => {
    lastNumber = await receipt();
    ({ record, wanted } = await streamed.pending(channel));
    expect(await receipt()).toBe(lastNumber);
  });
  afterEach(async () => {
    expect(await receipt()).toBe(lastNumber);
    const label = expectOk(await streamed.frame(record));
    expect(await receipt()).toBe(lastNumber + 1);
    // One label for a number, whatever was tried before: the frame again gives the same, without an inference.
    expect(equalBytes(expectOk(await streamed.ta.call('FRAME', record)).out, label.out)).toBe(true);
  });

  test('altered, each of them', async () => {
    const order = wanted;
    for (const [done, index] of order.entries()) {
      const segment = streamed.segments[index]!;
      for (const at of [0, segment.length >> 1, segment.length - 1]) {
        for (let i = 0; i < done; i++) wanted = wantedBy(await streamed.continue(wanted));
        expect(wanted[0]).toBe(index);
        const altered = segment.slice();
        altered[at]! ^= 1;
        expect(await send(altered)).toBe('MODEL_DIGEST');
        await again();
      }
    }
  });

  test('short, empty, or with something behind it', async () => {
    const segment = streamed.segments[wanted[0]!]!;
    for (const bytes of [segment.subarray(0, -1), segment.subarray(0, 1), new Uint8Array()]) {
      expect(await send(bytes)).toBe('TRUNCATED');
      await again();
    }
    expect(await send(Buffer.concat([segment, new Uint8Array(100)]))).toBe('TRUNCATED');
    await again();
    const all = wanted.map((index) => streamed.segments[index]!);
    expect(await send(Buffer.concat([...all, new Uint8Array(1)]))).toBe('TRAILING_BYTES');
  });

  test('out of order', async () => {
    for (const index of [0, wanted[1]!, wanted[0]! - 1, streamed.segments.length - 1, 100_000, ALL]) {
      expect(await send(streamed.segments[index] ?? new Uint8Array(500), index)).toBe('MODEL_ORDER');
      await again();
    }
    // Another segment under the wanted one's index.
    expect(['MODEL_DIGEST', 'TRUNCATED']).toContain(await send(streamed.segments[wanted[1]!]!));
    await again();
    const swapped = [wanted[1]!, wanted[0]!].map((index) => streamed.segments[index]!);
    expect(await send(Buffer.concat(swapped))).toBe('MODEL_DIGEST');
  });

  test('the same place of another model, or of the same one sealed again', async () => {
    expect(await send(other.segments[wanted[0]!]!)).toBe('MODEL_DIGEST');
  });

  test('forged by somebody who has the content key: its tag is right, only its digest is not', async () => {
    const order = wanted;
    for (const [done, index] of order.entries()) {
      for (let i = 0; i < done; i++) wanted = wantedBy(await streamed.continue(wanted));
      const forged = withForgedSegment(model, index).segments[index]!;
      expect(forged).toHaveLength(streamed.segments[index]!.length);
      expect(await send(forged)).toBe('MODEL_DIGEST');
      await again();
    }
  });

  test('no room for the label', async () => {
    const input = streamed.segments[wanted[0]!]!;
    const reply = await streamed.ta.send(Command.CONTINUE, { a: wanted[0]!, input, capacity: 64 });
    expect(status(reply)).toBe('BUFFER_TOO_SMALL');
  });
});

describe('commands in the middle of an inference', () => {
  const finish = async (wanted: readonly number[]): Promise<string> => {
    let reply = await streamed.continue(wanted, MOST_AT_ONCE);
    while (reply.a === Code.SEGMENTS_WANTED) reply = await streamed.continue(wantedBy(reply), MOST_AT_ONCE);
    return status(reply);
  };

  test('harmless ones', async () => {
    const { wanted } = await streamed.pending(channel);
    for (const [command, input] of [
      ['PING'],
      ['HELLO'],
      ['EVIDENCE', randomBytes(16)],
      ['TELEMETRY', Uint8Array.of(0xa0)],
      ['RECEIPT', channel.id],
    ] as const)
      expectOk(await streamed.ta.call(command, input));
    await streamed.device.labelReader(streamed.rules);
    expect(await finish(wanted)).toBe('OK');
  });

  test('another frame takes its place; both can be sent again', async () => {
    const first = await streamed.pending(channel);
    const second = await streamed.pending(channel);
    expect(second.wanted).toEqual(first.wanted);
    expectOk(await streamed.frame(first.record));
    expectOk(await streamed.frame(second.record));
    // Not a frame at all: the one that waited is gone, too.
    const third = await streamed.pending(channel);
    expect(status(await streamed.ta.call('FRAME', randomBytes(0)))).toBe('TRUNCATED');
    expect(await finish(third.wanted)).toBe('NO_INFERENCE');
    expectOk(await streamed.frame(third.record));
  });

  test('an offer is harmless to a channel in use, and closes one that no label went out of', async () => {
    const { wanted } = await streamed.pending(channel);
    const fresh = await streamed.device.openChannel(streamed.sensor);
    expect(await finish(wanted)).toBe('OK');
    const on = await streamed.pending(fresh);
    const next = await streamed.device.openChannel(streamed.sensor);
    expect(await finish(on.wanted)).toBe('NO_CHANNEL');
    expect(await finish(on.wanted)).toBe('NO_INFERENCE');
    expectOk(await streamed.frame(next.writer.seal(frame())));
    channel = next;
  });

  test('a roster without the sensor ends it', async () => {
    const { device, sensor, rules, publisher } = streamed;
    const { wanted } = await streamed.pending(channel);
    expectOk(await device.roster([rules, publisher]));
    expect(await finish(wanted)).toBe('NO_CHANNEL');
    expectOk(await device.roster([sensor, rules, publisher]));
    reader = await device.labelReader(rules);
    channel = await device.openChannel(sensor);
    expectOk(await streamed.frame(channel.writer.seal(frame())));
  });

  test('another session waits; the session that ends takes its inference along', async () => {
    const { record, wanted } = await streamed.pending(channel);
    await streamed.ta.session(2);
    expect(status(await streamed.ta.call('FRAME', record))).toBe('BUSY');
    expect(await finish(wanted)).toBe('BUSY');
    await streamed.ta.endSession(3);
    expect(status(await streamed.ta.call('FRAME', record))).toBe('BUSY');
    await streamed.ta.endSession(1);
    expect(await finish(wanted)).toBe('NO_INFERENCE');
    expectOk(await streamed.frame(record));
    await streamed.ta.session(1);
  });

  test('a model for which there is no room beside it takes its place, and where that fails the committed one comes back', async () => {
    const { record, wanted } = await streamed.pending(channel);
    const { begin, signed } = await streamed.device.package(streamed.publisher, other, 2);
    expectOk(await streamed.ta.call('MODEL_BEGIN', begin));
    expect(await finish(wanted)).toBe('OK');
    const next = await streamed.pending(channel);
    // The running model goes, and the header is wanted again.
    expect(await streamed.ta.call('MODEL_SEGMENT', other.segments[0], 0)).toMatchObject({ a: 0, b: 0, c: 0 });
    expect(await finish(next.wanted)).toBe('NO_INFERENCE');
    expect(status(await streamed.ta.call('FRAME', next.record))).toBe('NO_MODEL');
    const damaged = Uint8Array.from(other.segments[0] ?? []).fill(0, 0, 1);
    damaged[0] = (other.segments[0]?.[0] ?? 0) ^ 1;
    expect(status(await streamed.ta.call('MODEL_SEGMENT', damaged, 0))).toBe('MODEL_DIGEST');
    const { envelope, segments } = streamed;
    expect(await streamed.device.load({ envelope, segments }, null)).toMatchObject({ a: 0, c: 1 });
    expectOk(await streamed.frame(next.record));
    expectOk(await streamed.ta.call('FRAME', record)); // its label is still kept
    expect(signed.digest).toHaveLength(32);
  });

  test('a reset ends it with everything else', async () => {
    const { wanted } = await streamed.pending(channel);
    expectOk(await streamed.ta.call('OWNER', await streamed.device.statement({ type: 'reset' })));
    expect(await finish(wanted)).toBe('NO_INFERENCE');
  });
});

describe('memory', () => {
  let device: Device;
  afterEach(() => device.device.stop());

  test('a model that replaces a resident one streams only while both are there', async () => {
    device = await Device.create(model, 3600);
    expect(device.installed.d).toBe(0);
    expect(await device.install(other, 2)).toMatchObject({ a: 0, b: ALL, c: 1, d: 0 });
    const there = await device.device.openChannel(device.sensor);
    expectOk(await device.ta.call('FRAME', there.writer.seal(frame())));
  });

  test('a resident model gives way to the load of another, and goes on with what is left', async () => {
    device = await Device.create(model, 3100);
    expect(device.installed.d).toBe(0);
    const there = await device.device.openChannel(device.sensor);
    const { begin } = await device.device.package(device.publisher, other, 2);
    expectOk(await device.ta.call('FRAME', there.writer.seal(frame())));
    expectOk(await device.ta.call('MODEL_BEGIN', begin));
    expectOk(await device.ta.call('MODEL_SEGMENT', other.segments[0], 0));
    expectOk(await device.frame(there.writer.seal(frame())));
    expect(device.continues).toBeGreaterThan(0);
    expect(await device.install(other, 2)).toMatchObject({ a: 0, b: ALL, c: 1, d: 0 });
    device.continues = 0;
    expectOk(await device.frame(there.writer.seal(frame())));
    expect(device.continues).toBe(0);
  });

  test('after every frame as much memory is in use as before', async () => {
    device = await Device.create(model, HEAP_KIB);
    const there = await device.device.openChannel(device.sensor);
    for (let i = 0; i < 8; i++) expectOk(await device.frame(there.writer.seal(frame()))); // labels are kept
    const before = await device.ta.heap();
    for (let i = 0; i < 8; i++) expectOk(await device.frame(there.writer.seal(frame())));
    expect(await device.ta.heap()).toEqual(before);
    await device.ta.restart();
    expectOk(await device.device.load({ envelope: device.envelope, segments: device.segments }, null));
  });

  test('more than the whole heap: refused before anything is sent', async () => {
    device = await Device.create(model, 1280);
    expect(codeName(device.installed.a)).toBe('MODEL_MEMORY');
    expect(device.installed).toMatchObject({ b: model.memory, c: 1280 * 1024, d: 0 });
  });

  test('too little even to stream: what is missing', async () => {
    const faces = await faceModel();
    // As much as the package asks for: nothing is left for the TA's own.
    device = await Device.create(faces, Math.ceil(faces.memory / 1024));
    const { a, b, c, d } = device.installed;
    expect(codeName(a)).toBe('MODEL_MEMORY');
    expect(b).toBeGreaterThan(c);
    expect(c).toBeGreaterThan(1_200_000);
    expect(d).toBeGreaterThan(1_300_000);
  });
});
