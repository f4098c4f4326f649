import { decodePicture, resizePicture } from '../../clients/picture/index.js';
import { EngineTool, importTflite, pack, type PackOptions } from '../../clients/publisher/index.js';
import { AT_ONCE, runInTa, type InTa } from './in-ta.js';
import { describeWithOracle, sharedFile } from './shared.js';

const FILE = 'mobilenet_v2_1.0_224_quant.tflite';

interface Run extends InTa {
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
    const picture = await decodePicture(sharedFile('images/cat.bmp'));
    const { data } = resizePicture(picture, { width: 224, height: 224, channels: 3 });
    return { ...(await runInTa(model, [data], heapKib)), memory: model.memory };
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
  });
});
