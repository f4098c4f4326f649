import { createHash } from 'node:crypto';
import { TA_UUID } from '../../protocol/codes.js';

/** A 64-bit program of one segment: 5,000 bytes in memory at address 0, the TA's own header with its stack within it. */
const program = (stack: number, id: string): Buffer => {
  const elf = Buffer.alloc(256);
  elf.write('\u007fELF', 0, 'latin1');
  elf[4] = 2;
  elf.writeBigUInt64LE(64n, 32);
  elf.writeUInt16LE(56, 54);
  elf.writeUInt16LE(1, 56);
  elf.writeUInt32LE(1, 64);
  elf.writeBigUInt64LE(128n, 72);
  elf.writeBigUInt64LE(5000n, 104);
  const uuid = Buffer.from(id.replaceAll('-', ''), 'hex');
  uuid.subarray(0, 4).swap32();
  uuid.subarray(4, 8).swap16();
  uuid.copy(elf, 200);
  elf.writeUInt32LE(stack, 200 + 16);
  return elf;
};

/** Signed as OP-TEE's own script writes it, but for the signature, which only OP-TEE checks. Without a version it is a plain TA. */
export const signedTa = (version: number | undefined, stack = 65_536, id: string = TA_UUID): Buffer => {
  const elf = program(stack, id);
  const header = Buffer.alloc(20);
  header.writeUInt32LE(0x4f545348, 0);
  header.writeUInt32LE(version === undefined ? 0 : 1, 4);
  header.writeUInt32LE(elf.length, 8);
  header.writeUInt32LE(0x70414930, 12);
  header.writeUInt16LE(32, 16);
  header.writeUInt16LE(256, 18);
  const named = Buffer.alloc(version === undefined ? 0 : 20);
  if (version !== undefined) {
    named.write(id.replaceAll('-', ''), 'hex');
    named.writeUInt32LE(version, 16);
  }
  const hash = createHash('sha256').update(header).update(named).update(elf).digest();
  return Buffer.concat([header, hash, Buffer.alloc(256), named, elf]);
};
