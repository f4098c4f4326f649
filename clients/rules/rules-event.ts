import type { Kid } from '../../protocol/kid.js';
import type { SecurityLevel } from '../../protocol/messages/hello.js';
import type { Detection } from '../../protocol/messages/results.js';
import type { SmartZoneError } from '../../protocol/errors.js';
import type { LabelEvent, NamedParty } from './label-event.js';
import type { TelemetryEvent } from './rules-options.js';

export type Box = Detection['box'];

/** One class of a label: with a box where the model finds places, without one where it judges the whole frame. */
export interface DetectionEvent {
  readonly type: 'detection';
  readonly device: NamedParty;
  readonly sensor: NamedParty;
  /** As the model's publisher named it: text of a stranger. Empty where the model has no name for it. */
  readonly class: string;
  readonly index: number;
  readonly score: number;
  readonly box?: Box;
  /** The label's, milliseconds since 1970 by the sensor's clock. */
  readonly time: number;
  readonly label: LabelEvent;
}

/**
 * Successive detections of one class at one sensor: `new` with the first, `update` with a better score or another number of
 * them in the picture, `end` when none came for the quiet time.
 */
export interface SeenEvent {
  readonly type: 'event';
  readonly phase: 'new' | 'update' | 'end';
  /** The same in all phases; never used again, also not by another process. */
  readonly id: string;
  readonly device: NamedParty;
  readonly sensor: NamedParty;
  readonly class: string;
  /** Best score so far, 0..1, and the box it came with. */
  readonly score: number;
  readonly box?: Box;
  /** How many of the class the last label had. */
  readonly count: number;
  /** Labels in which it was seen. */
  readonly labels: number;
  /** Sensor times of the first and the last label with it, milliseconds since 1970. */
  readonly start: number;
  readonly last: number;
}

/**
 * A device as this host sees it. Level, boot and roster are verified; `state` is the agent's own word, unsigned, so the broker
 * could have made it up: good for a lamp on a page, not for a decision.
 */
export interface DeviceEvent {
  readonly type: 'device';
  readonly prefix: string;
  readonly state: 'init' | 'online' | 'degraded' | 'offline' | 'unknown';
  /** What is below is there as soon as the device was verified. */
  readonly device?: NamedParty;
  readonly securityLevel?: SecurityLevel;
  readonly taVersion?: string;
  /** It has not taken the newest roster. */
  readonly behind?: boolean;
  /** The model's sequence number; 0 where there is none. */
  readonly model?: number;
  /** The boot's nonce: another one means that the TA was started again. */
  readonly boot?: string;
}

/** The device runs another model than before; the first one it is seen with has no `from`. */
export interface ModelEvent {
  readonly type: 'model';
  readonly device: NamedParty;
  readonly from?: number;
  /** Sequence number of the package; 0: none. */
  readonly to: number;
}

export interface GapEvent {
  readonly type: 'gap';
  readonly device: NamedParty;
  readonly sensor: NamedParty;
  /** Labels that did not arrive before the one that did: lost, withheld or refused. */
  readonly missed: number;
}

/** Everything that `connectRules` tells, by `type`. */
export type RulesEvent =
  | { readonly type: 'label'; readonly label: LabelEvent }
  | DetectionEvent
  | SeenEvent
  | DeviceEvent
  | ModelEvent
  | GapEvent
  | {
      readonly type: 'stale';
      readonly device: NamedParty;
      readonly sensor: NamedParty;
      readonly ageMs: number;
    }
  | { readonly type: 'telemetry'; readonly telemetry: TelemetryEvent }
  /** Something was not believed. */
  | {
      readonly type: 'refused';
      readonly prefix: string;
      readonly what: string;
      readonly error: SmartZoneError;
    }
  /** The broker; the library connects again by itself. */
  | { readonly type: 'connection'; readonly connected: boolean };

export type RulesEventType = RulesEvent['type'];
export type RulesEventOf<T extends RulesEventType> = Extract<RulesEvent, { readonly type: T }>;

/** The detections of a label, in its order; none for tensors and reconstruction errors. */
export function detectionsOf(label: LabelEvent): DetectionEvent[] {
  const { results, device, sensor, sensorTime: time } = label;
  // Written out: what an object that is spread costs shows at some hundred labels a second.
  switch (results.kind) {
    case 'classes':
      return results.classes.map(({ name, index, score }) => ({
        type: 'detection',
        device,
        sensor,
        class: name,
        index,
        score,
        time,
        label,
      }));
    case 'detections':
      return results.detections.map(({ name, index, score, box }) => ({
        type: 'detection',
        device,
        sensor,
        class: name,
        index,
        score,
        box,
        time,
        label,
      }));
    case 'reconstruction':
    case 'tensor':
      return [];
  }
}

/** A key for maps: no two pairs of party and text share one, whatever is in the text. */
export function partyKey(...parts: readonly (Kid | string)[]): string {
  return JSON.stringify(
    parts.map((part) => (typeof part === 'string' ? part : Buffer.from(part).toString('hex'))),
  );
}
