import { join } from 'node:path';
import type { Log } from '../log.js';
import { checkBound, checkFree, describeTrouble, isDiskFull } from './disk-room.js';
import { IncomingPackage } from './incoming-package.js';
import type { ModelStore } from './model-store.js';
import { layoutOf } from './package-layout.js';
import type { PushJob } from './push-job.js';
import { SegmentWants } from './segment-wants.js';

export interface FetchParts {
  readonly store: ModelStore;
  readonly log: Log;
  readonly mostBytes: () => number;
  readonly want: (message: Buffer) => void;
  /** Runs a task after the calls before it. */
  readonly run: (task: () => Promise<void>) => void;
  /** Whether this is the package that is fetched now. */
  readonly isCurrent: (job: PushJob) => boolean;
  /** There is something new to tell of it. */
  readonly tell: (job: PushJob) => void;
  /** All of it is there, and staged. */
  readonly staged: (job: PushJob) => Promise<void>;
  readonly failed: (job: PushJob, error: unknown) => Promise<void>;
}

const REPORT_EVERY = 16;
/** A disk without room is looked at again so often. */
const ROOM_MS = 2_000;

/**
 * Brings the segments of one announced package onto the disk: asks for what is missing, stores what comes once its digest is right,
 * and waits while there is no room.
 */
export class PackageFetch {
  readonly #wants: SegmentWants;
  #roomTimer: NodeJS.Timeout | undefined;

  constructor(private readonly parts: FetchParts) {
    this.#wants = new SegmentWants(parts.want);
  }

  get folder(): string {
    return join(this.parts.store.directory, 'incoming');
  }

  /** Throws MODEL_DISK where the package exceeds the bound, and the file system's errors. */
  async begin(job: PushJob): Promise<void> {
    const { announcement, message } = job;
    if (!announcement || !message) return;
    const { store, mostBytes, tell } = this.parts;
    const { envelope, segments } = announcement;
    const { size } = layoutOf(envelope, segments);
    await store.dropStaged(); // another package, which the TA refused
    await checkBound(store.directory, ['package', 'package.previous'], size, mostBytes());
    await checkFree(store.directory, size);
    const messages = { announcement: message, offer: job.offer };
    job.incoming = await IncomingPackage.begin(this.folder, messages, envelope, segments);
    tell(job);
    this.ask(job);
  }

  /** A message on one of the package's topics. */
  async receive(job: PushJob, topic: string, payload: Buffer): Promise<void> {
    const { incoming } = job;
    const index = job.topics.segmentOf(topic);
    if (index === undefined || !incoming || !(await incoming.put(index, payload))) return;
    this.#wants.answered();
    const have = incoming.total - incoming.missing.length;
    if (have % REPORT_EVERY === 0) this.parts.tell(job);
    if (incoming.missing.length === 0) await this.#complete(job);
  }

  ask({ incoming, digest }: PushJob): void {
    if (incoming) this.#wants.start(digest, () => incoming.missing);
  }

  /** Asks for the rest, or stages what is whole already. */
  async goOn(job: PushJob): Promise<void> {
    if (job.incoming?.missing.length === 0) await this.#complete(job);
    else this.ask(job);
  }

  /** Nothing is lost: what is there stays, and the rest is asked for when there is room. */
  waitForRoom(job: PushJob, error: unknown): void {
    const { isCurrent, log, tell } = this.parts;
    if (!isCurrent(job) || job.trouble) return;
    this.#wants.stop();
    job.trouble = describeTrouble(error);
    log.warn('a model push waits for room on the disk', { reason: job.trouble.reason });
    tell(job);
    this.#lookForRoom(job);
  }

  /** What is there of it goes. */
  async drop({ incoming }: PushJob): Promise<void> {
    if (!incoming) return;
    this.#wants.stop();
    await incoming.close();
    await IncomingPackage.discard(this.folder);
  }

  stop(): void {
    this.#wants.stop();
    clearTimeout(this.#roomTimer);
  }

  #lookForRoom(job: PushJob): void {
    clearTimeout(this.#roomTimer);
    this.#roomTimer = setTimeout(() => this.parts.run(() => this.#tryAgain(job)), ROOM_MS);
  }

  async #tryAgain(job: PushJob): Promise<void> {
    const { incoming } = job;
    if (!this.parts.isCurrent(job)) return;
    try {
      if (incoming) await checkFree(this.folder, incoming.missingBytes);
      else await this.begin(job);
      job.trouble = undefined;
      this.parts.tell(job);
      await this.goOn(job);
    } catch (error) {
      if (isDiskFull(error)) this.#lookForRoom(job);
      else await this.parts.failed(job, error);
    }
  }

  async #complete(job: PushJob): Promise<void> {
    this.#wants.stop();
    await job.incoming?.finish(this.parts.store.stagedFile, this.parts.store.offerFile);
    await this.parts.staged(job);
  }
}
