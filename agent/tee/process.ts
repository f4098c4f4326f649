import { fork, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
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
 * One TEE client process with one open session. It is a process of its own because a call that hangs in the TEE (a dead
 * tee-supplicant) cannot be cancelled: killing the client is the one way out, and the daemon must survive that.
 * Requests must not overlap.
 */
export class TeeProcess {
  readonly #child: ChildProcess;
  readonly #deadlineMs: number;
  readonly #file: RequestFile;
  readonly exited: Promise<void>;
  #answer: ((reply: HostReply | undefined) => void) | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #dead = false;

  private constructor(child: ChildProcess, file: RequestFile, deadlineMs: number) {
    this.#child = child;
    this.#file = file;
    this.#deadlineMs = deadlineMs;
    child.on('message', (message) => {
      const reply = message as HostReply | HostProgress;
      if (reply.kind === 'progress') this.#deadline?.refresh();
      else this.#answer?.(reply);
    });
    this.exited = new Promise((resolve) => {
      const gone = (): void => {
        if (!this.#dead) file.close();
        this.#dead = true;
        this.#answer?.(undefined);
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
      const reply = await tee.#request({
        kind: 'open',
        addon,
        library: libraryPath(root, config.library),
        uuid: config.uuid,
        bufferSize: config.bufferSize,
      });
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

  /** One call. Throws TEE_TIMEOUT or TEE_DIED (the process must then be killed), or what teecError() makes of a failure. */
  async invoke(request: InvokeRequest | SegmentRequest): Promise<InvokeReply> {
    const reply = await this.#request(request.kind === 'invoke' ? this.#laidDown(request) : request);
    if (reply.kind === 'reply') return reply;
    throw reply.kind === 'failure' ? teecError(reply.teec, reply.message) : new SmartZoneError('TEE_DIED');
  }

  #laidDown(request: InvokeRequest): InvokeRequest {
    const { input } = request;
    if (typeof input === 'number' || input.length < LEAST_BYTES || this.#dead) return request;
    this.#file.write(input);
    return { ...request, input: input.length };
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

  #request(request: HostRequest): Promise<HostReply> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#answer = undefined;
        reject(new SmartZoneError('TEE_TIMEOUT', `${this.#deadlineMs} ms`));
      }, this.#deadlineMs);
      this.#deadline = timer;
      const died = (): void => reject(new SmartZoneError('TEE_DIED', 'the TEE client process ended'));
      this.#answer = (reply) => {
        clearTimeout(timer);
        this.#answer = undefined;
        if (reply) resolve(reply);
        else died();
      };
      if (this.#dead || !this.#child.connected) this.#answer(undefined);
      else this.#child.send(request, (error) => error && this.#answer?.(undefined));
    });
  }
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
