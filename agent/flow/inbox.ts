import { kidToHex } from '../../protocol/kid.js';
import type { ParsedTopic, Topics } from '../../protocol/topics.js';
import type { Incoming } from '../broker/incoming.js';
import { takeFrame } from '../intake/take-frame.js';
import type { FrameQueue } from '../intake/frame-queue.js';
import type { Models } from '../models/models.js';
import type { Counters } from '../telemetry.js';
import type { ZoneIntake } from '../zones/zone-intake.js';
import type { EvidenceDesk } from './evidence-desk.js';
import type { LabelOffers } from './label-offers.js';
import type { Membership } from './membership.js';
import type { SensorOffers } from './sensor-offers.js';

export interface InboxParts {
  readonly topics: Topics;
  readonly counters: Counters;
  readonly queue: FrameQueue;
  readonly membership: Membership;
  readonly models: Models;
  readonly zones: ZoneIntake;
  readonly evidence: EvidenceDesk;
  readonly sensorOffers: SensorOffers;
  readonly labelOffers: LabelOffers;
  /** Runs a task after those before it. */
  readonly controlled: (task: () => Promise<void>) => Promise<void>;
}

/** What the broker delivers goes to whoever deals with it: frames to the queue, everything else one after the other. */
export class Inbox {
  constructor(private readonly parts: InboxParts) {}

  /** In this order the broker sends what is retained: who is who, before what they send. */
  static subscriptions(topics: Topics): string[] {
    return [
      topics.roster,
      topics.owner,
      topics.evidenceRequest,
      topics.modelOffer,
      topics.rulesHello('+'),
      topics.sensorOffer('+'),
      topics.sensorFrame('+'),
    ];
  }

  /** @param stopping nothing but frames and segments is dealt with any more */
  receive(message: Incoming, stopping: boolean): void {
    const { topics, models, sensorOffers, controlled } = this.parts;
    const { topic, payload } = message;
    const parsed = topics.parse(topic);
    if (parsed?.kind === 'sensorFrame') return takeFrame(this.parts, kidToHex(parsed.kid), message);
    if (!parsed) {
      // A package's topics. Acknowledged when it is on the disk, so that segments do not pile up in memory.
      void controlled(() => models.receive(topic, payload).finally(() => message.acknowledge()));
      return;
    }
    // Acknowledged at once: what is retained comes again, an owner's tool asks again.
    message.acknowledge();
    if (stopping) return;
    const handled = controlled(() => this.#handle(parsed, payload));
    if (parsed.kind === 'sensorOffer') sensorOffers.expect(kidToHex(parsed.kid), handled);
  }

  async #handle(parsed: ParsedTopic, payload: Buffer): Promise<void> {
    const { membership, models, zones, evidence, sensorOffers, labelOffers } = this.parts;
    if (parsed.kind === 'roster') {
      await membership.receiveRoster(payload);
      await models.rosterChanged();
      await zones.refresh();
    } else if (parsed.kind === 'owner') {
      // A statement may have taken the model away, or back.
      await membership.receiveStatement(payload);
      await zones.refresh();
      await models.refresh();
    } else if (parsed.kind === 'modelOffer') await models.receiveOffer(payload);
    else if (parsed.kind === 'sensorOffer') await sensorOffers.receive(kidToHex(parsed.kid), payload);
    else if (parsed.kind === 'rulesHello') await labelOffers.receive(kidToHex(parsed.kid), payload);
    else if (parsed.kind === 'evidenceRequest') await evidence.answer(payload);
  }
}
