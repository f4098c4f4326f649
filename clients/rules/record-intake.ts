import type { EventEmitter } from 'node:events';
import { toHex } from '../../protocol/bytes.js';
import { SmartZoneError } from '../../protocol/errors.js';
import { kidFromHex, kidToHex } from '../../protocol/kid.js';
import type { SealedRecord } from '../../protocol/messages/record.js';
import type { Topics } from '../../protocol/topics.js';
import type { Witness } from '../keys/index.js';
import type { DeviceTrust } from '../trust/index.js';
import type { ActedFrames } from './acted-frames.js';
import type { Epoch } from './epochs.js';
import { LabelOpener, type OpenedLabel } from './label-opener.js';
import type { RulesEvents, RulesOptions, RulesStats } from './rules-options.js';

/** What an intake counts. */
type Counts = { -readonly [K in 'labels' | 'telemetry' | 'doubles' | 'stale' | 'missed']: RulesStats[K] };

const MAX_AGE = 30_000;

/** Of the records of one device that can be opened: which are acted on (each once, and in time), and what is missing. */
export class RecordIntake {
  readonly counts: Counts = { labels: 0, telemetry: 0, doubles: 0, stale: 0, missed: 0 };
  private readonly opener: LabelOpener;
  private readonly maxAge: number;

  /** @param events where it is told */
  constructor(
    private readonly topics: Topics,
    private readonly trust: DeviceTrust,
    private readonly witness: Witness,
    private readonly acted: ActedFrames,
    { models, maxAge = MAX_AGE }: Pick<RulesOptions, 'models' | 'maxAge'>,
    private readonly events: EventEmitter<RulesEvents>,
  ) {
    this.opener = new LabelOpener(trust, models);
    this.maxAge = maxAge;
  }

  /** @throws what `LabelOpener.label` does */
  label(topic: string, record: SealedRecord, epoch: Epoch, now: number): void {
    const parsed = this.topics.parse(topic);
    if (parsed?.kind !== 'label') throw new SmartZoneError('UNTRUSTED_DEVICE', 'label');
    const stream = streamName(epoch, kidToHex(parsed.kid));
    const last = this.witness.labelNumber(stream);
    if (record.number <= last) {
      // The device gives the identical label for a frame that came again.
      this.counts.doubles++;
      return;
    }
    const opened = this.opener.label(record, epoch, parsed.kid);
    const { label, device, sensor } = opened;
    const ageMs = now - label.sensorTime;
    // Neither an old label nor a repeat moves the number: another rules host could have sealed it anew under a high one.
    if (Math.abs(ageMs) > this.maxAge) {
      this.counts.stale++;
      this.events.emit('stale', { device, sensor, ageMs });
      return;
    }
    const byId = `${kidToHex(sensor.kid)}/${toHex(label.frameId)}`;
    const byNumber = `${kidToHex(sensor.kid)}/${toHex(label.frameChannel)}/${label.frameNumber}`;
    if (this.acted.has(byId, byNumber)) {
      this.counts.doubles++;
      return;
    }
    this.acted.add(label.sensorTime, byId, byNumber);
    this.witness.sawLabel(stream, record.number, byId, label.sensorTime);
    this.countMissing(opened, now, last > 0 || epoch.fromStart ? record.number - last - 1 : 0);
    this.counts.labels++;
    this.events.emit('label', {
      device,
      sensor,
      number: label.frameNumber,
      frameId: Uint8Array.from(label.frameId),
      sensorTime: label.sensorTime,
      received: now,
      model: Uint8Array.from(label.model),
      results: label.results,
    });
  }

  /** @throws what `LabelOpener.telemetry` does */
  telemetry(record: SealedRecord, epoch: Epoch): void {
    const stream = streamName(epoch, 'telemetry');
    if (record.number <= this.witness.labelNumber(stream)) {
      this.counts.doubles++;
      return;
    }
    const telemetry = this.opener.telemetry(record, epoch);
    this.witness.sawLabel(stream, record.number);
    this.counts.telemetry++;
    this.events.emit('telemetry', telemetry);
  }

  /** What is too old to be acted on is forgotten, and what no device of a zone labelled in time is told. */
  keepHouse(now: number): void {
    this.acted.forget(now);
    const { device } = this.trust;
    if (device === undefined) return;
    // Told by whichever device's client asks first.
    for (const [id, missed] of this.acted.gaps.due(now)) {
      const kid = kidFromHex(id);
      const sensor = { kid, name: this.trust.member(kid, 'sensor')?.name ?? id };
      this.counts.missed += missed;
      this.events.emit('gap', { device: { kid: device.kid, name: device.name }, sensor, missed });
    }
  }

  /** @param skipped numbers of labels of the device that did not come before this one */
  private countMissing({ label, device, sensor }: OpenedLabel, now: number, skipped: number): void {
    const { frameChannel, frameNumber } = label;
    // Another device of the zone may have labelled what is missing here, or will: frames count there, over all devices.
    const missed =
      label.zone === undefined
        ? skipped
        : this.acted.gaps.labelled(kidToHex(sensor.kid), toHex(frameChannel), frameNumber, now);
    if (missed === 0) return;
    this.counts.missed += missed;
    this.events.emit('gap', { device, sensor, missed });
  }
}

function streamName(epoch: Epoch, what: string): string {
  return `${toHex(epoch.channel)}/${what}`;
}
