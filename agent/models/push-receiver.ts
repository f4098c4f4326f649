import { statfs, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isSmartZoneError, SmartZoneError } from '../../protocol/errors.js';
import { decodeStrict } from '../../protocol/cbor.js';
import { equalBytes, toHex } from '../../protocol/bytes.js';
import { parseProfiledSign1 } from '../../protocol/cose/sign1.js';
import type { Kid } from '../../protocol/kid.js';
import {
  encodeModelWant,
  readModelEnvelope,
  verifyModelAnnouncement,
  verifyModelOffer,
  type ModelAnnouncement,
} from '../../protocol/messages/model.js';
import { findMember, type Roster } from '../../protocol/messages/roster.js';
import { PackageTopics } from '../../protocol/topics.js';
import type { Log } from '../log.js';
import { IncomingPackage, type IncomingMessages } from './incoming-package.js';
import { layoutOf, sha256 } from './package-layout.js';
import type { ModelStore } from './model-store.js';
import type { PushStatus } from './model-report.js';

export interface PushParts {
  readonly store: ModelStore;
  readonly log: Log;
  /** The roster that the TA took last. */
  readonly roster: () => Roster | undefined;
  readonly mostBytes: () => number;
  readonly subscribe: (topics: readonly string[]) => void;
  readonly unsubscribe: (topics: readonly string[]) => void;
  readonly want: (message: Buffer) => void;
  readonly report: (status: PushStatus) => void;
  /** A package is staged: gives it to the TA. Resolves with the error code that the TA refused it with, if it did. */
  readonly install: () => Promise<SmartZoneError | undefined>;
}

/** A push that has been offered. */
interface Job {
  /** The newest one of this package. */
  offer: Buffer;
  readonly digest: string;
  readonly topics: PackageTopics;
  /** Known from the announcement on. */
  sequence?: number;
  announcement?: Buffer;
  incoming?: IncomingPackage;
}

/** Without a new segment for this long what is missing is asked for again; twice as long each time, while nobody answers. */
const ASK_AGAIN_MS = 1_000;
const ASK_AGAIN_MOST_MS = 60_000;
const REPORT_EVERY = 16;

/**
 * Fetches packages that a publisher of the roster has offered: segments come by index on the package's own topics, for all devices
 * that want them at once, and are stored once their digests are right. One package at a time: the highest sequence number wins.
 * Calls come one after the other (Agent's control sequence).
 */
export class PushReceiver {
  #job: Job | undefined;
  /** An offer that nobody in the roster vouches for yet. */
  #waiting: Buffer | undefined;
  #timer: NodeJS.Timeout | undefined;
  #resumed = false;
  #askDelay = ASK_AGAIN_MS;

  constructor(private readonly parts: PushParts) {}

  get folder(): string {
    return join(this.parts.store.directory, 'incoming');
  }

  /** A retained offer, or one that is made now. Empty: the publisher took it away, which stops no fetch under way. */
  async receiveOffer(offer: Buffer): Promise<void> {
    if (offer.length === 0 || this.#job?.offer.equals(offer)) return;
    this.#waiting = undefined;
    let digest = '';
    try {
      digest = namedDigest(offer);
      const publisher = this.#publisherOf(offer);
      if (publisher === undefined) {
        this.#waiting = offer;
        return;
      }
      const verified = verifyModelOffer(offer, publisher);
      const committed = await this.parts.store.current().catch(() => undefined);
      if (committed?.digest === digest) return;
      await this.#begin({ offer, digest, topics: new PackageTopics(verified.manifestDigest) });
    } catch (error) {
      this.#refuse({ digest, offer }, error);
    }
  }

  /** The roster has changed, or is known for the first time: what waits for it goes on. */
  async rosterChanged(): Promise<void> {
    if (this.parts.roster() === undefined) return;
    if (!this.#resumed) {
      this.#resumed = true;
      await this.#resume();
    }
    const waiting = this.#waiting;
    if (waiting) await this.receiveOffer(waiting);
  }

  /** A message on a package's topics. */
  async receive(topic: string, payload: Buffer): Promise<void> {
    const job = this.#job;
    if (!job || payload.length === 0) return;
    try {
      if (topic === job.topics.announcement) return await this.#announced(job, payload);
      const index = job.topics.segmentOf(topic);
      if (index === undefined || !job.incoming) return;
      if (!(await job.incoming.put(index, payload))) return;
      this.#askDelay = ASK_AGAIN_MS;
      this.#askLater(job);
      const have = job.incoming.total - job.incoming.missing.length;
      if (have % REPORT_EVERY === 0) this.#report(job, 'fetching');
      if (job.incoming.missing.length === 0) await this.#complete(job);
    } catch (error) {
      await this.#giveUp(job, error);
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
    void this.#job?.incoming?.close().catch(() => undefined);
  }

  /** Ed25519 key of the offer's signer. undefined: no roster yet. Throws UNKNOWN_SENDER, WRONG_ROLE. */
  #publisherOf(message: Uint8Array): Uint8Array | undefined {
    const roster = this.parts.roster();
    return roster && publisherKey(roster, parseProfiledSign1(message).kid);
  }

  async #begin(job: Job): Promise<void> {
    const other = this.#job;
    if (other?.digest === job.digest) {
      // The same package, wrapped anew: the newest key is used, and its publisher is there.
      other.offer = job.offer;
      await other.incoming?.setOffer(job.offer);
      this.#report(other, other.incoming ? 'fetching' : 'waiting');
      this.#askDelay = ASK_AGAIN_MS;
      this.#ask(other);
      return;
    }
    this.parts.subscribe([job.topics.announcement, job.topics.segment('+')]);
    if (other?.sequence !== undefined) {
      // Which of the two wins shows when the newer one's announcement is here.
      this.#rival = other;
    } else if (other) {
      await this.#leave(other);
    }
    this.#job = job;
    this.#report(job, 'waiting');
  }

  #rival: Job | undefined;

  async #announced(job: Job, message: Buffer): Promise<void> {
    if (job.incoming) return;
    const announcement = this.#verify(message);
    const { manifest, digest } = readModelEnvelope(announcement.envelope);
    const [header] = announcement.segments;
    if (toHex(digest) !== job.digest) return; // somebody else's, on this topic
    if (header?.[0] !== manifest.headerSize || !equalBytes(header[1], manifest.headerDigest))
      throw new SmartZoneError('MODEL_DIGEST', 'container header');
    job.sequence = manifest.sequence;
    job.announcement = message;
    const rival = this.#rival;
    this.#rival = undefined;
    if (rival?.sequence !== undefined) {
      const [winner, loser] = rival.sequence > manifest.sequence ? [rival, job] : [job, rival];
      this.#job = winner;
      await this.#supersede(loser);
      if (winner === rival) return this.#report(rival, 'fetching');
    }
    const staged = await this.parts.store.staged().catch(() => undefined);
    if (staged?.digest === job.digest) {
      // It is here already: only its key is new.
      await this.parts.store.setOffer(job.offer);
      return await this.#install(job);
    }
    await this.#makeRoom(announcement);
    const messages: IncomingMessages = { announcement: message, offer: job.offer };
    job.incoming = await IncomingPackage.begin(
      this.folder,
      messages,
      announcement.envelope,
      announcement.segments,
    );
    this.#report(job, 'fetching');
    this.#askDelay = ASK_AGAIN_MS;
    this.#ask(job);
  }

  #verify(message: Buffer): ModelAnnouncement {
    const roster = this.parts.roster();
    return verifyModelAnnouncement(message, (kid) => {
      if (!roster) throw new SmartZoneError('UNKNOWN_SENDER', 'there is no roster yet');
      return publisherKey(roster, kid);
    });
  }

  /** Throws MODEL_DISK where the package exceeds the bound or the disk's free space. */
  async #makeRoom(announcement: ModelAnnouncement): Promise<void> {
    const { size } = layoutOf(announcement.envelope, announcement.segments);
    const { directory } = this.parts.store;
    const kept = await Promise.all(
      ['package', 'package.previous'].map((name) =>
        stat(join(directory, name)).then(
          (file) => file.size,
          () => 0,
        ),
      ),
    );
    const most = this.parts.mostBytes();
    const used = kept.reduce((sum, bytes) => sum + bytes, 0);
    if (size + used > most)
      throw new SmartZoneError('MODEL_DISK', `${size + used} bytes with those that are kept, of ${most}`);
    const { bavail, bsize } = await statfs(directory);
    if (size > bavail * bsize)
      throw new SmartZoneError('MODEL_DISK', `${size} bytes, ${bavail * bsize} are free`);
  }

  /** Goes on where an earlier process stopped. */
  async #resume(): Promise<void> {
    const left = await IncomingPackage.left(this.folder).catch(() => undefined);
    if (this.#job) return;
    // A power cut before anything was fetched, or after all of it was staged.
    if (!left) return IncomingPackage.discard(this.folder);
    try {
      const publisher = this.#publisherOf(left.offer);
      if (!publisher) return;
      const { manifestDigest } = verifyModelOffer(left.offer, publisher);
      const announcement = this.#verify(left.announcement);
      const { manifest } = readModelEnvelope(announcement.envelope);
      const { envelope, segments } = announcement;
      const job: Job = {
        offer: left.offer,
        digest: toHex(manifestDigest),
        topics: new PackageTopics(manifestDigest),
        sequence: manifest.sequence,
        announcement: left.announcement,
        incoming: await IncomingPackage.resume(this.folder, envelope, segments),
      };
      this.#job = job;
      this.parts.subscribe([job.topics.announcement, job.topics.segment('+')]);
      this.#report(job, 'fetching');
      if (job.incoming?.missing.length === 0) await this.#complete(job);
      else this.#ask(job);
    } catch (error) {
      this.parts.log.warn('an interrupted fetch cannot go on', { reason: (error as Error).message });
      await IncomingPackage.discard(this.folder);
    }
  }

  #ask(job: Job): void {
    const { incoming } = job;
    if (!incoming || job !== this.#job) return;
    const manifestDigest = Buffer.from(job.digest, 'hex');
    this.parts.want(Buffer.from(encodeModelWant({ manifestDigest, segments: incoming.missing })));
    this.#askLater(job);
  }

  #askLater(job: Job): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        this.#askDelay = Math.min(2 * this.#askDelay, ASK_AGAIN_MOST_MS);
        this.#ask(job);
      },
      this.#askDelay * (1 + Math.random() / 2),
    );
  }

  async #complete(job: Job): Promise<void> {
    clearTimeout(this.#timer);
    await job.incoming?.finish(this.parts.store.stagedFile, this.parts.store.offerFile);
    await this.#install(job);
  }

  async #install(job: Job): Promise<void> {
    this.parts.unsubscribe([job.topics.announcement, job.topics.segment('+')]);
    this.#report(job, 'installing');
    this.#job = undefined;
    const refused = await this.parts.install();
    if (refused) this.#refuse(job, refused);
    else this.#report(job, 'committed');
  }

  async #supersede(job: Job): Promise<void> {
    await this.#leave(job);
    this.#refuse(job, new SmartZoneError('MODEL_SUPERSEDED', `sequence ${job.sequence ?? 0}`));
  }

  async #leave(job: Job): Promise<void> {
    this.parts.unsubscribe([job.topics.announcement, job.topics.segment('+')]);
    if (job.incoming) {
      await job.incoming.close();
      await IncomingPackage.discard(this.folder);
    }
  }

  async #giveUp(job: Job, error: unknown): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#job === job) this.#job = undefined;
    await this.#leave(job).catch(() => undefined);
    this.#refuse(job, error);
  }

  #refuse({ digest, offer, sequence }: Pick<Job, 'digest' | 'offer' | 'sequence'>, error: unknown): void {
    const { code, reason } = describe(error);
    this.parts.log.warn('refused a model push', { code, reason, sequence });
    const state = code === 'MODEL_SUPERSEDED' ? 'superseded' : 'refused';
    this.parts.report({
      digest,
      offer: nameOf(offer),
      state,
      code,
      reason,
      ...(sequence !== undefined && { sequence }),
    });
  }

  #report(job: Job, state: PushStatus['state']): void {
    const { digest, offer, sequence, incoming } = job;
    this.parts.report({
      digest,
      offer: nameOf(offer),
      state,
      ...(sequence !== undefined && { sequence }),
      ...(incoming && { have: incoming.total - incoming.missing.length, total: incoming.total }),
    });
  }
}

/** The package that an offer names, so that its refusal can name it: not verified. */
const namedDigest = (offer: Uint8Array): string => {
  const { payload } = parseProfiledSign1(offer);
  const map = payload === null ? null : decodeStrict(payload);
  const digest = map instanceof Map ? (map as ReadonlyMap<unknown, unknown>).get(1) : undefined;
  if (!(digest instanceof Uint8Array)) throw new SmartZoneError('MALFORMED', 'model offer');
  return toHex(digest);
};

const nameOf = (offer: Uint8Array): string => sha256(offer).toString('hex', 0, 8);

const publisherKey = (roster: Roster, kid: Kid): Uint8Array => {
  const member = findMember(roster, kid, 'publisher');
  if (member) return member.signingKey;
  throw new SmartZoneError(findMember(roster, kid) ? 'WRONG_ROLE' : 'UNKNOWN_SENDER', 'model publisher');
};

const describe = (error: unknown): { code: string; reason: string } => {
  if (isSmartZoneError(error)) return { code: error.code, reason: error.message };
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG')
    return { code: 'MODEL_DISK', reason: message };
  return { code: 'MALFORMED', reason: message };
};
