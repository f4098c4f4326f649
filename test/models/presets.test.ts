import { decodePicture, resizePicture } from '../../clients/picture/index.js';
import {
  EngineTool,
  importTflite,
  pack,
  parseLabels,
  type PackOptions,
} from '../../clients/publisher/index.js';
import { describeWithOracle, sharedFile } from './shared.js';

/** The name of the best class of a packed model for a photograph. */
const bestName = async (
  file: string,
  picture: string,
  options: Partial<PackOptions>,
): Promise<string | undefined> => {
  const model = await pack(importTflite(sharedFile(`models/${file}`), file), { name: file, ...options });
  const [height = 1, width = 1, channels = 1] = model.header.input.dims;
  const content = await decodePicture(sharedFile(`images/${picture}`));
  // This one file holds int8 values, as TensorFlow Lite Micro's own test reads it: seen as a picture it is 128 too dark or bright.
  const decoded =
    picture === 'person.bmp' ? { ...content, data: content.data.map((value) => value ^ 0x80) } : content;
  const frame = resizePicture(decoded, { width, height, channels: channels === 1 ? 1 : 3 }).data;
  const { results } = await EngineTool.find().infer(model.graph, 'u8', frame);
  return model.header.labels[results[0]?.class ?? -1];
};

describeWithOracle('presets say what is in the photographs', () => {
  test.each(['person_detect.tflite', 'vww_96_int8.tflite'])('%s', async (file) => {
    const options = { preset: 'person-detection' } as const;
    expect(await bestName(file, 'person.bmp', options)).toBe('person');
    expect(await bestName(file, 'grace_hopper.bmp', options)).toBe('person');
    expect(await bestName(file, 'no_person.bmp', options)).toBe('no person');
  });

  test('mobilenet_v2_1.0_224_quant.tflite', async () => {
    const labels = parseLabels(new TextDecoder().decode(sharedFile('models/imagenet_labels.txt')));
    const options = { preset: 'imagenet', labels } as const;
    const names = await Promise.all(
      ['cat.bmp', 'grace_hopper.bmp', 'sunflower.bmp'].map((picture) =>
        bestName('mobilenet_v2_1.0_224_quant.tflite', picture, options),
      ),
    );
    process.stdout.write(`MobileNetV2 sees: ${names.join('; ')}\n`);
    expect(names[0]).toMatch(/cat/);
    expect(names[1]).toMatch(/uniform/);
    expect(names[2]).toMatch(/daisy/);
  });
});
