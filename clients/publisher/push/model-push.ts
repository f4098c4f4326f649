import { createHash } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { toHex } from '../../../protocol/bytes.js';
import { SmartZoneError } from '../../../protocol/errors.js';
import type { SigningKey } from '../../../protocol/keys.js';
import {
  decodeModelWant,
  signModelAnnouncement,
  type AnnouncedSegment,
} from '../../../protocol/messages/model.js';
import { PackageTopics } from '../../../protocol/topics.js';
import type { Witness } from '../../keys/index.js';
import type { BrokerLink } from '../../link/index.js';
import { readPackage, type ReadPackage } from '../inspect.js';
import { wrapFor } from '../sign.js';
import { PushTarget, type TargetReport } from './push-target.js';
import { SegmentSender } from './segment-sender.js';

/** A package file and its content key. Packages of one model, one for each packing target, have one sequence number. */
export interface PushedPackage {
  readonly bytes: Uint8Array;
  readonly contentKey: Uint8Array;
}

export interface PushOptions {
  readonly link: BrokerLink;
  readonly key: SigningKey;
  /** The pinned owner's Ed25519 key. */
  readonly owner: Uint8Array;
  readonly witness: Witness;
  readonly packages: readonly PushedPackage[];
  /** Topic prefixes of the devices. */
  readonly prefixes: readonly string[];
  /** So many devices first; the others follow when those have had the model for soakMs. Default: all at once. */
  readonly canary?: number;
  readonly soakMs?: number;
  /** With more failures than this the roll-out stops by itself. Default: 0 with a canary, otherwise no limit. */
  readonly maxFailures?: number;
  /** A device of which nothing is heard for so long is given up. Default 60 s. */
  readonly timeoutMs?: number;
}

export interface PushResult {
  /** The roll-out stopped by itself: devices that are `held` were not offered the model. */
  readonly stopped: boolean;
  readonly targets: readonly TargetReport[];
  /** Bytes of segments that went to the broker, for all devices together. */
  readonly bytes: number;
  readonly seconds: number;
}

interface PushEvents {
  progress: [readonly TargetReport[]];
}

interface Ready extends ReadPackage {
  readonly contentKey: Uint8Array;
  readonly topics: PackageTopics;
  readonly sender: SegmentSender;
}

const POLL_MS = 50;
/** A device that has not answered for so long is asked again. */
const AGAIN_MS = 5_000;

/**
 * Brings a model to devices over MQTT: announces each package once, offers its key to each device, and sends the segments that
 * devices ask for, each once for all of them. An interrupted push goes on when it is run again: what devices have they do not
 * ask for.
 */
export class ModelPush extends EventEmitter<PushEvents> {
  readonly #options: PushOptions;
  readonly #packages: readonly Ready[];
  readonly #targets: readonly PushTarget[];
  /** Devices that are offered the model now. */
  #stage: readonly PushTarget[] = [];
  #stopped = false;

  private constructor(options: PushOptions) {
    super();
    this.#options = options;
    this.#packages = options.packages.map(({ bytes, contentKey }) => {
      const content = readPackage(bytes);
      const topics = new PackageTopics(content.digest);
      const everybody = (): boolean =>
        this.#stage.every(({ isFinal, wanted, digest }) => isFinal || wanted || (digest ?? own) !== own);
      const own = toHex(content.digest);
      const sender = new SegmentSender(options.link, topics, content.segments, everybody);
      return { ...content, contentKey, topics, sender };
    });
    const sequences = new Set(this.#packages.map(({ manifest }) => manifest.sequence));
    if (sequences.size !== 1)
      throw new SmartZoneError('MODEL_SEQUENCE', 'the packages of one push have one sequence number');
    this.#targets = options.prefixes.map((prefix) => new PushTarget(prefix, options.owner, options.witness));
  }

  /** @throws MODEL_SEQUENCE, MODEL_PROFILE, MODEL_DIGEST for packages that cannot be pushed together, or at all */
  static create(options: PushOptions): ModelPush {
    return new ModelPush(options);
  }

  get reports(): readonly TargetReport[] {
    return this.#targets.map(({ report }) => report);
  }

  /** Bytes of segments that went to the broker so far. */
  get bytes(): number {
    return this.#packages.reduce((sum, { sender }) => sum + sender.bytes, 0);
  }

  /** Stops offering and sending; run() then ends with what there is. */
  stop(): void {
    this.#stopped = true;
  }

  async run(): Promise<PushResult> {
    const began = performance.now();
    const { canary = 0, soakMs = 0, maxFailures = canary > 0 ? 0 : Infinity } = this.#options;
    const unsubscribe = await this.#listen();
    try {
      for (const each of this.#packages) await this.#announce(each);
      const stages = [this.#targets.slice(0, canary), this.#targets.slice(canary)].filter(
        ({ length }) => length > 0,
      );
      const failures = (): number => this.#targets.filter(({ failed }) => failed).length;
      let stopped = false;
      for (const [i, stage] of stages.entries()) {
        await this.#bring(stage, () => failures() > maxFailures);
        if (i < stages.length - 1) await this.#soak(soakMs, () => failures() > maxFailures);
        stopped = failures() > maxFailures;
        if (stopped || this.#stopped) break;
      }
      return {
        stopped,
        targets: this.reports,
        bytes: this.bytes,
        seconds: (performance.now() - began) / 1000,
      };
    } finally {
      for (const { sender } of this.#packages) await sender.stop();
      for (const end of unsubscribe) await end();
    }
  }

  async #listen(): Promise<(() => Promise<void>)[]> {
    const { link } = this.#options;
    const ends: (() => Promise<void>)[] = [];
    for (const target of this.#targets) {
      const { topics, trust } = target;
      ends.push(await link.subscribe(topics.roster, ({ payload }) => trust.receiveRoster(payload)));
      ends.push(await link.subscribe(topics.hello, ({ payload }) => trust.receiveHello(payload)));
      ends.push(await link.subscribe(topics.modelWant, ({ payload }) => this.#wanted(target, payload)));
      ends.push(
        await link.subscribe(topics.modelStatus, ({ payload }) => {
          target.receiveStatus(payload);
          this.emit('progress', this.reports);
        }),
      );
    }
    return ends;
  }

  #wanted(target: PushTarget, payload: Uint8Array): void {
    let want;
    try {
      want = decodeModelWant(payload);
    } catch {
      return; // anyone can write there
    }
    const digest = toHex(want.manifestDigest);
    const newcomer = digest === target.digest && !target.wanted;
    if (newcomer) target.wanted = true;
    this.#packages.find((each) => toHex(each.digest) === digest)?.sender.want(want.segments, newcomer);
  }

  async #announce({ envelope, segments, topics }: Ready): Promise<void> {
    const entries = segments.map((segment): AnnouncedSegment => [
      segment.length,
      new Uint8Array(createHash('sha256').update(segment).digest()),
    ]);
    const message = signModelAnnouncement({ envelope, segments: entries }, this.#options.key);
    await this.#options.link.publish(topics.announcement, message, { qos: 1, retain: true });
  }

  /** Offers to each device of a stage once its hello is believed, and waits for all of them. */
  async #bring(stage: readonly PushTarget[], stop: () => boolean): Promise<void> {
    const { timeoutMs = 60_000 } = this.#options;
    this.#stage = stage;
    for (const target of stage) target.heard = performance.now();
    for (;;) {
      for (const target of stage) {
        if (target.state === 'held') await this.#offer(target);
        if (!target.isFinal && performance.now() - target.heard > timeoutMs) target.giveUp();
        await this.#offerAgain(target);
      }
      if (stage.every(({ isFinal }) => isFinal) || stop() || this.#stopped) break;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    this.emit('progress', this.reports);
  }

  async #offer(target: PushTarget): Promise<void> {
    const { device } = target.trust;
    if (device === undefined || device.behind) return;
    const { packingTarget } = device.hello;
    const fits = (name: string): Ready | undefined =>
      this.#packages.find(({ manifest }) => manifest.target === name);
    const content = fits(packingTarget) ?? fits('ref');
    if (content === undefined)
      return target.set('refused', 'MODEL_TARGET', `it takes ${packingTarget} or ref`);
    target.digest = toHex(content.digest);
    target.sequence = content.manifest.sequence;
    const committed = target.word?.committed;
    if (committed && toHex(committed[1]) === target.digest) return target.set('committed');
    const { link, key, witness } = this.#options;
    const offer = wrapFor(
      { kid: device.kid, agreementKey: device.hello.agreementKey },
      content,
      content.contentKey,
      key,
      {
        ...target.trust.seenRoster,
        modelSequence: witness.device(device.kid).model,
      },
    );
    target.offer = createHash('sha256').update(offer).digest('hex').slice(0, 16);
    target.message = offer;
    target.answered = performance.now();
    target.set('offered');
    await link.publish(target.topics.modelOffer, offer, { qos: 1, retain: true });
  }

  /** A message was lost, or the answer to it: the device takes the same offer as a question. */
  async #offerAgain(target: PushTarget): Promise<void> {
    const { message, isFinal, digest, topics } = target;
    if (isFinal || message === undefined || performance.now() - target.answered < AGAIN_MS) return;
    target.answered = performance.now();
    const content = this.#packages.find((each) => toHex(each.digest) === digest);
    if (content) await this.#announce(content);
    await this.#options.link.publish(topics.modelOffer, message, { qos: 1, retain: true });
  }

  /** Devices that took the model run it for a while; one that goes back counts as a failure. */
  async #soak(milliseconds: number, stop: () => boolean): Promise<void> {
    const end = performance.now() + milliseconds;
    while (performance.now() < end && !stop() && !this.#stopped)
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
