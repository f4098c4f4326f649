/** The executable specification: what the device decides about each message, and what it is afterwards. */
import { takeFrame, takeOffer, takeRulesHello, takeSegments, presentEpoch } from './channels.js';
import { beginModel, takeSegment, tellModels } from './models.js';
import {
  accepted,
  refused,
  type Content,
  type Device,
  type Memory,
  type Message,
  type Outcome,
  type Stored,
} from './state.js';
import { takeRoster, takeStatement, zonesInForce } from './trust.js';

const FIRST_CLOCK = 1000;

/** Those may be asked of a device without an owner. */
const UNCLAIMED_TOO: readonly Content['kind'][] = ['owner', 'evidence', 'model-status'];

export class Specification {
  #names = 0;
  readonly device: Device;

  constructor() {
    this.device = {
      stored: this.#unclaimed(),
      memory: this.#started(FIRST_CLOCK),
      session: 1,
      clock: FIRST_CLOCK,
      storageAvailable: true,
    };
  }

  /** A message arrives, from the present session. */
  receive(message: Message): Outcome {
    const { device } = this;
    const outcome =
      device.stored.owners.keys.length === 0 && !UNCLAIMED_TOO.includes(message.content.kind)
        ? refused('NOT_CLAIMED')
        : this.#decide(message);
    if (outcome.code !== 'OK' && outcome.code !== 'SEGMENTS_WANTED') device.memory.counters.refused += 1;
    return outcome;
  }

  #decide(message: Message): Outcome {
    const { device } = this;
    const { content } = message;
    const as = <T extends Content>(of: T): Message<T> => ({ id: message.id, content: of });
    switch (content.kind) {
      case 'owner':
        return takeStatement(device, as(content), {
          identity: this.#name('device'),
          boot: this.#name('boot'),
        });
      case 'roster':
        return takeRoster(device, as(content), this.#name('boot'));
      case 'offer':
      case 'zone-offer':
        return takeOffer(device, as(content));
      case 'rules-hello':
        return takeRulesHello(device, as(content));
      case 'frame':
        return takeFrame(device, as(content));
      case 'receipt': {
        const channel = device.memory.channels.find(({ id }) => id === content.channel);
        return channel === undefined
          ? refused('NO_CHANNEL')
          : accepted({ kind: 'receipt', channel: channel.id, last: channel.last, taken: channel.taken });
      }
      case 'model-begin':
        return beginModel(device, as(content));
      case 'segment':
        return takeSegment(device, as(content));
      case 'continue':
        return takeSegments(device, as(content));
      case 'model-status':
        return tellModels(device);
      case 'evidence':
        return content.nonceLength < 8 || content.nonceLength > 64
          ? refused('BAD_REQUEST')
          : accepted({ kind: 'evidence' });
      case 'telemetry':
        if (!content.wellFormed) return refused('BAD_REQUEST');
        presentEpoch(device);
        return accepted({ kind: 'telemetry' });
    }
  }

  /** Memory is lost, what is stored stays. */
  restart(): void {
    const { device } = this;
    const { owners, roster } = device.stored;
    device.memory = this.#started(device.clock);
    if (roster !== undefined) {
      const { content } = roster;
      device.memory.zones = zonesInForce(device, content, [owners.generation, content.version], new Map());
    }
  }

  /** Storage was erased: a new, unclaimed identity that no client trusts. */
  erase(): void {
    this.device.stored = this.#unclaimed();
  }

  endSession(session: number): void {
    const { memory } = this.device;
    if (memory.answer?.session === session) delete memory.answer;
    if (memory.job?.session === session) delete memory.job;
  }

  #unclaimed(): Stored {
    return {
      identity: this.#name('device'),
      owners: { generation: 0, keys: [] },
      ownerCounter: 0,
      ownerTime: 0,
      rosterFloor: 0,
      modelFloor: 0,
      trialStarts: 0,
      trialLabels: 0,
    };
  }

  #started(clock: number): Memory {
    return {
      boot: this.#name('boot'),
      rosterSince: clock,
      offeredTime: 0,
      channels: [],
      zones: new Map(),
      seen: new Map(),
      epoch: 1,
      epochSince: clock,
      labels: 0,
      settled: 0,
      counters: { frames: 0, labels: 0, offers: 0, refused: 0, repeats: 0 },
    };
  }

  #name(what: string): string {
    return `${what} ${(this.#names += 1)}`;
  }
}
