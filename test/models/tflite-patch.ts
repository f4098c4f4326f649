/**
 * Changes to .tflite files that let the oracle (TFLite's WebAssembly) serve as a reference for files that it refuses or
 * reads in another way. Positions are found by hand, so this shares nothing with the importer under test.
 */

const FLOAT32 = 0;
const INT8 = 9;

class Bytes {
  readonly view: DataView;
  constructor(readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  /** Position of a table's field, 0 where it is left out. */
  field(table: number, number: number): number {
    const vtable = table - this.view.getInt32(table, true);
    const slot = 4 + 2 * number;
    const offset = slot < this.view.getUint16(vtable, true) ? this.view.getUint16(vtable + slot, true) : 0;
    return offset === 0 ? 0 : table + offset;
  }
  follow(at: number): number {
    return at + this.view.getUint32(at, true);
  }
  /** Tables of a vector of tables. */
  tables(table: number, number: number): number[] {
    const vector = this.follow(this.field(table, number));
    const length = this.view.getUint32(vector, true);
    return Array.from({ length }, (_, i) => this.follow(vector + 4 + 4 * i));
  }
  int32s(table: number, number: number): number[] {
    const at = this.field(table, number);
    if (at === 0) return [];
    const vector = this.follow(at);
    const length = this.view.getUint32(vector, true);
    return Array.from({ length }, (_, i) => this.view.getInt32(vector + 4 + 4 * i, true));
  }
}

const graphOf = (file: Bytes): { tensors: number[]; operators: number[]; buffers: number[] } => {
  const model = file.view.getUint32(0, true);
  const [graph = 0] = file.tables(model, 2);
  return { tensors: file.tables(graph, 0), operators: file.tables(graph, 3), buffers: file.tables(model, 4) };
};

/**
 * Old converters wrote the weights' quantized_dimension into the bias too, which has one dimension: today's TFLite refuses to
 * load that. Sets it to 0; no value of the model changes.
 */
export const withValidBiasDimension = (source: Uint8Array): Uint8Array => {
  const file = new Bytes(Uint8Array.from(source));
  for (const tensor of graphOf(file).tensors) {
    const quantization = file.field(tensor, 4);
    if (quantization === 0 || file.int32s(tensor, 0).length !== 1) continue;
    const dimension = file.field(file.follow(quantization), 6);
    if (dimension !== 0) file.view.setInt32(dimension, 0, true);
  }
  return file.bytes;
};

/**
 * Dynamic-range files have int8 weights under float operators, and TFLite rounds the activations to 8 bits on the way. This
 * writes the same weights as floats, (q - zero point) * scale, so that it computes in float throughout.
 */
export const withFloatWeights = (source: Uint8Array): Uint8Array => {
  const original = new Bytes(source);
  const { tensors, operators, buffers } = graphOf(original);
  const typeOf = (tensor: number): number => {
    const at = original.field(tensor, 1);
    return at === 0 ? FLOAT32 : original.view.getInt8(at);
  };
  const weights = new Set<number>();
  for (const operator of operators) {
    const [x, w] = original.int32s(operator, 1);
    const [input, weight] = [tensors[x ?? -1], tensors[w ?? -1]];
    if (input !== undefined && weight !== undefined && typeOf(input) === FLOAT32 && typeOf(weight) === INT8)
      weights.add(weight);
  }
  const added: Uint8Array[] = [];
  let end = Math.ceil(source.length / 16) * 16;
  const changes: ((file: Bytes) => void)[] = [];
  for (const tensor of weights) {
    const quantization = original.follow(original.field(tensor, 4));
    const scale = original.view.getFloat32(original.follow(original.field(quantization, 2)) + 4, true);
    const buffer = buffers[original.view.getUint32(original.field(tensor, 2), true)] ?? 0;
    const dataField = original.field(buffer, 0);
    const vector = original.follow(dataField);
    const length = original.view.getUint32(vector, true);
    // Twelve bytes before the length keep the floats on a multiple of 16.
    const block = new Uint8Array(16 + Math.ceil((4 * length) / 16) * 16);
    const view = new DataView(block.buffer);
    view.setUint32(12, 4 * length, true);
    for (let i = 0; i < length; i++)
      view.setFloat32(16 + 4 * i, original.view.getInt8(vector + 4 + i) * scale, true);
    const at = end + 12;
    changes.push((file) => {
      file.view.setUint32(dataField, at - dataField, true);
      file.view.setInt8(file.field(tensor, 1), FLOAT32);
    });
    added.push(block);
    end += block.length;
  }
  const file = new Bytes(new Uint8Array(end));
  file.bytes.set(source);
  let position = Math.ceil(source.length / 16) * 16;
  for (const block of added) {
    file.bytes.set(block, position);
    position += block.length;
  }
  for (const change of changes) change(file);
  return file.bytes;
};
