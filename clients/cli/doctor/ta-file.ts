import { createHash } from 'node:crypto';

/* A signed TA as OP-TEE reads it from its file (OP-TEE OS, core/include/signed_hdr.h), and the program in it (ELF, 64 or 32 bits). */

const MAGIC = 0x4f545348; // "HSTO", little-endian
const HEADER = 20;
/** Types of image: a plain TA has no version; one with a header of its own has UUID and version; an encrypted one a third header. */
const Image = { TA: 0, BOOTSTRAP_TA: 1, ENCRYPTED_TA: 2 } as const;
const BOOTSTRAP_HEADER = 20;
const SHA256 = 32;

const PAGE = 4096;
const PT_LOAD = 1;
/** The TA's own header, somewhere in the program: the UUID as the processor keeps it, then the bytes of stack. */
const UUID_BYTES = 16;

export interface TaFile {
  /** As text; undefined in a TA without a version. */
  readonly uuid?: string;
  readonly version?: number;
  /** Bytes of secure memory for code, data, heap and stack; undefined without a version, or where it is encrypted. */
  readonly memory?: number;
}

/** The file is not a whole, undamaged TA. The message says in what. */
export class TaFileError extends Error {}

/** @throws TaFileError. That the signature is one that the device accepts is only seen when OP-TEE opens it. */
export function readTaFile(bytes: Buffer): TaFile {
  if (bytes.length < HEADER || bytes.readUInt32LE(0) !== MAGIC)
    throw new TaFileError('it does not start as a signed TA does');
  const type = bytes.readUInt32LE(4);
  const imageSize = bytes.readUInt32LE(8);
  const hashSize = bytes.readUInt16LE(16);
  const signatureSize = bytes.readUInt16LE(18);
  const afterSignature = HEADER + hashSize + signatureSize;
  const bootstrap = type === Image.TA ? 0 : BOOTSTRAP_HEADER;
  // The third header of an encrypted TA has sizes of its own; what is known is that the rest is longer than the program.
  const expected = afterSignature + bootstrap + imageSize;
  if (bytes.length < expected || (type !== Image.ENCRYPTED_TA && bytes.length !== expected))
    throw new TaFileError(`it has ${bytes.length} bytes of ${expected}`);
  if (hashSize === SHA256) {
    const digest = createHash('sha256')
      .update(bytes.subarray(0, HEADER))
      .update(bytes.subarray(afterSignature))
      .digest();
    if (!digest.equals(bytes.subarray(HEADER, HEADER + hashSize)))
      throw new TaFileError('its digest is not that of its content');
  }
  if (type === Image.TA) return {};
  const id = bytes.subarray(afterSignature, afterSignature + UUID_BYTES);
  return {
    uuid: id.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
    version: bytes.readUInt32LE(afterSignature + UUID_BYTES),
    ...(type === Image.BOOTSTRAP_TA
      ? { memory: memoryOf(bytes.subarray(afterSignature + bootstrap), id) }
      : {}),
  };
}

function memoryOf(elf: Buffer, uuid: Buffer): number {
  if (elf.length < 64 || elf.toString('latin1', 0, 4) !== '\u007fELF')
    throw new TaFileError('there is no program in it');
  const wide = elf[4] === 2;
  const word = (at: number): number => (wide ? Number(elf.readBigUInt64LE(at)) : elf.readUInt32LE(at));
  const table = word(wide ? 32 : 28);
  const entrySize = elf.readUInt16LE(wide ? 54 : 42);
  const entries = elf.readUInt16LE(wide ? 56 : 44);
  if (table + entries * entrySize > elf.length) throw new TaFileError('its program has no segment table');
  const own = Buffer.from(uuid);
  own.subarray(0, 4).swap32();
  own.subarray(4, 8).swap16();
  const header = elf.indexOf(own);
  if (header < 0 || header + UUID_BYTES + 4 > elf.length)
    throw new TaFileError('its program has another UUID, or none');
  let total = roundUp(elf.readUInt32LE(header + UUID_BYTES));
  for (let i = 0; i < entries; i++) {
    const entry = table + i * entrySize;
    if (elf.readUInt32LE(entry) !== PT_LOAD) continue;
    const [address, size] = wide ? [word(entry + 16), word(entry + 40)] : [word(entry + 8), word(entry + 20)];
    total += roundUp((address % PAGE) + size);
  }
  return total;
}

const roundUp = (bytes: number): number => Math.ceil(bytes / PAGE) * PAGE;
