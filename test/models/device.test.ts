import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { decodePicture, resizePicture } from '../../clients/picture/index.js';
import {
  EngineTool,
  importTflite,
  noiseFrame,
  pack,
  type SealedModel,
} from '../../clients/publisher/index.js';
import { encodeFrame, type Results } from '../../protocol/index.js';
import { DeviceUnderTest, expectOk, party } from '../ta/device-under-test.js';
import { TaHost } from '../ta/ta-host.js';
import { describeWithOracle, shared, sharedFile } from './shared.js';

/**
 * The way that everybody's models go: imported, packed, signed, wrapped for a device, loaded by the TA (its own sources, under
 * sanitizers), one frame sealed, one label opened. What the label says must be what the engine alone says.
 */
describeWithOracle('every model runs in the TA', () => {
  // Also read where the suite is skipped: the folder may not be there.
  const folder = path.join(shared, 'models');
  const files = existsSync(folder)
    ? readdirSync(folder).filter((name) => name.endsWith('.tflite'))
    : ['none'];

  const frameFor = async ({ header }: SealedModel): Promise<Uint8Array> => {
    const { format, dims } = header.input;
    const [height = 1, width = 1, channels = 1] = dims;
    if (format !== 'u8') return noiseFrame(header.input, 11);
    const picture = await decodePicture(sharedFile('images/cat.bmp'));
    return resizePicture(picture, { width, height, channels: channels === 1 ? 1 : 3 }).data;
  };

  const labelFor = async (model: SealedModel, frame: Uint8Array): Promise<Results> => {
    const device = new DeviceUnderTest(TaHost.create());
    try {
      const [sensor, rules, publisher] = [party('sensor'), party('rules'), party('publisher')];
      expectOk(await device.claim());
      await device.enrol(sensor, rules, publisher);
      expectOk(await device.install(publisher, model, 1));
      const { input } = model.header;
      expect((await device.hello()).inputShape).toEqual(input);
      const channel = await device.sealOffer(sensor, input);
      expectOk(await device.ta.call('OFFER', channel.offer));
      const reader = await device.labelReader(rules);
      const plaintext = encodeFrame({ ...input, id: new Uint8Array(8), time: Date.now(), data: frame });
      const reply = expectOk(await device.ta.call('FRAME', channel.writer.seal(plaintext)));
      return reader.open(reply.out, sensor).results;
    } finally {
      await device.stop();
    }
  };

  test.each(files)(
    '%s',
    async (file) => {
      const model = await pack(importTflite(sharedFile(`models/${file}`), file), {
        name: file,
        target: EngineTool.find().target(),
      });
      const frame = await frameFor(model);
      const results = await labelFor(model, frame);
      const { results: expected, outputs } = await EngineTool.find().infer(
        model.graph,
        model.header.input.format,
        frame,
      );
      switch (results.kind) {
        case 'classes':
          expect(results.classes.map(({ index }) => index)).toEqual(expected.map((result) => result.class));
          expect(results.classes.length).toBe(model.header.results.most);
          break;
        case 'reconstruction':
          expect(results.error).toBeCloseTo(expected[0]?.score ?? NaN, 4);
          break;
        case 'tensor':
          expect(results.data).toEqual(outputs[0]);
          break;
        case 'detections':
          throw new Error('none of these models detects');
      }
    },
    120_000,
  );
});
