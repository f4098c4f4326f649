import { fork, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { BUFFER } from '../../protocol/codes.js';
import { SmartZoneError } from '../../protocol/errors.js';
import type { TeeConfig } from '../config.js';
import { packageRoot } from '../package-root.js';
import { teecError } from './errors.js';
import type {
  HostProgress,
  HostReply,
  HostRequest,
  InvokeReply,
  InvokeRequest,
  ModelRequest,
  SegmentRequest,
} from './messages.js';
import { LEAST_BYTES, RequestFile } from './request-file.js';

/**
 * Opening takes longer than a call: this process starts, OP-TEE loads the TA, and where it has the attestation PTA it may have to make
 * an RSA key first. Whoever is killed in the middle of that leaves a tee-supplicant that ends too.
 */
const OPEN_DEADLINES = 4;

/**
 * One TEE client process with one open session. It is a process of its own because a call that hangs in the TEE (a dead
 * tee-supplicant) cannot be cancelled: killing the client is the one way out, and the daemon must survive that.
 * Requests are answered in their order; of long ones at most two may be under way.
 */
export class TeeProcess {
  readonly #child: ChildProcess;
  readonly #deadlineMs: number;
  readonly #file: RequestFile;
  readonly exited: Promise<void>;
  /** Requests without an answer, the oldest first: that one the TEE works on, and its deadline runs. */
  readonly #waiting: Waiting[] = [];
  #deadline: NodeJS.Timeout | undefined;
  #dead = false;
  /** Which half of the request file the next long request goes to. */
  #half = 0;

  private constructor(child: ChildProcess, file: RequestFile, deadlineMs: number) {
    this.#child = child;
    this.#file = file;
    this.#deadlineMs = deadlineMs;
    child.on('message', (message) => {
      const reply = message as HostReply | HostProgress;
      if (reply.kind === 'progress') this.#deadline?.refresh();
      else this.#settle(reply);
    });
    this.exited = new Promise((resolve) => {
      const gone = (): void => {
        if (!this.#dead) file.close();
        this.#dead = true;
        this.#abandon(new SmartZoneError('TEE_DIED', 'the TEE client process ended'));
        resolve();
      };
      child.once('exit', gone);
      child.on('error', gone);
    });
  }

  /** Starts the process and opens the session. Throws TEE_UNREACHABLE or TEE_TIMEOUT, leaving no process. */
  static async create(config: TeeConfig): Promise<TeeProcess> {
    const root = packageRoot();
    const addon = config.addon || join(root, 'build', 'smart_zone_tee.node');
    if (!existsSync(addon))
      throw new SmartZoneError(
        'TEE_UNREACHABLE',
        `${addon} is not built: run npm run build in the repository`,
      );
    const file = RequestFile.create();
    const child = fork(hostModule(root), {
      execArgv: [],
      serialization: 'advanced',
      env: { ...process.env, ...softTeeEnvironment(root, config) },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc', file.descriptor],
    });
    const tee = new TeeProcess(child, file, config.deadlineMs);
    try {
      const request: HostRequest = {
        kind: 'open',
        addon,
        library: libraryPath(root, config.library),
        uuid: config.uuid,
        bufferSize: config.bufferSize,
      };
      const reply = await tee.#request(request, OPEN_DEADLINES * config.deadlineMs);
      if (reply.kind !== 'opened')
        throw new SmartZoneError('TEE_UNREACHABLE', reply.kind === 'failure' ? reply.message : 'no answer');
      return tee;
    } catch (error) {
      tee.kill();
      await tee.exited;
      throw error instanceof SmartZoneError && error.code === 'TEE_DIED'
        ? new SmartZoneError('TEE_UNREACHABLE', 'the TEE client process ended')
        : error;
    }
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /**
   * One call. Throws TEE_TIMEOUT or TEE_DIED (the process must then be killed), TEE_UNREACHABLE where one of these came before the
   * TEE saw the request, or what teecError() makes of a failure.
   */
  async invoke(request: InvokeRequest | SegmentRequest): Promise<InvokeReply> {
    const reply = await this.invokeIf(request);
    if (reply === undefined) throw new SmartZoneError('TEE_DIED');
    return reply;
  }

  /** The same for a request that `follows` another; undefined: it was skipped. */
  async invokeIf(request: InvokeRequest | SegmentRequest): Promise<InvokeReply | undefined> {
    const reply = await this.#request(request.kind === 'invoke' ? this.#laidDown(request) : request);
    if (reply.kind === 'reply') return reply;
    if (reply.kind === 'skipped') return undefined;
    throw reply.kind === 'failure' ? teecError(reply.teec, reply.message) : new SmartZoneError('TEE_DIED');
  }

  #laidDown(request: InvokeRequest): InvokeRequest {
    const { input } = request;
    if (typeof input === 'number' || input.length < LEAST_BYTES || this.#dead) return request;
    const at = this.#half * BUFFER.in;
    this.#half = 1 - this.#half;
    this.#file.write(input, at);
    return { ...request, input: input.length, at };
  }

  /** Opens a package's file. Throws MODEL_UNKNOWN where it cannot be opened. */
  async useModel(request: ModelRequest): Promise<void> {
    const reply = await this.#request(request);
    if (reply.kind === 'failure') throw new SmartZoneError('MODEL_UNKNOWN', reply.message);
  }

  /** Closes the session in order; kills the process when it does not end soon. */
  async close(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    const timer = setTimeout(() => this.kill(), 2_000);
    await this.exited;
    clearTimeout(timer);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #request(request: HostRequest, deadlineMs = this.#deadlineMs): Promise<HostReply> {
    return new Promise((resolve, reject) => {
      if (this.#dead || !this.#child.connected) {
        reject(new SmartZoneError('TEE_DIED', 'the TEE client process ended'));
        return;
      }
      this.#waiting.push({ resolve, reject, deadlineMs });
      if (this.#waiting.length === 1) this.#startDeadline();
      this.#child.send(request, (error) => {
        if (error) this.#abandon(new SmartZoneError('TEE_DIED', 'the TEE client process ended'));
      });
    });
  }

  #startDeadline(): void {
    clearTimeout(this.#deadline);
    const { deadlineMs } = this.#waiting[0] ?? { deadlineMs: this.#deadlineMs };
    this.#deadline = setTimeout(() => {
      this.#abandon(new SmartZoneError('TEE_TIMEOUT', `${deadlineMs} ms`));
    }, deadlineMs);
  }

  #settle(reply: HostReply): void {
    clearTimeout(this.#deadline);
    this.#waiting.shift()?.resolve(reply);
    if (this.#waiting.length > 0) this.#startDeadline();
  }

  /** No answers will come: the oldest request is the cause, the TEE has not seen the others. */
  #abandon(cause: SmartZoneError): void {
    clearTimeout(this.#deadline);
    this.#waiting.shift()?.reject(cause);
    for (const { reject } of this.#waiting.splice(0))
      reject(new SmartZoneError('TEE_UNREACHABLE', 'the TEE was lost before this request'));
  }
}

interface Waiting {
  readonly resolve: (reply: HostReply) => void;
  readonly reject: (error: SmartZoneError) => void;
  readonly deadlineMs: number;
}

/** The compiled host: beside this file, or in dist/ when this file runs from source under jest. */
const hostModule = (root: string): string => {
  const here = new URL('./host.js', import.meta.url);
  return existsSync(here) ? here.pathname : join(root, 'dist', 'agent', 'tee', 'host.js');
};

/** Where the software TEE lives, and the program that its client library starts there if nobody answers yet. */
const softTeeEnvironment = (root: string, { library, storageDir }: TeeConfig): Record<string, string> => {
  if (library !== 'soft') return {};
  mkdirSync(storageDir, { recursive: true, mode: 0o700 });
  return { SMART_ZONE_TEE_DIR: storageDir, SMART_ZONE_TEE_SPAWN: join(root, 'build', 'smart-zone-tee') };
};

const libraryPath = (root: string, library: string): string => {
  if (library === 'optee') return 'libteec.so.2';
  if (library === 'soft') return join(root, 'build', 'libteec-soft.so');
  return library;
};
