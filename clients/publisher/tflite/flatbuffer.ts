import { ByteBuffer } from 'flatbuffers';

/** A file that is not a well-formed FlatBuffer of the expected kind. */
export class FlatbufferError extends Error {
  override readonly name = 'FlatbufferError';
}

/**
 * One table of a FlatBuffer, read by field number. `flatbuffers` reads without looking at the end of the file, so every
 * access here is checked first: a damaged file ends in a FlatbufferError, never in nonsense values.
 * Field numbers count from 0 in the order of the schema; a union takes two (type, value).
 */
export class Table {
  readonly #buffer: ByteBuffer;
  readonly #position: number;
  readonly #vtable: number;
  readonly #vtableSize: number;

  private constructor(buffer: ByteBuffer, position: number) {
    this.#buffer = buffer;
    this.#position = position;
    check(buffer, position, 4);
    this.#vtable = position - buffer.readInt32(position);
    check(buffer, this.#vtable, 4);
    this.#vtableSize = buffer.readUint16(this.#vtable);
    if (this.#vtableSize < 4) throw new FlatbufferError(`impossible table at byte ${position}`);
    check(buffer, this.#vtable, this.#vtableSize);
  }

  /** The root table; `identifier` is the four letters that must follow the root offset. */
  static root(bytes: Uint8Array, identifier: string): Table {
    const buffer = new ByteBuffer(bytes);
    if (bytes.length < 8) throw new FlatbufferError('too short');
    if (buffer.getBufferIdentifier() !== identifier) throw new FlatbufferError(`not a ${identifier} file`);
    return new Table(buffer, buffer.readUint32(0));
  }

  /** Position of a field's value of `size` bytes, or undefined where the file leaves it at its default. */
  #field(field: number, size: number): number | undefined {
    const slot = 4 + 2 * field;
    if (slot + 2 > this.#vtableSize) return undefined;
    const offset = this.#buffer.readUint16(this.#vtable + slot);
    if (offset === 0) return undefined;
    check(this.#buffer, this.#position + offset, size);
    return this.#position + offset;
  }

  /** Position that an offset field points to. */
  #target(field: number): number | undefined {
    const at = this.#field(field, 4);
    return at === undefined ? undefined : at + this.#buffer.readUint32(at);
  }

  /**
   * Position of a vector's first element and its length, with all its bytes inside the file. `most` bounds what a small
   * file can make us allocate: any number of tables may point at the same vector.
   */
  #vector(field: number, elementSize: number, most: number): { start: number; length: number } {
    const at = this.#target(field);
    if (at === undefined) return { start: 0, length: 0 };
    check(this.#buffer, at, 4);
    const length = this.#buffer.readUint32(at);
    if (length > most) throw new FlatbufferError(`${length} elements where at most ${most} make sense`);
    check(this.#buffer, at + 4, length * elementSize);
    return { start: at + 4, length };
  }

  has(field: number): boolean {
    return this.#field(field, 1) !== undefined;
  }

  int8(field: number, fallback = 0): number {
    const at = this.#field(field, 1);
    return at === undefined ? fallback : this.#buffer.readInt8(at);
  }

  bool(field: number, fallback = false): boolean {
    const at = this.#field(field, 1);
    return at === undefined ? fallback : this.#buffer.readUint8(at) !== 0;
  }

  int32(field: number, fallback = 0): number {
    const at = this.#field(field, 4);
    return at === undefined ? fallback : this.#buffer.readInt32(at);
  }

  uint32(field: number, fallback = 0): number {
    return this.int32(field, fallback) >>> 0;
  }

  uint64(field: number): bigint {
    const at = this.#field(field, 8);
    return at === undefined ? 0n : this.#buffer.readUint64(at);
  }

  float32(field: number, fallback = 0): number {
    const at = this.#field(field, 4);
    return at === undefined ? fallback : this.#buffer.readFloat32(at);
  }

  table(field: number): Table | undefined {
    const at = this.#target(field);
    return at === undefined ? undefined : new Table(this.#buffer, at);
  }

  tables(field: number, most: number): Table[] {
    const { start, length } = this.#vector(field, 4, most);
    return Array.from({ length }, (_, i) => {
      const at = start + 4 * i;
      return new Table(this.#buffer, at + this.#buffer.readUint32(at));
    });
  }

  string(field: number): string {
    return new TextDecoder().decode(this.bytes(field));
  }

  /** A view into the file. */
  bytes(field: number): Uint8Array {
    const { start, length } = this.#vector(field, 1, Infinity);
    return this.#buffer.bytes().subarray(start, start + length);
  }

  int32s(field: number, most: number): number[] {
    const { start, length } = this.#vector(field, 4, most);
    return Array.from({ length }, (_, i) => this.#buffer.readInt32(start + 4 * i));
  }

  float32s(field: number, most: number): number[] {
    const { start, length } = this.#vector(field, 4, most);
    return Array.from({ length }, (_, i) => this.#buffer.readFloat32(start + 4 * i));
  }

  /** 64-bit values as numbers: everything that TFLite keeps in them is small; what is not becomes unsafe and is refused. */
  int64s(field: number, most: number): number[] {
    const { start, length } = this.#vector(field, 8, most);
    return Array.from({ length }, (_, i) => {
      const value = Number(this.#buffer.readInt64(start + 8 * i));
      if (!Number.isSafeInteger(value)) throw new FlatbufferError(`value ${value} out of range`);
      return value;
    });
  }
}

const check = (buffer: ByteBuffer, at: number, size: number): void => {
  if (at < 0 || size < 0 || at + size > buffer.capacity()) {
    throw new FlatbufferError(
      `damaged: byte ${at} + ${size} is outside the file of ${buffer.capacity()} bytes`,
    );
  }
};
