/**
 * The device as its specification sees it (protocol.md, smart-zone.cddl, ARCHITECTURE.md): what is stored, and what one boot keeps in
 * memory. Keys, nonces and digests are names here; that they are drawn anew where they must be is the driver's to check on the real
 * thing.
 */
import type {
  Committed,
  FrameContent,
  Message,
  OwnerContent,
  Owners,
  RosterContent,
  Verdict,
} from './content.js';

export type * from './content.js';

/** What survives a restart, replaced as a whole. */
export interface Stored {
  readonly identity: string;
  /** Without keys: unclaimed. */
  readonly owners: Owners;
  /** The statement that took effect last. */
  readonly statement?: number | undefined;
  /** The device's keys that a roster may put in place of the present ones, and those before them. */
  readonly next?: string | undefined;
  readonly former?: string | undefined;
  readonly ownerCounter: number;
  /** The latest time that an owner signed. */
  readonly ownerTime: number;
  readonly roster?: Message<RosterContent> | undefined;
  readonly rosterFloor: number;
  readonly model?: Committed | undefined;
  readonly previous?: Committed | undefined;
  readonly modelFloor: number;
  /** Starts of the model on trial, 0 where it is confirmed; labels of them that are stored. */
  readonly trialStarts: number;
  readonly trialLabels: number;
}

export interface SentLabel {
  readonly frame: number;
  readonly number: number;
}

/** Rosters are ordered by the generation of the owners first, by version second. */
export type Order = readonly [generation: number, version: number];

export interface Channel {
  readonly id: string;
  readonly sensor: string;
  /** The device or the zone that it was offered to. */
  readonly audience: string;
  readonly zone: boolean;
  /** That the sensor knew. */
  readonly roster: Order;
  readonly shape: string;
  readonly counter: number;
  last: number;
  /** The numbers taken, of the last 128: what a receipt names. */
  taken: number[];
  /** The last eight, oldest first. */
  labels: SentLabel[];
}

export interface Job {
  readonly session: number;
  readonly install: boolean;
  readonly model: Committed;
  readonly rightKey: boolean;
  /** How many were taken. */
  next: number;
}

/** A frame that waits for weight segments. */
export interface Answer {
  readonly session: number;
  readonly channel: string;
  readonly frame: Message<FrameContent>;
  /** The segment that comes next, from 1. */
  next: number;
}

/** A zone of the roster in force that lists this device. */
export interface ZoneInForce {
  /** The roster by which a device last left it. */
  readonly since: Order;
  readonly devices: readonly string[];
}

export interface Counters {
  frames: number;
  labels: number;
  offers: number;
  refused: number;
  repeats: number;
}

/** One boot, from a start of the TA (or the claim or reset that begins everything anew). */
export interface Memory {
  /** Names boot nonce, claim nonce and prekey. */
  boot: string;
  rosterSince: number;
  offeredTime: number;
  channels: Channel[];
  zones: Map<string, ZoneInForce>;
  answer?: Answer | undefined;
  seen: Map<string, { readonly counter: number; readonly message: number }>;
  epoch: number;
  epochSince: number;
  running?: Committed | undefined;
  job?: Job;
  /** Labels of the running model's present attempt, and how many of them are stored. */
  labels: number;
  settled: number;
  /** The model whose start of this boot is counted. */
  counted?: number | undefined;
  refusedModel?: { readonly sequence: number; readonly code: Verdict };
  counters: Counters;
}

export interface Device {
  stored: Stored;
  memory: Memory;
  session: number;
  /** The TEE's clock, seconds. */
  clock: number;
  storageAvailable: boolean;
}

/** What the driver compares beside the code. Names are those of the content. */
export type Reply =
  | { readonly kind: 'none' }
  | { readonly kind: 'owner-reply'; readonly statement: OwnerContent; readonly status: Verdict }
  | { readonly kind: 'label'; readonly frame: Message<FrameContent>; readonly again: boolean }
  | { readonly kind: 'wanted'; readonly segments: readonly number[] }
  | { readonly kind: 'label-offer' }
  | {
      readonly kind: 'receipt';
      readonly channel: string;
      readonly last: number;
      readonly taken: readonly number[];
    }
  | { readonly kind: 'evidence' }
  | { readonly kind: 'telemetry' }
  | { readonly kind: 'model-status' }
  | { readonly kind: 'segment'; readonly next: number | 'all'; readonly active: boolean };

export interface Outcome {
  readonly code: Verdict;
  readonly reply: Reply;
}

export const refused = (code: Verdict): Outcome => ({ code, reply: { kind: 'none' } });
export const accepted = (reply: Reply = { kind: 'none' }): Outcome => ({ code: 'OK', reply });

/** The first condition that holds decides. */
export const firstOf = (
  ...rules: readonly (readonly [code: Verdict, holds: boolean | (() => boolean)])[]
): Verdict => rules.find(([, holds]) => (typeof holds === 'boolean' ? holds : holds()))?.[0] ?? 'OK';

/** One object, before or after: without storage nothing changes. */
export const store = (device: Device, change: Partial<Stored>): boolean => {
  if (!device.storageAvailable) return false;
  device.stored = { ...device.stored, ...change };
  return true;
};
