import type { SmartZoneError } from '../../protocol/errors.js';
import type { Roster } from '../../protocol/messages/roster.js';
import type { Telemetry } from '../../protocol/messages/telemetry.js';
import type { Randomness } from '../../protocol/randomness.js';
import type { PartyKeys, PartyPublic } from '../keys/index.js';
import type { BrokerLink } from '../link/index.js';
import type { Refusal, TrustedDevice } from '../trust/index.js';
import type { ActedFrames } from './acted-frames.js';
import type { LabelEvent, NamedParty } from './label-event.js';

export interface RulesOptions {
  /** Open connection to the broker; the caller closes it. */
  readonly link: BrokerLink;
  /** Keys with the role rules. */
  readonly keys: PartyKeys;
  /** The owner whose roster counts: the one anchor. */
  readonly owner: PartyPublic;
  /** What the device's topics start with. One client listens to one device; several may share link and keys. */
  readonly prefix: string;
  /** File of what this host has seen, beside its key file; one per device. Without it a restart forgets. */
  readonly seenPath?: string;
  /** Milliseconds that a label's sensor time may be off this host's clock. Default 30 000. */
  readonly maxAge?: number;
  /** Digests of the manifests of the models whose labels count. Default: any that the device runs. */
  readonly models?: readonly Uint8Array[];
  /** Records kept that arrived before the offer that opens them: all that the broker kept while this host was away. Default 4096, of 1 KiB or so. */
  readonly heldRecords?: number;
  /** What was acted on, shared with the clients of other devices of this host: two of a zone may label the same frame. Default: its own. */
  readonly acted?: ActedFrames;
  /** Milliseconds since 1970. */
  readonly clock?: () => number;
  readonly random?: Randomness;
}

export interface TelemetryEvent extends Telemetry {
  readonly name: string;
}

export interface LabelGap {
  readonly device: NamedParty;
  readonly sensor: NamedParty;
  /** Labels that did not arrive before the one that did: lost, withheld or refused. In a zone: frames that no device labelled in time. */
  readonly missed: number;
}

export interface RulesEvents {
  /** A label that passed every check, for the first time. */
  label: [LabelEvent];
  telemetry: [TelemetryEvent];
  /** The device, verified: for the first time, after a start of the TA, or with another model or roster. */
  device: [TrustedDevice];
  /** The owner's newest roster, verified: who takes part. */
  roster: [Roster];
  /** Labels of this epoch can be opened from here on. */
  epoch: [{ readonly device: NamedParty; readonly epoch: number }];
  gap: [LabelGap];
  /** A label older (or newer) than allowed: not acted on. */
  stale: [{ readonly device: NamedParty; readonly sensor: NamedParty; readonly ageMs: number }];
  /** Something that was not believed. */
  refused: [
    {
      readonly what: Refusal['what'] | 'label-offer' | 'label' | 'telemetry';
      readonly error: SmartZoneError;
    },
  ];
}

export interface RulesStats {
  readonly labels: number;
  readonly telemetry: number;
  /** Repeats, by record number or by frame. */
  readonly doubles: number;
  readonly stale: number;
  /** Labels that are missing, by the gaps in the numbers. */
  readonly missed: number;
  readonly refused: number;
  /** Records that wait for the offer that opens them. */
  readonly held: number;
  /** Records that waited and gave way to newer ones. */
  readonly unopened: number;
}
