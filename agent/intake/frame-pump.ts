import { BUFFER } from '../../protocol/codes.js';
import { isSmartZoneError } from '../../protocol/errors.js';
import { kidFromHex } from '../../protocol/kid.js';
import type { Topics } from '../../protocol/topics.js';
import type { BrokerLink } from '../broker/link.js';
import type { Config } from '../config.js';
import type { Gate } from '../flow/gate.js';
import type { LabelOffers } from '../flow/label-offers.js';
import type { Receipts } from '../flow/receipts.js';
import type { SensorOffers } from '../flow/sensor-offers.js';
import type { Log } from '../log.js';
import type { SealedLabel, TeeClient } from '../tee/client.js';
import type { Counters } from '../telemetry.js';
import type { FrameQueue, QueuedFrame } from './frame-queue.js';
import type { LabelWindow } from './label-window.js';

export interface PumpParts {
  readonly config: () => Config;
  readonly log: Log;
  readonly tee: TeeClient;
  readonly link: BrokerLink;
  readonly topics: Topics;
  readonly queue: FrameQueue;
  readonly labels: LabelWindow;
  /** Open while the TA is set up: session, model, offers. */
  readonly ready: Gate;
  readonly sensorOffers: SensorOffers;
  readonly labelOffers: LabelOffers;
  readonly receipts: Receipts;
  readonly counters: Counters;
  /** A model is being loaded. */
  readonly loading: () => boolean;
}

/** A frame during which the TA died so often is taken for the cause. */
const DEATHS_PER_FRAME = 2;
/** A frame of a zone that this device cannot answer, and perhaps another can. */
const NOT_HERE = ['NO_CHANNEL', 'NO_MODEL', 'TEE_DIED', 'TEE_TIMEOUT', 'BUSY'] as const;
const BUSY_RETRIES = 100;
const BUSY_WAIT_MS = 50;

interface FrameUnderWay {
  readonly frame: QueuedFrame;
  /** Consecutive. */
  readonly number: number;
  state: 'waiting' | 'labelled' | 'lost';
  /** It has gone to the TEE, and not in vain; or it is done. */
  readonly whenSent: Promise<void>;
  readonly sent: () => void;
  done: Promise<void>;
}

/** What a frame that was handed over early came to; undefined: the TA has not seen it. */
type Early = { readonly label: SealedLabel } | { readonly error: unknown } | undefined;

/**
 * Frames to the TEE in their order, labels to the broker, and only then the frame's acknowledgement. A frame that the TA refuses
 * is acknowledged and counted by the TA's code: sending it again would not change the answer. While the TA works on one frame the
 * next is handed over; it is worked on only if the one before it got its label, so that none overtakes another.
 */
export class FramePump {
  readonly #parts: PumpParts;
  #stopping = false;
  #running: Promise<void> | undefined;
  #number = 0;
  /** When the TEE answered last. */
  #answered = -Infinity;

  constructor(parts: PumpParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Works off what is queued, for at most `drainMs`; the rest stays with the broker. Close the queue first. */
  async stop(drainMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<void>((resolve) => (timer = setTimeout(resolve, drainMs)));
    const drained = (async () => {
      await this.#running;
      await this.#parts.labels.settled();
    })();
    await Promise.race([drained, timeout]);
    clearTimeout(timer);
    this.#stopping = true;
    this.#parts.ready.end();
  }

  async #run(): Promise<void> {
    const { queue, labels, ready } = this.#parts;
    let before: FrameUnderWay | undefined;
    for (;;) {
      // Wait before taking: a frame that waits in the queue can still give way to a newer one.
      if (!(await ready.pass())) break;
      await labels.room();
      if (this.#stopping) break;
      const frame = await queue.take();
      if (!frame) break;
      const next = this.#begin(frame, before);
      await before?.done;
      before = next;
    }
    await before?.done;
  }

  #begin(frame: QueuedFrame, before: FrameUnderWay | undefined): FrameUnderWay {
    let sent: () => void = () => undefined;
    const whenSent = new Promise<void>((resolve) => (sent = resolve));
    const underWay: FrameUnderWay = {
      frame,
      number: (this.#number += 1),
      state: 'waiting',
      whenSent,
      sent,
      done: Promise.resolve(),
    };
    underWay.done = this.#work(underWay, before).finally(sent);
    return underWay;
  }

  async #work(own: FrameUnderWay, before: FrameUnderWay | undefined): Promise<void> {
    const fits = own.frame.record.length <= BUFFER.in;
    const early = before?.state === 'waiting' && fits ? this.#handOver(own, before) : undefined;
    await before?.done;
    // Then the TEE has not skipped it.
    if (early && before?.state === 'labelled') own.sent();
    await this.#finish(own, await early);
  }

  /** Never rejects. */
  async #handOver({ frame, number }: FrameUnderWay, before: FrameUnderWay): Promise<Early> {
    await before.whenSent;
    try {
      const label = await this.#parts.tee.frameAfter(frame.record, number);
      return label && { label };
    } catch (error) {
      return { error };
    }
  }

  async #finish(own: FrameUnderWay, early: Early): Promise<void> {
    const { frame } = own;
    const { counters, labelOffers, labels, link, log, topics } = this.#parts;
    const taken = Math.max(frame.arrived, this.#answered);
    counters.stage('queue', taken - frame.arrived);
    if (frame.record.length > BUFFER.in) {
      own.state = 'lost';
      return this.#lose(frame, 'TOO_LONG');
    }
    const label = await this.#infer(own, early);
    this.#answered = performance.now();
    own.state = label ? 'labelled' : 'lost';
    if (!label) return;
    const sealed = performance.now();
    counters.stage('tee', sealed - taken);
    try {
      await labelOffers.ensure(label.epoch);
    } catch (error) {
      // The label is valid; rules hosts get their offers when the TA is back.
      log.warn('label offers could not be renewed', { reason: (error as Error).message });
    }
    const { expirySeconds } = this.#parts.config().labels;
    const published = link
      .publish(topics.label(kidFromHex(label.sensor)), Buffer.from(label.record), expirySeconds)
      .then(
        () => {
          counters.add('labels_published');
          counters.stage('publish', performance.now() - sealed);
          frame.acknowledge();
          this.#parts.receipts.labelled(frame.record, this.#receiptTopic(frame, label.sensor));
        },
        (error: Error) => {
          // When the link stops the frame stays with the broker and is worked on after the next start.
          if (!this.#stopping) this.#lose(frame, 'refused_by_broker', error.message);
        },
      );
    labels.add(published);
  }

  /** undefined: the frame was given up (and counted), or the agent is stopping. */
  async #infer({ frame, number, sent }: FrameUnderWay, early: Early): Promise<SealedLabel | undefined> {
    const { ready, sensorOffers, tee } = this.#parts;
    let deaths = 0;
    let busy = 0;
    let replayed = false;
    let first = early;
    for (;;) {
      if (!(await ready.pass())) return undefined;
      const given = first;
      first = undefined;
      try {
        return await (given ? outcomeOf(given) : tee.frame(frame.record, number, sent));
      } catch (error) {
        if (isSmartZoneError(error, 'TEE_UNREACHABLE')) {
          await new Promise((resolve) => setTimeout(resolve, BUSY_WAIT_MS));
          continue;
        }
        if (isSmartZoneError(error, 'TEE_DIED', 'TEE_TIMEOUT')) {
          deaths += 1;
          if (deaths < DEATHS_PER_FRAME) continue;
        } else if (isSmartZoneError(error, 'NO_MODEL') && this.#parts.loading()) {
          // The one before had to go to make room: frames wait for what comes.
          await new Promise((resolve) => setTimeout(resolve, BUSY_WAIT_MS));
          continue;
        } else if (isSmartZoneError(error, 'BUSY') && busy < BUSY_RETRIES) {
          busy += 1;
          await new Promise((resolve) => setTimeout(resolve, BUSY_WAIT_MS));
          continue;
        } else if (isSmartZoneError(error, 'NO_CHANNEL') && !replayed) {
          replayed = true;
          if (await (frame.zone ?? sensorOffers).replay(frame.sensor)) continue;
        }
        // Another device of the zone may have the channel, or a TEE that works.
        if (frame.zone && isSmartZoneError(error, ...NOT_HERE) && frame.zone.handBack(frame))
          return undefined;
        // It comes again, or behind a later one: the sensor does not know yet which numbers this device has taken.
        if (isSmartZoneError(error, 'STALE_NUMBER'))
          this.#parts.receipts.labelled(frame.record, this.#receiptTopic(frame, frame.sensor));
        this.#lose(frame, isSmartZoneError(error) ? error.code : 'internal', (error as Error).message);
        return undefined;
      }
    }
  }

  #receiptTopic({ zone }: QueuedFrame, sensor: string): string {
    return zone?.receiptTopic(sensor) ?? this.#parts.topics.sensorReceipt(kidFromHex(sensor));
  }

  #lose(frame: QueuedFrame, reason: string, detail?: string): void {
    this.#parts.counters.lost(reason);
    this.#parts.log.warn('a frame gets no label', { code: reason, sensor: frame.sensor, reason: detail });
    frame.acknowledge();
  }
}

const outcomeOf = (early: NonNullable<Early>): SealedLabel => {
  if ('label' in early) return early.label;
  throw early.error;
};
