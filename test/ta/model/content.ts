/** What messages say, in names instead of keys, nonces and digests. */
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
  /** Its weight segments. Of the TA under test, those of a model that has several are never resident (ta/test/ta_host_streaming.c). */
  readonly weights: number;
}

export interface MemberEntry {
  readonly party: string;
  readonly role: RoleName;
  readonly notAfter?: number;
}

/** Devices that share the frames of the sensors that offer to the zone. */
export interface ZoneEntry {
  readonly zone: string;
  readonly devices: readonly string[];
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
  readonly zones: readonly ZoneEntry[];
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

/** An offer to all devices of a zone, each by the prekey and boot nonce of its boot. */
export interface ZoneOfferContent extends Seen {
  readonly kind: 'zone-offer';
  readonly signer: string;
  readonly forged: boolean;
  readonly zone: string;
  readonly recipients: readonly { readonly prekey: string; readonly bootNonce: string }[];
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
  /** Which sensor sealed it, and for which device or zone: both are bound into the channel's key. */
  readonly sensor: string;
  readonly audience: string;
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

/** Weight segments for the frame that waits for some. */
export interface ContinueContent {
  readonly kind: 'continue';
  /** Which one the client says comes first. */
  readonly index: number;
  /** Those that follow one another, all of one size. */
  readonly parts: readonly { readonly place: number; readonly intact: boolean }[];
  /** Bytes behind them, or, negative, that the last one lacks. */
  readonly extra: number;
}

export type Content =
  | OwnerContent
  | RosterContent
  | OfferContent
  | ZoneOfferContent
  | RulesHelloContent
  | FrameContent
  | ModelBeginContent
  | SegmentContent
  | { readonly kind: 'receipt'; readonly channel: string }
  | { readonly kind: 'evidence'; readonly nonceLength: number }
  | { readonly kind: 'telemetry'; readonly wellFormed: boolean }
  | { readonly kind: 'model-status' }
  | ContinueContent;

/** A message that was made: `id` stands for its bytes. */
export interface Message<T extends Content = Content> {
  readonly id: number;
  readonly content: T;
}
