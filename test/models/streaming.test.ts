import { decodePicture, resizePicture } from '../../clients/picture/index.js';
import {
  EngineTool,
  importTflite,
  pack,
  readPackage,
  type PackOptions,
} from '../../clients/publisher/index.js';
import { Code, decodeStrict, encodeFrame, type Results } from '../../protocol/index.js';
import { DeviceUnderTest, expectOk, party } from '../ta/device-under-test.js';
import { TaHost } from '../ta/ta-host.js';
import { describeWithOracle, sharedFile } from './shared.js';

const FILE = 'mobilenet_v2_1.0_224_quant.tflite';
const AT_ONCE = 1_572_864;

interface Run {
  readonly results: Results;
  readonly streamed: number;
  readonly continues: number;
  readonly heapPeak: number;
  /** What the package says that it takes. */
  readonly memory: number;
}

/**
 * A whole ImageNet network in less than half a megabyte of heap: its front runs in row bands, its weights are streamed. The
 * label is that of the same network with all of it in memory.
 */
describeWithOracle('a model that does not fit', () => {
  const run = async (heapKib: number, options: Partial<PackOptions>): Promise<Run> => {
    const model = await pack(importTflite(sharedFile(`models/${FILE}`), FILE), { name: FILE, ...options });
    const device = new DeviceUnderTest(TaHost.create('ta_host', heapKib));
    try {
      const [sensor, rules, publisher] = [party('sensor'), party('rules'), party('publisher')];
      expectOk(await device.claim());
      await device.enrol(sensor, rules, publisher);
      const { signed, offer } = await device.package(publisher, model, 1);
      const { envelope, segments } = readPackage(signed.bytes);
      const installed = expectOk(await device.load({ envelope, segments }, offer));
      const channel = await device.sealOffer(sensor, model.header.input);
      expectOk(await device.ta.call('OFFER', channel.offer));
      const reader = await device.labelReader(rules);
      const picture = await decodePicture(sharedFile('images/cat.bmp'));
      const { data } = resizePicture(picture, { width: 224, height: 224, channels: 3 });
      const frame = encodeFrame({ ...model.header.input, id: new Uint8Array(8), time: 0, data });
      let reply = await device.ta.call('FRAME', channel.writer.seal(frame));
      let continues = 0;
      while (reply.a === Code.SEGMENTS_WANTED) {
        const wanted = (decodeStrict(reply.out) as number[]).map((index) => segments[index]!);
        let length = 0;
        const fitting = wanted.filter((segment) => (length += segment.length) <= AT_ONCE);
        reply = await device.ta.call('CONTINUE', Buffer.concat(fitting), reply.b);
        continues += 1;
      }
      const { results } = reader.open(expectOk(reply).out, sensor);
      const { peak: heapPeak } = await device.ta.heap();
      return { results, streamed: installed.d, continues, heapPeak, memory: model.memory };
    } finally {
      await device.stop();
    }
  };

  test('gives the label that it gives where it fits', async () => {
    const target = EngineTool.find().target();
    const whole = await run(7168, { target });
    expect(whole).toMatchObject({ streamed: 0, continues: 0 });
    const small = await run(420, { target, arena: 0, segmentBytes: 32 * 1024 });
    expect(small.results).toEqual(whole.results);
    expect(small.heapPeak).toBeLessThanOrEqual(420 * 1024);
    // The package says so: the rest is the TA's own, channels and keys.
    expect(small.memory).toBeGreaterThan((420 - 68) * 1024);
    // Nearly all weights, in as few calls as the shared buffer allows.
    expect(small.streamed).toBeGreaterThan(3_000_000);
    expect(small.continues).toBe(Math.ceil(small.streamed / AT_ONCE));
  }, 120_000);
});
