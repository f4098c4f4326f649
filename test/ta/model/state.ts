/**
 * The device as its specification sees it (protocol.md, smart-zone.cddl, ARCHITECTURE.md): what is stored, what one boot keeps in
 * memory, and what a message says. Keys, nonces and digests are names here; that they are drawn anew where they must be is the
 * driver's to check on the real thing.
 */
import type { CodeName } from '../../../protocol/codes.js';

export type Verdict = CodeName | 'OK';
export type RoleName = 'sensor' | 'rules' | 'publisher';

/** A model as its manifest names it. */
export interface Committed {
  readonly sequence: number;
  /** Of its manifest. */
  readonly digest: string;
  /** Which container: several packages can name one. */
  readonly container: string;
  /** The shape of its frames. */
  readonly input: string;
}

export interface MemberEntry {
  readonly party: string;
  readonly role: RoleName;
  readonly notAfter?: number;
}

export interface RosterContent {
  readonly kind: 'roster';
  readonly signer: string;
  readonly forged: boolean;
  readonly version: number;
  readonly issued: number;
  readonly members: readonly MemberEntry[];
  /** Device identities that it lists. */
  readonly devices: readonly string[];
  readonly lease?: number;
  readonly succession?: readonly OwnersLink[];
}

/** The owner keys, any one of which speaks for the owner. */
export interface Owners {
  readonly generation: number;
  readonly keys: readonly string[];
}

/** How one set of owner keys gives way to the next. */
export interface OwnersLink extends Owners {
  readonly signer: string;
  readonly forged: boolean;
}

export interface OwnerContent {
  readonly kind: 'owner';
  readonly signer: string;
  readonly forged: boolean;
  readonly device: string;
  readonly counter: number;
  readonly nonce: string;
  readonly time: number;
  readonly action:
    | { readonly type: 'claim'; readonly owners: readonly string[]; readonly generation: number }
    | { readonly type: 'reset' }
    | { readonly type: 'rollback' }
    | { readonly type: 'rotate' }
    | { readonly type: 'rebase'; readonly floor: number };
}

/** The newest that the sender of a message has seen. */
export interface Seen {
  readonly rosterVersion: number;
  /** Of that roster; absent: not known. */
  readonly ownerGeneration?: number;
  readonly modelSequence: number;
}

export interface OfferContent extends Seen {
  readonly kind: 'offer';
  readonly signer: string;
  readonly forged: boolean;
  /** The boot whose prekey it is sealed to, and the boot nonce and device that it is bound to. */
  readonly prekey: string;
  readonly bootNonce: string;
  readonly device: string;
  readonly channel: string;
  readonly shape: string;
  readonly counter: number;
  readonly time: number;
}

export interface RulesHelloContent extends Seen {
  readonly kind: 'rules-hello';
  readonly signer: string;
  readonly forged: boolean;
  readonly device: string;
  readonly lowOrder: boolean;
  readonly time: number;
}

export interface FrameContent {
  readonly kind: 'frame';
  readonly channel: string;
  readonly number: number;
  /** Which sensor sealed it, and for which device: both are bound into the channel's key. */
  readonly sensor: string;
  readonly device: string;
  /** Unaltered. */
  readonly authentic: boolean;
  /** Its plaintext is a frame of the channel's shape. */
  readonly wellFormed: boolean;
}

export interface ModelBeginContent {
  readonly kind: 'model-begin';
  readonly signer: string;
  readonly forged: boolean;
  readonly model: Committed;
  /** Absent: the committed model is to be loaded again. */
  readonly offer?: Seen & {
    readonly signer: string;
    readonly forged: boolean;
    readonly digest: string;
    /** Whose static key it is sealed to, and which device it is bound to. */
    readonly sealedTo: string;
    readonly device: string;
    readonly rightKey: boolean;
  };
  /** The release that it needs is not newer than the TA. */
  readonly versionFits: boolean;
  readonly segments: number;
}

export interface SegmentContent {
  readonly kind: 'segment';
  /** Where the client says that it stands. */
  readonly index: number;
  /** What it is, and that it is unaltered. */
  readonly container: string;
  readonly place: number;
  readonly intact: boolean;
}

export type Content =
  | OwnerContent
  | RosterContent
  | OfferContent
  | RulesHelloContent
  | FrameContent
  | ModelBeginContent
  | SegmentContent
  | { readonly kind: 'receipt'; readonly channel: string }
  | { readonly kind: 'evidence'; readonly nonceLength: number }
  | { readonly kind: 'telemetry'; readonly wellFormed: boolean }
  | { readonly kind: 'model-status' }
  | { readonly kind: 'continue' };

/** A message that was made: `id` stands for its bytes. */
export interface Message<T extends Content = Content> {
  readonly id: number;
  readonly content: T;
}

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

export interface Channel {
  readonly id: string;
  readonly sensor: string;
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
  readonly segments: number;
  next: number;
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
