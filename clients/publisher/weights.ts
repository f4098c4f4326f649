import { ALIGNMENT } from './szg1.js';
import { tensorBytes, type Tensor, type TensorData } from './network.js';

/** Where a constant lies: its segment and the offset in it. */
export interface WeightPlace {
  readonly segment: number;
  readonly offset: number;
}

export interface WeightLayout {
  readonly places: ReadonlyMap<Tensor, WeightPlace>;
  /** Plaintext segments, in the order of execution. */
  readonly segments: readonly Uint8Array[];
}

const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** Little-endian bytes of a constant. */
const bytesOf = (data: TensorData): Uint8Array => {
  if (data instanceof Int8Array || data instanceof Uint8Array)
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const bytes = new Uint8Array(4 * data.length);
  const view = new DataView(bytes.buffer);
  if (data instanceof Float32Array) data.forEach((value, i) => view.setFloat32(4 * i, value, true));
  else data.forEach((value, i) => view.setInt32(4 * i, value, true));
  return bytes;
};

/**
 * Divides constants among segments in the given order. A tensor is never divided; a segment is at most `segmentBytes` long
 * unless a single tensor is longer.
 * @param together so many constants at the beginning are read at the same time: they share segments as far as those go
 * @throws RangeError if a tensor is longer than `mostBytes`, which no device could receive
 */
export const layOutWeights = (
  constants: Iterable<Tensor>,
  segmentBytes: number,
  mostBytes: number,
  together = 0,
): WeightLayout => {
  const places = new Map<Tensor, WeightPlace>();
  const groups: { tensors: Tensor[]; bytes: number }[] = [];
  for (const [i, tensor] of [...new Set(constants)].entries()) {
    const limit = i < together ? mostBytes : segmentBytes;
    const bytes = tensorBytes(tensor);
    if (bytes > mostBytes)
      throw new RangeError(
        `weights ${tensor.name} have ${bytes} bytes, at most ${mostBytes} can be sent in one piece`,
      );
    let group = groups.at(-1);
    if (group === undefined || (group.bytes > 0 && aligned(group.bytes) + bytes > limit)) {
      group = { tensors: [], bytes: 0 };
      groups.push(group);
    }
    const offset = aligned(group.bytes);
    places.set(tensor, { segment: groups.length - 1, offset });
    group.tensors.push(tensor);
    group.bytes = offset + bytes;
  }
  const segments = groups.map(({ tensors, bytes }) => {
    const segment = new Uint8Array(bytes);
    for (const tensor of tensors)
      if (tensor.data) segment.set(bytesOf(tensor.data), places.get(tensor)?.offset ?? 0);
    return segment;
  });
  return { places, segments };
};
