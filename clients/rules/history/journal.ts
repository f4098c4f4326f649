import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';

/** "The Rollback Journal" of https://sqlite.org/fileformat2.html */
const MAGIC = Buffer.from('d9d505f920a163d7', 'hex');
const HEADER = 28;
/** As many records as the file has. */
const COUNTLESS = 0xffffffff;

/**
 * Undoes what a process was in the middle of when it ended: SQLite's own part, which this build of it never does, since it takes
 * its own lock for that of a process that goes on. Nobody else may be at the file.
 */
export function rollBack(path: string): void {
  const journal = readJournal(`${path}-journal`);
  if (journal === undefined) return;
  // Without a header nothing of the transaction has reached the file.
  if (isHeader(journal, 0)) {
    const file = openSync(path, 'r+');
    try {
      putBack(file, journal);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  }
  unlinkSync(`${path}-journal`);
}

function putBack(file: number, journal: Buffer): void {
  const pages = journal.readUInt32BE(16);
  const sector = journal.readUInt32BE(20);
  const size = journal.readUInt32BE(24);
  for (let at = 0; isHeader(journal, at); at = Math.ceil(at / sector) * sector) {
    const count = journal.readUInt32BE(at + 8);
    const nonce = journal.readUInt32BE(at + 12);
    at += sector;
    const left = Math.floor((journal.length - at) / (size + 8));
    for (let record = 0; record < (count === COUNTLESS ? left : count); record += 1, at += size + 8) {
      const page = journal.subarray(at + 4, at + 4 + size);
      // Written in part: what it would undo has not begun.
      if (record >= left || journal.readUInt32BE(at + 4 + size) !== checksum(page, nonce))
        return ftruncateSync(file, pages * size);
      const number = journal.readUInt32BE(at);
      if (number > 0 && number <= pages) writeSync(file, page, 0, size, (number - 1) * size);
    }
  }
  ftruncateSync(file, pages * size);
}

const isHeader = (journal: Buffer, at: number): boolean =>
  journal.length >= at + HEADER && journal.subarray(at, at + MAGIC.length).equals(MAGIC);

function checksum(page: Buffer, nonce: number): number {
  let sum = nonce;
  for (let at = page.length - 200; at > 0; at -= 200) sum = (sum + (page[at] ?? 0)) >>> 0;
  return sum;
}

function readJournal(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ENOENT') throw error;
    return undefined;
  }
}
