import { existsSync, readFileSync, rmSync } from 'node:fs';
import { SmartZoneError } from '../../protocol/errors.js';
import { type Kid, kidToHex, signingKid } from '../../protocol/kid.js';
import type { Owners } from '../../protocol/messages/owners.js';
import { isOlderRoster, rosterOrder } from '../../protocol/messages/roster.js';
import { writeFileAtomic } from './atomic-file.js';
import { LabelJournal, type SeenFrame } from './label-journal.js';

/** The newest that a party has seen of one device. */
export interface SeenDevice {
  /** Of the owner keys of that roster; 0: not known. */
  readonly generation: number;
  readonly roster: number;
  readonly model: number;
}

interface WitnessFile {
  'smart-zone-seen': 1;
  /** Kid of the owner whose roster this is; another owner's knowledge does not count. */
  owner: string;
  /** The owner keys that the roster led to; absent in files of before there were successions. */
  owners?: { generation: number; keys: string[] } | null;
  counter: number;
  roster: { version: number; message: string } | null;
  devices: Record<string, Omit<SeenDevice, 'generation'> & Partial<SeenDevice>>;
  /** What is in the journal now: read from files of earlier releases, not written. */
  labels?: Record<string, number>;
  frames?: [string, number][];
}

/**
 * What a party has seen, kept beside its key file, so that nobody can show it an older state after a restart: clients are the
 * witnesses against a device whose storage was put back, and against a broker that retains an old roster. Also its own
 * counters, which must rise even when the clock goes back. The labels that were acted on have a file of their own beside it: they
 * come too often for a file that is replaced as a whole, which can wait for the disk for seconds.
 */
export class Witness {
  private constructor(
    private readonly path: string | undefined,
    private readonly file: WitnessFile,
    private readonly journal: LabelJournal,
    private stored: boolean,
  ) {}

  /**
   * @param path undefined keeps everything in memory: then a restart forgets.
   * @throws KEY_FILE when the file is damaged: going on without it would give up the protection silently.
   */
  static open(path: string | undefined, owner: Kid): Witness {
    const fresh: WitnessFile = {
      'smart-zone-seen': 1,
      owner: kidToHex(owner),
      owners: null,
      counter: 0,
      roster: null,
      devices: {},
    };
    const labels = (): LabelJournal => LabelJournal.open(path === undefined ? undefined : journalPath(path));
    if (path === undefined) return new Witness(path, fresh, labels(), true);
    if (!existsSync(path)) {
      // Who deletes the file, as its error says, means all of it.
      rmSync(journalPath(path), { force: true });
      return new Witness(path, fresh, labels(), false);
    }
    let old: WitnessFile;
    try {
      old = check(JSON.parse(readFileSync(path, 'utf8')));
    } catch (error) {
      const detail = `${path}: ${(error as Error).message}; delete it only if the device's state is known to be right`;
      throw new SmartZoneError('KEY_FILE', detail, { cause: error });
    }
    const successor = fromJson(old.owners)?.keys.some((key) => kidToHex(signingKid(key)) === fresh.owner);
    if (old.owner !== fresh.owner && successor !== true) {
      rmSync(journalPath(path), { force: true });
      return new Witness(path, { ...fresh, counter: old.counter }, labels(), false);
    }
    const { labels: numbers = {}, frames = [], ...file } = old;
    const journal = labels();
    for (const [stream, number] of Object.entries(numbers))
      if (number > journal.number(stream)) journal.note(stream, number);
    if (journal.frames.length === 0) for (const frame of frames) journal.note('', 0, frame);
    return new Witness(path, { ...file, owner: fresh.owner }, journal, true);
  }

  /** Whom the newest roster said to speak for the owner; undefined while that is the pinned key alone. */
  get owners(): Owners | undefined {
    return fromJson(this.file.owners);
  }

  /** The newest roster, as it was received; it was verified before it came here. */
  get roster(): { readonly version: number; readonly message: Uint8Array } | undefined {
    const { roster } = this.file;
    if (roster === null) return undefined;
    return { version: roster.version, message: new Uint8Array(Buffer.from(roster.message, 'base64url')) };
  }

  device(kid: Kid): SeenDevice {
    return { generation: 0, roster: 0, model: 0, ...this.file.devices[kidToHex(kid)] };
  }

  /** Of two rosters the newer one stays: see `RosterOrder`. */
  sawRoster(version: number, message: Uint8Array, owners?: Owners): void {
    const known = rosterOrder(this.file.roster?.version ?? 0, this.owners);
    if (!isOlderRoster(known, rosterOrder(version, owners))) return;
    this.file.owners =
      owners === undefined || owners.generation === 0
        ? null
        : {
            generation: owners.generation,
            keys: owners.keys.map((key) => Buffer.from(key).toString('base64url')),
          };
    this.file.roster = { version, message: Buffer.from(message).toString('base64url') };
    this.save();
  }

  sawDevice(kid: Kid, seen: SeenDevice): void {
    const before = this.device(kid);
    const newer = isOlderRoster(
      { generation: before.generation, version: before.roster },
      { generation: seen.generation, version: seen.roster },
    );
    const { roster } = newer ? seen : before;
    const generation = Math.max(before.generation, seen.generation);
    const model = Math.max(before.model, seen.model);
    if (generation === before.generation && roster === before.roster && model === before.model) return;
    const after: SeenDevice = { generation, roster, model };
    this.file.devices[kidToHex(kid)] = after;
    this.save();
  }

  /** A counter above every one given before, also by earlier processes: the time in milliseconds unless that went back. */
  nextCounter(now: number): number {
    this.file.counter = Math.max(Math.floor(now), this.file.counter + 1);
    this.save();
    return this.file.counter;
  }

  /** The highest label number acted on in one epoch for one sensor; 0 = none. */
  labelNumber(stream: string): number {
    return this.journal.number(stream);
  }

  /** The last frames whose labels were acted on, oldest first, each with its sensor time. */
  get frames(): readonly SeenFrame[] {
    return this.journal.frames;
  }

  /** Written before the label is acted on, so that a restart cannot act on it twice. */
  sawLabel(stream: string, number: number, frame?: string, time = 0): void {
    // The labels belong to that file: without it they would be forgotten.
    if (!this.stored) this.save();
    this.journal.add(stream, number, frame === undefined ? undefined : [frame, time]);
  }

  /** Forgets the label numbers of epochs whose secrets are gone: nothing can be opened with them any more. */
  keepLabelStreams(keep: (stream: string) => boolean): void {
    this.journal.keep(keep);
  }

  /** Lets the files go. What was seen is in them already. */
  close(): void {
    this.journal.close();
  }

  private save(): void {
    if (this.path !== undefined) writeFileAtomic(this.path, `${JSON.stringify(this.file)}\n`);
    this.stored = true;
  }
}

function fromJson(owners: WitnessFile['owners']): Owners | undefined {
  if (owners === null || owners === undefined) return undefined;
  const keys = owners.keys.map((key) => new Uint8Array(Buffer.from(key, 'base64url')));
  return { generation: owners.generation, keys };
}

const journalPath = (path: string): string => `${path.replace(/\.json$/, '')}.labels`;

function check(value: unknown): WitnessFile {
  const file = value as Partial<WitnessFile> | null;
  const count = (x: unknown): boolean => Number.isSafeInteger(x) && (x as number) >= 0;
  const record = (x: unknown): x is Record<string, unknown> => typeof x === 'object' && x !== null;
  if (
    file?.['smart-zone-seen'] !== 1 ||
    typeof file.owner !== 'string' ||
    !count(file.counter) ||
    !record(file.devices) ||
    (file.labels !== undefined && !(record(file.labels) && Object.values(file.labels).every(count))) ||
    (file.frames !== undefined &&
      !(
        Array.isArray(file.frames) &&
        file.frames.every((item) => Array.isArray(item) && typeof item[0] === 'string' && count(item[1]))
      )) ||
    !Object.values(file.devices).every(
      (seen) =>
        record(seen) &&
        count(seen.roster) &&
        count(seen.model) &&
        (seen.generation === undefined || count(seen.generation)),
    ) ||
    !(
      file.owners === null ||
      file.owners === undefined ||
      (record(file.owners) &&
        count(file.owners.generation) &&
        Array.isArray(file.owners.keys) &&
        file.owners.keys.every(
          (key) => typeof key === 'string' && Buffer.from(key, 'base64url').length === 32,
        ))
    ) ||
    (file.roster !== null &&
      !(record(file.roster) && count(file.roster.version) && typeof file.roster.message === 'string'))
  )
    throw new Error('damaged');
  return file as WitnessFile;
}
