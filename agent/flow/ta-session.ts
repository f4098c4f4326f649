import { isSmartZoneError } from '../../protocol/errors.js';
import type { Log } from '../log.js';
import type { TeeClient } from '../tee/client.js';
import type { Gate } from './gate.js';
import type { Sequence } from './sequence.js';

const RETRY_MS = 500;
/** A TA that died while nothing was asked of it is noticed so soon; also when its epoch changes without a label. */
const HEARTBEAT_MS = 500;
/** Every life of the TA begins with it; a claim and other keys of the device go on to the next. */
const FIRST_EPOCH = 1;

export interface TaSessionParts {
  readonly tee: TeeClient;
  readonly control: Sequence;
  readonly log: Log;
  /** Open while the TA is set up. */
  readonly ready: Gate;
  /** Brings the TA to where the world believes it is: one after the other, each session anew. */
  readonly steps: readonly (() => Promise<void>)[];
  /** The TA is set up. @param restarted since the session before: its channels and epochs were gone */
  readonly opened: (restarted: boolean) => void;
  readonly lost: () => void;
  /** Setting up failed, after it had worked before; it is tried again. */
  readonly failed: () => void;
  /** Looked at every half second while the TA is set up. @param epoch of the labels */
  readonly beat: (epoch: number) => Promise<void>;
}

/** Sets the TA up whenever a session with it is open, and notices that it died. */
export class TaSession {
  #retryTimer: NodeJS.Timeout | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  /** Counts sessions opened and lost: what was begun for one must not be finished for the next. */
  #session = 0;
  #setUpBefore = false;
  #beating = false;
  #stopped = false;
  #boot: number | undefined;

  constructor(private readonly parts: TaSessionParts) {}

  start(): void {
    const { tee, ready, lost } = this.parts;
    tee.on('open', () => this.#setUp());
    tee.on('lost', () => {
      this.#session += 1;
      ready.close();
      lost();
    });
    this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS);
    tee.start();
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#heartbeat);
    clearTimeout(this.#retryTimer);
  }

  /** Runs a task after those before it. Losing the TEE is no failure of the task: what matters is replayed in the next session. */
  controlled(task: () => Promise<void>): Promise<void> {
    return this.parts.control.run(task).catch((error: unknown) => {
      if (!isSmartZoneError(error, 'TEE_DIED', 'TEE_TIMEOUT', 'TEE_UNREACHABLE'))
        this.parts.log.error('a control message failed', { reason: (error as Error).message });
    });
  }

  #setUp(): void {
    const { control, log, ready, steps } = this.parts;
    clearTimeout(this.#retryTimer);
    this.#session += 1;
    const session = this.#session;
    control
      .run(async () => {
        if (session !== this.#session) return;
        const restarted = await this.#noticeRestart();
        for (const step of steps) await step();
        if (session !== this.#session) return;
        ready.open();
        this.#setUpBefore = true;
        this.parts.opened(restarted);
      })
      .catch((error: unknown) => {
        // Lost again: the next session sets up. Anything else (storage, say) may pass.
        if (this.#stopped || session !== this.#session) return;
        log.error('setting up the TA failed', { reason: (error as Error).message });
        if (this.#setUpBefore) this.parts.failed();
        this.#retryTimer = setTimeout(() => this.#setUp(), RETRY_MS);
      });
  }

  async #noticeRestart(): Promise<boolean> {
    const { boot, epoch } = await this.parts.tee.ping();
    // A claim and the device's new keys begin a boot as well, in which epochs go on.
    const restarted = this.#boot !== undefined && boot !== this.#boot && epoch === FIRST_EPOCH;
    this.#boot = boot;
    if (restarted) this.parts.log.warn('the TA has restarted: channels and epochs are gone', { boot });
    return restarted;
  }

  /** Nothing is done about a failure here: TeeClient has noticed it. */
  #beat(): void {
    const { tee, ready, beat } = this.parts;
    if (this.#beating || !ready.isOpen) return;
    this.#beating = true;
    tee
      .ping()
      .then(({ epoch }) => beat(epoch))
      .catch(() => undefined)
      .finally(() => (this.#beating = false));
  }
}
