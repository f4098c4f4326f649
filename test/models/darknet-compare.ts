import { importDarknet, noiseFrame, openReference, type Network } from '../../clients/publisher/index.js';
import { simplify } from '../../clients/publisher/simplify.js';
import type { DarknetNet } from './darknet-net.js';
import { compute } from './onnx-engine.js';

const floatsOf = (bytes: Uint8Array): Float32Array => new Float32Array(bytes.slice().buffer);

/** [h, w, c] -> [c, h, w] */
const channelsFirst = (values: Float32Array, [h = 1, w = 1, c = 1]: readonly number[]): Float32Array =>
  Float32Array.from(values, (_, i) => {
    const [k, pixel] = [Math.floor(i / (h * w)), i % (h * w)];
    return values[pixel * c + k] ?? 0;
  });

/** ONNX Runtime's output for a frame of ours, in our order. */
export const inOnnxRuntime = async (
  net: DarknetNet,
  network: Network,
  frame: Uint8Array,
): Promise<number[]> => {
  const reference = await openReference(net.onnx(), 'darknet.onnx');
  const [, ...picture] = network.input.dims;
  const input = channelsFirst(floatsOf(frame), picture);
  const [values] = await reference.run(new Uint8Array(input.buffer));
  const flat = Array.from(values ?? [], Number);
  const dims = network.outputs[0]?.dims ?? [];
  if (dims.length !== 4) return flat;
  const [, h = 1, w = 1, c = 1] = dims;
  return flat.map((_, i) => flat[(i % c) * h * w + Math.floor(i / c)] ?? NaN);
};

/** A network on noise: as the engine runs Darknet's files, and as ONNX Runtime runs the same layers. */
export const inBoth = async (
  net: DarknetNet,
  version?: number,
): Promise<{ network: Network; ours: number[]; theirs: number[]; frame: Uint8Array }> => {
  const network = importDarknet(net.cfg, net.weights(version), 'test.cfg');
  const frame = noiseFrame({ format: 'f32', dims: network.input.dims });
  const [ours = []] = await compute(simplify(network), frame, 'f32');
  return { network, ours, theirs: await inOnnxRuntime(net, network, frame), frame };
};
