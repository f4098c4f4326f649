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
import { runInTa } from './in-ta.js';
import { describeWithOracle, shared, sharedFile } from './shared.js';

/** What the label says must be what the engine alone says. */
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

  test.each(files)('%s', async (file) => {
    const model = await pack(importTflite(sharedFile(`models/${file}`), file), {
      name: file,
      target: EngineTool.find().target(),
    });
    const frame = await frameFor(model);
    const [results] = (await runInTa(model, [frame])).results;
    if (results === undefined) throw new Error('no label');
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
  });
});
