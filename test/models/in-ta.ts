import { readPackage, type SealedModel } from '../../clients/publisher/index.js';
import { Code, decodeStrict, encodeFrame, type Results } from '../../protocol/index.js';
import { DeviceUnderTest, expectOk, party, type TaCalls } from '../ta/device-under-test.js';
import { TaHost } from '../ta/ta-host.js';

/** The buffer in which segments are sent. */
export const AT_ONCE = 1_572_864;

export interface Labelled {
  /** Of each frame. */
  readonly results: readonly Results[];
  /** Bytes of weights that each frame streams. */
  readonly streamed: number;
  /** Calls that gave the TA more of the model while it worked, of all frames. */
  readonly continues: number;
}

export interface InTa extends Labelled {
  /** Greatest use of the TA's heap, in bytes. */
  readonly heapPeak: number;
}

/** The way that everybody's models go, on a new device: packed, signed, wrapped for it, loaded, frames sealed, labels opened. */
export const labelsOf = async (
  device: DeviceUnderTest<TaCalls>,
  model: SealedModel,
  frames: readonly Uint8Array[],
): Promise<Labelled> => {
  const [sensor, rules, publisher] = [party('sensor'), party('rules'), party('publisher')];
  expectOk(await device.claim());
  await device.enrol(sensor, rules, publisher);
  const { signed, offer } = await device.package(publisher, model, 1);
  const { envelope, segments } = readPackage(signed.bytes);
  const installed = expectOk(await device.load({ envelope, segments }, offer));
  const { input } = model.header;
  expect((await device.hello()).inputShape).toEqual(input);
  const channel = await device.sealOffer(sensor, input);
  expectOk(await device.ta.call('OFFER', channel.offer));
  const reader = await device.labelReader(rules);
  const results: Results[] = [];
  let continues = 0;
  for (const [i, data] of frames.entries()) {
    const id = new Uint8Array(8).fill(i);
    let reply = await device.ta.call(
      'FRAME',
      channel.writer.seal(encodeFrame({ ...input, id, time: i, data })),
    );
    while (reply.a === Code.SEGMENTS_WANTED) {
      const wanted = (decodeStrict(reply.out) as number[]).map((index) => segments[index]!);
      let length = 0;
      const fitting = wanted.filter((segment) => (length += segment.length) <= AT_ONCE);
      reply = await device.ta.call('CONTINUE', Buffer.concat(fitting), reply.b);
      continues += 1;
    }
    results.push(reader.open(expectOk(reply).out, sensor).results);
  }
  return { results, streamed: installed.d, continues };
};

/** labelsOf() on the TA's own sources under sanitizers. */
export const runInTa = async (
  model: SealedModel,
  frames: readonly Uint8Array[],
  heapKib?: number,
): Promise<InTa> => {
  const device = new DeviceUnderTest(
    heapKib === undefined ? TaHost.create() : TaHost.create('ta_host', heapKib),
  );
  try {
    const labelled = await labelsOf(device, model, frames);
    return { ...labelled, heapPeak: (await device.ta.heap()).peak };
  } finally {
    await device.stop();
  }
};
