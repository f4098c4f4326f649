import { equalBytes } from '../../protocol/bytes.js';
import { kidFromHex, kidToHex, type Kid } from '../../protocol/kid.js';
import { verifyHello } from '../../protocol/messages/hello.js';
import type { Roster, Zone } from '../../protocol/messages/roster.js';
import { ZoneTopics } from '../../protocol/topics.js';
import type { Incoming } from '../broker/incoming.js';
import { BrokerLink, type LinkOptions } from '../broker/link.js';
import { SensorOffers } from '../flow/sensor-offers.js';
import type { FrameQueue, FrameSource, QueuedFrame } from '../intake/frame-queue.js';
import { takeFrame } from '../intake/take-frame.js';
import type { Log } from '../log.js';
import type { TeeClient } from '../tee/client.js';
import type { Counters } from '../telemetry.js';

export interface ZoneIntakeParts {
  /** Of a connection to the same broker. */
  readonly link: Pick<LinkOptions, 'config' | 'receiveMaximum' | 'maximumPacketSize' | 'random'>;
  readonly log: Log;
  readonly tee: TeeClient;
  readonly counters: Counters;
  readonly queue: FrameQueue;
  /** In force in the TA. */
  readonly roster: () => Roster | undefined;
  /** Runs a task after those before it. */
  readonly control: (task: () => Promise<void>) => void;
}

interface OwnZone {
  readonly zone: Zone;
  readonly topics: ZoneTopics;
  readonly offers: SensorOffers;
  /** Sensors whose frames this device takes its share of. */
  readonly shares: Set<string>;
}

/** How often a frame may be handed on; then its sensor has to send it again. */
const MOST_HOPS = 4;
const HOPS = 'hops';
/**
 * For so long the broker keeps this device's share of frames for it after the connection has broken: what it was dealt and had not
 * answered comes again then. Sensors send frames again much sooner, to whichever device is there, and older labels are stale.
 */
const SESSION_SECONDS = 30;

/**
 * Frames of the zones that the roster lists this device in, over a connection of their own. The broker deals the frames of one
 * sensor out to the devices that subscribe to its share: those whose TA has its channel, and nobody else.
 */
export class ZoneIntake {
  readonly #zones = new Map<string, OwnZone>();
  #link: BrokerLink | undefined;
  #device: Kid | undefined;
  #paused = true;
  /** Undefined: not known yet. */
  #supported: boolean | undefined;

  constructor(private readonly parts: ZoneIntakeParts) {}

  /** After a change of the roster, or of the device's keys: the zones may be others. */
  async refresh(): Promise<void> {
    const { roster, tee, log } = this.parts;
    const zones = roster()?.zones ?? [];
    const device = zones.length === 0 ? undefined : verifyHello(await tee.hello()).device;
    this.#device = device;
    const own = zones.filter(({ devices }) => device && devices.some((kid) => equalBytes(kid, device)));
    const kept = new Set(own.map(({ id }) => kidToHex(id)));
    for (const [id, zone] of this.#zones) if (!kept.has(id)) this.#leave(id, zone);
    if (own.length === 0) return this.#disconnect();
    const link = (this.#link ??= this.#connect());
    for (const zone of own) {
      const id = kidToHex(zone.id);
      const known = this.#zones.get(id);
      if (known) {
        await known.offers.retryRefused();
        continue;
      }
      const joined = this.#join(id, zone);
      link.subscribe([joined.topics.offer('+')]);
      log.info('takes a share of a zone', { zone: zone.name, id, devices: zone.devices.length });
    }
  }

  /** The TA has started: channels are gone, or a new session found them still there. */
  async replayAll(): Promise<void> {
    this.#paused = false;
    await this.refresh();
    for (const { offers } of this.#zones.values()) await offers.replayAll();
  }

  /** This device answers no frames for now: the broker deals them to the others. */
  pause(): void {
    this.#paused = true;
    for (const zone of this.#zones.values()) for (const sensor of zone.shares) this.#endShare(zone, sensor);
  }

  async stop(): Promise<void> {
    this.pause();
    await this.#disconnect();
  }

  #join(id: string, zone: Zone): OwnZone {
    const { tee, log, counters } = this.parts;
    const own: OwnZone = {
      zone,
      topics: new ZoneTopics(zone.id),
      offers: new SensorOffers(
        (offer) => tee.zoneOffer(offer),
        log,
        counters,
        (sensor, open) => (open ? this.#takeShare(own, sensor) : this.#endShare(own, sensor)),
      ),
      shares: new Set(),
    };
    this.#zones.set(id, own);
    return own;
  }

  #leave(id: string, own: OwnZone): void {
    for (const sensor of own.shares) this.#endShare(own, sensor);
    this.#link?.unsubscribe([own.topics.offer('+')]);
    this.#zones.delete(id);
    this.parts.log.info('has left a zone', { zone: own.zone.name, id });
  }

  #takeShare(own: OwnZone, sensor: string): void {
    if (this.#paused || this.#supported !== true || own.shares.has(sensor)) return;
    own.shares.add(sensor);
    this.#link?.subscribe([own.topics.shared(kidFromHex(sensor))]);
  }

  #endShare(own: OwnZone, sensor: string): void {
    own.shares.delete(sensor);
    this.#link?.unsubscribe([own.topics.shared(kidFromHex(sensor))]);
  }

  #connect(): BrokerLink {
    const { link: options, log, queue, counters } = this.parts;
    const { config } = options;
    const link = BrokerLink.create({
      ...options,
      config: {
        ...config,
        clientId: `${config.clientId}-zones`,
        sessionExpirySeconds: Math.min(SESSION_SECONDS, config.sessionExpirySeconds),
      },
      log,
      subscriptions: [],
    });
    link.on('message', (message) => this.#receive(link, message));
    link.on('online', ({ connection, sessionPresent, sharedSubscriptions }) => {
      if (sessionPresent) counters.add('frames_redelivered', queue.forget(connection, true));
      this.#supported = sharedSubscriptions;
      if (!sharedSubscriptions)
        return log.error(
          'zones need a broker with MQTT 5 and shared subscriptions: this device takes no share',
          {
            zones: [...this.#zones.values()].map(({ zone }) => zone.name).join(' '),
          },
        );
      for (const own of this.#zones.values())
        for (const sensor of own.offers.sensors) this.#takeShare(own, sensor);
    });
    link.start();
    return link;
  }

  async #disconnect(): Promise<void> {
    const link = this.#link;
    this.#link = undefined;
    this.#supported = undefined;
    await link?.stop();
  }

  #receive(link: BrokerLink, message: Incoming): void {
    for (const own of this.#zones.values()) {
      const parsed = own.topics.parse(message.topic);
      if (!parsed) continue;
      const sensor = kidToHex(parsed.sensor);
      if (parsed.kind === 'offer') {
        message.acknowledge();
        this.parts.control(() => own.offers.receive(sensor, message.payload));
        return;
      }
      takeFrame(this.parts, sensor, message, this.#source(link, own, message));
      return;
    }
    // Of a zone that this device was in when the broker dealt it out.
    this.#handBack(link, message);
  }

  #source(link: BrokerLink, own: OwnZone, message: Incoming): FrameSource {
    return {
      replay: (sensor) => own.offers.replay(sensor),
      receiptTopic: (sensor) => own.topics.receipt(kidFromHex(sensor), this.#device ?? own.zone.id),
      handBack: ({ sensor }: QueuedFrame) => {
        // Perhaps a share of an earlier life of this agent, which the broker has kept.
        if (!own.offers.accepted(sensor)) this.#endShare(own, sensor);
        return this.#handBack(link, message);
      },
    };
  }

  /** To the group again, and only then acknowledged. What finds nobody, its sensor sends again. */
  #handBack(link: BrokerLink, message: Incoming): boolean {
    const { topic, payload, properties, expirySeconds } = message;
    const { counters, log } = this.parts;
    const hops = Number(properties[HOPS] ?? 0);
    if (!(hops < MOST_HOPS)) return false;
    link.publish(topic, payload, expirySeconds, { [HOPS]: String(hops + 1) }).then(
      () => {
        counters.add('frames_handed_back');
        message.acknowledge();
      },
      (error: Error) => {
        // When the link has stopped the broker still has it.
        log.warn('a frame could not be handed back', { reason: error.message });
        counters.lost('not_handed_back');
        message.acknowledge();
      },
    );
    return true;
  }
}
