import {
  closeSync,
  existsSync,
  fsync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { SmartZoneError } from '../../protocol/errors.js';

/** A frame whose label was acted on, and the sensor's time of it. */
export type SeenFrame = readonly [frame: string, time: number];

/** Frames that are remembered over a restart: more than a sensor's queue holds, and only those are sealed again. */
const REMEMBERED_FRAMES = 64;
const HEADER = JSON.stringify({ 'smart-zone-labels': 1 });
/** Lines after which the file is written anew: some hundred KiB. */
const LONGEST = 4096;
/** Milliseconds that lines wait to be forced to the disk together. */
const GROUP = 1000;

/**
 * Which labels were acted on: a file to which one line is appended for each, before it is acted on. What is written survives
 * the end of this process, however it ends, so a restart acts on no label twice. Lines are forced to the disk in groups, in
 * the background: a crash of the whole machine can forget those of the last seconds, and then the age limit on labels holds.
 * Now and then a short file takes the place of the long one. A label never waits for the disk.
 */
export class LabelJournal {
  #file: number | undefined;
  #lines = 0;
  /** Lines since the replacement was begun, which it has to have as well. */
  #since: string[] | undefined;
  #timer: NodeJS.Timeout | undefined;
  #syncing = false;

  private constructor(
    private readonly path: string | undefined,
    private readonly numbers: Map<string, number>,
    private readonly remembered: SeenFrame[],
  ) {}

  /**
   * @param path undefined keeps everything in memory
   * @throws KEY_FILE for a file that is something else
   */
  static open(path: string | undefined): LabelJournal {
    const journal = new LabelJournal(path, new Map(), []);
    if (path !== undefined && existsSync(path)) journal.#read(path);
    return journal;
  }

  /** The highest number of a stream; 0 = none. */
  number(stream: string): number {
    return this.numbers.get(stream) ?? 0;
  }

  /** The last frames, oldest first. */
  get frames(): readonly SeenFrame[] {
    return this.remembered;
  }

  /** Returns when the operating system has it. */
  add(stream: string, number: number, frame?: SeenFrame): void {
    if (this.path !== undefined) this.#append(this.path, lineOf(stream, number, frame));
    this.note(stream, number, frame);
  }

  /** Remembers without writing. @param number 0 forgets the stream; '' is none */
  note(stream: string, number: number, frame?: SeenFrame): void {
    if (number > 0) this.numbers.set(stream, number);
    else this.numbers.delete(stream);
    if (frame === undefined) return;
    this.remembered.push(frame);
    if (this.remembered.length > REMEMBERED_FRAMES) this.remembered.shift();
  }

  /** Forgets the other streams. */
  keep(wanted: (stream: string) => boolean): void {
    for (const stream of [...this.numbers.keys()]) if (!wanted(stream)) this.add(stream, 0);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#since = undefined;
    if (this.#file !== undefined && !this.#syncing) closeSync(this.#file);
    this.#file = undefined;
  }

  #append(path: string, line: string): void {
    this.#file ??= this.#begin(path);
    if (this.#lines >= LONGEST) this.#replace(path);
    write(this.#file, line);
    this.#since?.push(line);
    this.#lines += 1;
    this.#timer ??= setTimeout(() => this.#sync(), GROUP).unref();
  }

  #read(path: string): void {
    const [first = '', ...lines] = readFileSync(path, 'utf8').split('\n');
    // A power cut while the file was new leaves nothing or zeros.
    if (/^\0*$/.test(first)) return;
    if (first !== HEADER)
      throw new SmartZoneError(
        'KEY_FILE',
        `${path}: damaged; delete it only if the device's state is known to be right`,
      );
    for (const line of lines) {
      const entry = parse(line);
      // Half a line is what a power cut leaves of a group: see above.
      if (!Array.isArray(entry) || typeof entry[0] !== 'string' || !isCount(entry[1])) continue;
      const [stream, number, frame, time] = entry as [string, number, unknown, unknown];
      this.note(stream, number, typeof frame === 'string' && isCount(time) ? [frame, time] : undefined);
    }
  }

  /** All that is remembered, as lines. */
  #content(): string {
    return [
      `${HEADER}\n`,
      ...[...this.numbers].map(([stream, number]) => lineOf(stream, number)),
      ...this.remembered.map((frame) => lineOf('', 0, frame)),
    ].join('');
  }

  /** A new file with all that is remembered, and its name until it takes the place of the one before. */
  #write(path: string): [file: number, temporary: string] {
    const temporary = `${path}.new`;
    const file = openSync(temporary, 'w', 0o600);
    write(file, this.#content());
    return [file, temporary];
  }

  #begin(path: string): number {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const [file, temporary] = this.#write(path);
    renameSync(temporary, path);
    this.#lines = 0;
    return file;
  }

  /** The new file takes its place when it is on the disk. Lines that come until then go to both. */
  #replace(path: string): void {
    if (this.#since !== undefined) return;
    const lines: string[] = (this.#since = []);
    const [file, temporary] = this.#write(path);
    fsync(file, (error) => {
      const old = this.#file;
      if (this.#since !== lines || old === undefined) {
        closeSync(file);
        return;
      }
      this.#since = undefined;
      this.#lines = lines.length;
      if (error !== null) {
        // The old one goes on, and so does the next attempt.
        closeSync(file);
        return;
      }
      write(file, lines.join(''));
      renameSync(temporary, path);
      this.#file = file;
      if (!this.#syncing) closeSync(old);
    });
  }

  #sync(): void {
    this.#timer = undefined;
    const file = this.#file;
    if (file === undefined || this.#syncing) return;
    this.#syncing = true;
    // What could not be forced to the disk is still with the operating system.
    fsync(file, () => {
      this.#syncing = false;
      if (this.#file !== file) closeSync(file);
    });
  }
}

function lineOf(stream: string, number: number, frame?: SeenFrame): string {
  return `${JSON.stringify(frame === undefined ? [stream, number] : [stream, number, ...frame])}\n`;
}

function write(file: number, text: string): void {
  const bytes = Buffer.from(text, 'utf8');
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
