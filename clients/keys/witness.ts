import { existsSync, readFileSync } from 'node:fs';
import { SmartZoneError } from '../../protocol/errors.js';
import { type Kid, kidToHex, signingKid } from '../../protocol/kid.js';
import type { Owners } from '../../protocol/messages/owners.js';
import { writeFileAtomic } from './atomic-file.js';

/** The newest that a party has seen of one device. */
export interface SeenDevice {
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
  devices: Record<string, SeenDevice>;
  labels: Record<string, number>;
  frames: [string, number][];
}

/** Frames that are remembered over a restart: more than a sensor's queue holds, and only those are sealed again. */
const REMEMBERED_FRAMES = 64;

/**
 * What a party has seen, kept beside its key file, so that nobody can show it an older state after a restart: clients are the
 * witnesses against a device whose storage was put back, and against a broker that retains an old roster. Also its own
 * counters, which must rise even when the clock goes back.
 */
export class Witness {
  private constructor(
    private readonly path: string | undefined,
    private readonly file: WitnessFile,
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
      labels: {},
      frames: [],
    };
    if (path === undefined || !existsSync(path)) return new Witness(path, fresh);
    let old: WitnessFile;
    try {
      old = check(JSON.parse(readFileSync(path, 'utf8')));
    } catch (error) {
      const detail = `${path}: ${(error as Error).message}; delete it only if the device's state is known to be right`;
      throw new SmartZoneError('KEY_FILE', detail, { cause: error });
    }
    const successor = fromJson(old.owners)?.keys.some((key) => kidToHex(signingKid(key)) === fresh.owner);
    const same = old.owner === fresh.owner || successor === true;
    return new Witness(path, same ? { ...old, owner: fresh.owner } : { ...fresh, counter: old.counter });
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
    return this.file.devices[kidToHex(kid)] ?? { roster: 0, model: 0 };
  }

  sawRoster(version: number, message: Uint8Array, owners?: Owners): void {
    if (version <= (this.file.roster?.version ?? 0)) return;
    this.file.owners =
      owners === undefined || owners.generation === 0
        ? null
        : {
            generation: owners.generation,
            keys: owners.keys.map((key) => Buffer.from(key).toString('base64url')),
          };
    this.file.roster = { version, message: Buffer.from(message).toString('base64url') };
    this.save(true);
  }

  sawDevice(kid: Kid, seen: SeenDevice): void {
    const before = this.device(kid);
    const after = { roster: Math.max(before.roster, seen.roster), model: Math.max(before.model, seen.model) };
    if (after.roster === before.roster && after.model === before.model) return;
    this.file.devices[kidToHex(kid)] = after;
    this.save(true);
  }

  /** A counter above every one given before, also by earlier processes: the time in milliseconds unless that went back. */
  nextCounter(now: number): number {
    this.file.counter = Math.max(Math.floor(now), this.file.counter + 1);
    this.save(true);
    return this.file.counter;
  }

  /** The highest label number acted on in one epoch for one sensor; 0 = none. */
  labelNumber(stream: string): number {
    return this.file.labels[stream] ?? 0;
  }

  /** The last frames whose labels were acted on, oldest first, each with its sensor time. */
  get frames(): readonly (readonly [frame: string, time: number])[] {
    return this.file.frames;
  }

  /**
   * Written before the label is acted on, so that a restart cannot act on it twice. Not forced to the disk: after a crash of
   * the whole machine the age limit on labels holds instead.
   */
  sawLabel(stream: string, number: number, frame?: string, time = 0): void {
    this.file.labels[stream] = number;
    if (frame !== undefined) {
      this.file.frames.push([frame, time]);
      if (this.file.frames.length > REMEMBERED_FRAMES) this.file.frames.shift();
    }
    this.save(false);
  }

  /** Forgets the label numbers of epochs whose secrets are gone: nothing can be opened with them any more. */
  keepLabelStreams(keep: (stream: string) => boolean): void {
    const kept = Object.entries(this.file.labels).filter(([stream]) => keep(stream));
    if (kept.length === Object.keys(this.file.labels).length) return;
    this.file.labels = Object.fromEntries(kept);
    this.save(false);
  }

  private save(durable: boolean): void {
    if (this.path !== undefined) writeFileAtomic(this.path, `${JSON.stringify(this.file)}\n`, durable);
  }
}

function fromJson(owners: WitnessFile['owners']): Owners | undefined {
  if (owners === null || owners === undefined) return undefined;
  const keys = owners.keys.map((key) => new Uint8Array(Buffer.from(key, 'base64url')));
  return { generation: owners.generation, keys };
}

function check(value: unknown): WitnessFile {
  const file = value as Partial<WitnessFile> | null;
  const count = (x: unknown): boolean => Number.isSafeInteger(x) && (x as number) >= 0;
  const record = (x: unknown): x is Record<string, unknown> => typeof x === 'object' && x !== null;
  if (
    file?.['smart-zone-seen'] !== 1 ||
    typeof file.owner !== 'string' ||
    !count(file.counter) ||
    !record(file.devices) ||
    !record(file.labels) ||
    !Object.values(file.labels).every(count) ||
    !Array.isArray(file.frames) ||
    !file.frames.every((item) => Array.isArray(item) && typeof item[0] === 'string' && count(item[1])) ||
    !Object.values(file.devices).every((seen) => record(seen) && count(seen.roster) && count(seen.model)) ||
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
