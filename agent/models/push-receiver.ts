import { isSmartZoneError, SmartZoneError } from '../../protocol/errors.js';
import type { Roster } from '../../protocol/messages/roster.js';
import type { Log } from '../log.js';
import { describeTrouble, isDiskFull } from './disk-room.js';
import { IncomingPackage } from './incoming-package.js';
import type { PushStatus } from './model-report.js';
import type { ModelStore } from './model-store.js';
import { PackageFetch } from './package-fetch.js';
import { offerName, PushJob } from './push-job.js';
import { believeAnnouncement, believeOffer, namedDigest } from './push-trust.js';

export interface PushParts {
  readonly store: ModelStore;
  readonly log: Log;
  /** The roster that the TA took last. */
  readonly roster: () => Roster | undefined;
  /** Why the TA would not take a package, as far as its number tells. */
  readonly objection: (digest: string, sequence: number) => SmartZoneError | undefined;
  readonly mostBytes: () => number;
  readonly subscribe: (topics: readonly string[], qos: 0 | 1) => void;
  readonly unsubscribe: (topics: readonly string[]) => void;
  readonly want: (message: Buffer) => void;
  readonly report: (status: PushStatus) => void;
  /** Publishes again what was reported last: it may have been lost. */
  readonly repeat: () => void;
  /** A package is staged: gives it to the TA. Rejects when the TEE was lost meanwhile; then settled() is called later. */
  readonly install: () => Promise<void>;
  /** Why the TA refused what is staged, if it did. */
  readonly refusal: () => Promise<SmartZoneError | undefined>;
  /** Runs a task after the calls before it. */
  readonly run: (task: () => Promise<void>) => void;
}

/**
 * Takes packages that a publisher of the roster has offered, and has them fetched: segments come by index on the package's own topics,
 * for all devices that want them at once. One package at a time: the highest sequence number wins.
 * Calls come one after the other (the agent's control sequence).
 */
export class PushReceiver {
  /** What is fetched. */
  #job: PushJob | undefined;
  /** Offered while that goes on; which of them wins shows when its announcement is here. */
  #rival: PushJob | undefined;
  /** An offer that nobody in the roster vouches for yet. */
  #waiting: Buffer | undefined;
  /** The last one that came to nothing, by offerName(). */
  #refused: PushStatus | undefined;
  /** What the TA is given, until it has taken or refused it. */
  #installing: PushJob | undefined;
  readonly #fetch: PackageFetch;
  #resumed = false;

  constructor(private readonly parts: PushParts) {
    const { store, log, mostBytes, want, run } = parts;
    this.#fetch = new PackageFetch({
      store,
      log,
      mostBytes,
      want,
      run,
      isCurrent: (job) => job === this.#job,
      tell: (job) => this.#tell(job),
      staged: (job) => this.#install(job),
      failed: (job, error) => this.#giveUp(job, error),
    });
  }

  /**
   * A retained offer, or one that is made now. Empty: the publisher took it away, which stops no fetch under way. The same again:
   * its publisher has heard nothing for a while and is told how things stand.
   */
  async receiveOffer(offer: Buffer): Promise<void> {
    if (offer.length === 0) return;
    const name = offerName(offer);
    if (this.#refused?.offer === name) return this.parts.report(this.#refused);
    const known = [this.#rival, this.#job].find((job) => job?.offer.equals(offer));
    if (known) return this.#tell(known);
    this.#waiting = undefined;
    const roster = this.parts.roster();
    if (roster === undefined) {
      this.#waiting = offer;
      return;
    }
    let digest = '';
    try {
      digest = namedDigest(offer);
      const manifestDigest = believeOffer(offer, roster);
      const committed = await this.parts.store.current().catch(() => undefined);
      if (committed?.digest === digest) return this.parts.repeat();
      await this.#begin(new PushJob(offer, manifestDigest));
    } catch (error) {
      this.#refuse({ digest, offer: name, state: 'refused' }, error);
    }
  }

  /** The roster has changed, or is known for the first time: what waits for it goes on, whom it names no more ends. */
  async rosterChanged(): Promise<void> {
    const roster = this.parts.roster();
    if (roster === undefined) return;
    this.#refused = undefined;
    if (!this.#resumed) {
      this.#resumed = true;
      await this.#resume(roster);
    }
    for (const job of [this.#rival, this.#job]) {
      if (!job) continue;
      try {
        believeOffer(job.offer, roster);
      } catch (error) {
        await this.#giveUp(job, error);
      }
    }
    const waiting = this.#waiting;
    if (waiting) await this.receiveOffer(waiting);
  }

  /** A message on a package's topics. */
  async receive(topic: string, payload: Buffer): Promise<void> {
    const announced = [this.#rival, this.#job].find((job) => job?.topics.announcement === topic);
    const job = announced ?? this.#job;
    if (!job || payload.length === 0) return;
    try {
      if (announced) await this.#announced(announced, payload);
      else await this.#fetch.receive(job, topic, payload);
    } catch (error) {
      if (isDiskFull(error)) this.#fetch.waitForRoom(job, error);
      else await this.#giveUp(job, error);
    }
  }

  stop(): void {
    this.#fetch.stop();
    void this.#job?.incoming?.close().catch(() => undefined);
  }

  async #begin(job: PushJob): Promise<void> {
    const same = [this.#rival, this.#job].find((other) => other?.digest === job.digest);
    if (same) {
      // The same package, wrapped anew: the newest key is used, and its publisher is there.
      same.offer = job.offer;
      await same.incoming?.setOffer(job.offer).catch((error: unknown) => {
        if (!isDiskFull(error)) throw error; // the key before is as good
      });
      this.#tell(same);
      if (same === this.#job) this.#fetch.ask(same);
      return;
    }
    this.#subscribe(job);
    if (this.#job?.sequence === undefined) {
      if (this.#job) await this.#leave(this.#job);
      this.#job = job;
    } else {
      if (this.#rival) await this.#leave(this.#rival);
      this.#rival = job;
    }
    this.#tell(job);
  }

  async #announced(job: PushJob, message: Buffer): Promise<void> {
    const roster = this.parts.roster();
    if (job.announcement || !roster) return;
    let announcement;
    try {
      announcement = believeAnnouncement(message, roster);
    } catch (error) {
      // Anyone may write there. The publisher's own comes again.
      const { code, reason } = describeTrouble(error);
      return this.parts.log.warn('an announcement of a model is not believed', { code, reason });
    }
    if (announcement.digest !== job.digest) return; // somebody else's, on this topic
    const { sequence } = announcement.manifest;
    const objection = this.parts.objection(job.digest, sequence);
    if (objection) throw objection;
    job.announcement = announcement;
    job.message = message;
    if (job === this.#rival && !(await this.#decide(job, sequence))) return;
    const staged = await this.parts.store.staged().catch(() => undefined);
    if (staged?.digest === job.digest) {
      // It is here already: only its key is new.
      await this.parts.store.setOffer(job.offer);
      return await this.#install(job);
    }
    await this.#fetch.begin(job);
  }

  /** Of two pushes one wins; the other's publisher is told. Returns whether the newer one did. */
  async #decide(rival: PushJob, sequence: number): Promise<boolean> {
    const job = this.#job;
    this.#rival = undefined;
    const wins = job === undefined || (job.sequence ?? 0) <= sequence;
    const loser = wins ? job : rival;
    if (wins) this.#job = rival;
    if (loser) {
      await this.#leave(loser);
      const winner = this.#job?.sequence ?? 0;
      this.#refuse(
        loser.status('superseded'),
        new SmartZoneError('MODEL_SUPERSEDED', `by sequence ${winner}`),
      );
    }
    if (this.#job) this.#tell(this.#job);
    return wins;
  }

  /** Goes on where an earlier process stopped. */
  async #resume(roster: Roster): Promise<void> {
    const left = await IncomingPackage.left(this.#fetch.folder).catch(() => undefined);
    if (this.#job) return;
    // A power cut before anything was fetched, or after all of it was staged.
    if (!left) return IncomingPackage.discard(this.#fetch.folder);
    try {
      const job = new PushJob(left.offer, believeOffer(left.offer, roster));
      job.announcement = believeAnnouncement(left.announcement, roster);
      job.message = left.announcement;
      const { envelope, segments } = job.announcement;
      job.incoming = await IncomingPackage.resume(this.#fetch.folder, envelope, segments);
      this.#job = job;
      this.#subscribe(job);
      this.#tell(job);
      await this.#fetch.goOn(job);
    } catch (error) {
      if (this.#job && isDiskFull(error)) return this.#fetch.waitForRoom(this.#job, error);
      this.#job = undefined;
      this.parts.log.warn('an interrupted fetch cannot go on', { reason: (error as Error).message });
      await IncomingPackage.discard(this.#fetch.folder);
    }
  }

  async #install(job: PushJob): Promise<void> {
    this.#unsubscribe(job);
    this.#job = undefined;
    this.#installing = job;
    this.parts.report(job.status('installing'));
    await this.parts.install().catch((error: unknown) => {
      if (!isSmartZoneError(error, 'TEE_DIED', 'TEE_TIMEOUT', 'TEE_UNREACHABLE')) throw error;
    });
    await this.settled();
  }

  /** The TA had its say about what is staged, or the TEE was lost and opened again: what became of the package is reported. */
  async settled(): Promise<void> {
    const job = this.#installing;
    if (!job) return;
    const refused = await this.parts.refusal();
    const staged = await this.parts.store.staged().catch(() => undefined);
    if (!refused && staged?.digest === job.digest) return; // it is tried again
    this.#installing = undefined;
    if (refused) this.#refuse(job.status('refused'), refused);
    else this.parts.report(job.status('committed'));
  }

  async #leave(job: PushJob): Promise<void> {
    this.#unsubscribe(job);
    await this.#fetch.drop(job);
  }

  async #giveUp(job: PushJob, error: unknown): Promise<void> {
    if (this.#job === job) this.#job = undefined;
    if (this.#rival === job) this.#rival = undefined;
    await this.#leave(job).catch(() => undefined);
    this.#refuse(job.status('refused'), error);
  }

  #refuse(status: PushStatus, error: unknown): void {
    const { code, reason } = describeTrouble(error);
    this.parts.log.warn('refused a model push', { code, reason, sequence: status.sequence });
    this.#refused = { ...status, code, reason };
    this.parts.report(this.#refused);
  }

  /** Segments with QoS 0: what is lost is asked for again, and a broker that comes back sends nothing twice. */
  #subscribe({ topics }: PushJob): void {
    this.parts.subscribe([topics.announcement], 1);
    this.parts.subscribe([topics.segment('+')], 0);
  }

  #unsubscribe({ topics }: PushJob): void {
    this.parts.unsubscribe([topics.announcement, topics.segment('+')]);
  }

  #tell(job: PushJob): void {
    this.parts.report(job.progress);
  }
}
