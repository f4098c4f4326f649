import { fork, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TA_UUID } from '../../protocol/codes.js';
import { make } from './make.js';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Commands of ta/soft/test/test_ta.h. */
export const Test = {
  EMPTY: 1,
  ECHO: 2,
  PANIC: 3,
  HOG: 4,
  SPIN: 5,
  STORE: 6,
  LOAD: 7,
  WATCH: 8,
  PROPERTY: 9,
  INTRUDE: 10,
  DEEP: 11,
  CRASH: 12,
  CRYPTO: 13,
} as const;

/** Makes the software TEE with its own test TA, and the addon. */
export const buildSoftTee = (): void => {
  make(['-C', 'ta/soft', 'test-ta']);
  make(['-C', 'agent/native']);
};

const exists = (pid: number): boolean => {
  try {
    // A zombie is gone: only its entry waits for the parent.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export const eventually = async (holds: () => boolean, ms = 5_000): Promise<void> => {
  for (const end = Date.now() + ms; !holds(); await sleep(10))
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${holds.toString()}`);
};

export const ended = (pid: number): Promise<void> => eventually(() => !exists(pid));

/** What runs: programs, the Node that clients run on, and the folder of the products that it loads. */
export interface TeePrograms {
  readonly supervisor: string;
  readonly ta: string;
  readonly node: string;
  readonly products: string;
}

/** This machine's own, with the software TEE's test TA. */
export const testPrograms: TeePrograms = {
  supervisor: `${root}build/smart-zone-tee`,
  ta: `${root}build/smart-zone-test-ta`,
  node: process.execPath,
  products: `${root}build`,
};

/** A folder with a supervisor in it. */
export class SoftTee {
  readonly folder = mkdtempSync(join(tmpdir(), 'sz-tee-'));
  readonly options: readonly string[];
  #supervisor: ChildProcess | undefined;
  log = '';

  private constructor(
    readonly programs: TeePrograms,
    options: readonly string[],
  ) {
    this.options = options;
  }

  static create(...options: string[]): Promise<SoftTee> {
    return SoftTee.of(testPrograms, ...options);
  }

  static async of(programs: TeePrograms, ...options: string[]): Promise<SoftTee> {
    const tee = new SoftTee(programs, options);
    await tee.start();
    return tee;
  }

  async start(): Promise<void> {
    const supervisor = spawn(
      this.programs.supervisor,
      ['--dir', this.folder, '--ta', this.programs.ta, ...this.options],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    supervisor.stderr.on('data', (chunk: Buffer) => (this.log += chunk.toString()));
    this.#supervisor = supervisor;
    const before = this.log.length;
    await eventually(() => this.log.slice(before).includes('ready'));
  }

  get pid(): number {
    const pid = this.#supervisor?.pid;
    if (pid === undefined) throw new Error('no supervisor');
    return pid;
  }

  get exitCode(): number | null | undefined {
    return this.#supervisor?.exitCode;
  }

  /** The TA's process. */
  get taPid(): number {
    const pid = Number(readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, 'utf8').trim());
    if (!pid) throw new Error('no TA process');
    return pid;
  }

  get hasTa(): boolean {
    return readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, 'utf8').trim() !== '';
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    process.kill(this.pid, signal);
    await ended(this.pid);
  }

  /** Ends it in order and removes the folder. */
  async destroy(): Promise<void> {
    if (this.#supervisor && this.#supervisor.exitCode === null && exists(this.pid)) {
      process.kill(this.pid, 'SIGCONT');
      await this.kill('SIGTERM');
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export interface Reply {
  readonly result: number;
  readonly origin: number;
  readonly outLength: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  readonly output: Buffer;
}

export interface Call {
  readonly input?: Uint8Array;
  readonly inLength?: number;
  readonly outOffset?: number;
  readonly outLength?: number;
  readonly a?: number;
  readonly b?: number;
}

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: { readonly message: string; readonly code?: number; readonly origin?: number };
}

/** One client process with at most one session. */
export class Client {
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, (answer: Answer) => void>();
  #last = 0;

  constructor(environment: Record<string, string>, { node, products }: TeePrograms = testPrograms) {
    this.#child = fork(`${root}test/support/tee-client-host.mjs`, [products], {
      execPath: node,
      execArgv: [],
      serialization: 'advanced',
      env: { PATH: process.env['PATH'], ...environment },
    });
    this.#child.on('message', (answer: Answer) => {
      this.#pending.get(answer.id)?.(answer);
      this.#pending.delete(answer.id);
    });
  }

  /** With an open session. */
  static async open(tee: SoftTee, bufferSize = 2 << 20): Promise<Client> {
    const client = new Client({ SMART_ZONE_TEE_DIR: tee.folder }, tee.programs);
    try {
      await client.open(bufferSize);
    } catch (error) {
      await client.kill();
      throw error;
    }
    return client;
  }

  open(bufferSize = 2 << 20, uuid = TA_UUID): Promise<unknown> {
    return this.#ask({ kind: 'open', uuid, bufferSize });
  }

  invoke(command: number, call: Call = {}): Promise<Reply> {
    return this.#ask({ kind: 'invoke', command, ...call }) as Promise<Reply>;
  }

  poke(offset: number, byte: number): Promise<unknown> {
    return this.#ask({ kind: 'poke', offset, byte });
  }

  close(): Promise<unknown> {
    return this.#ask({ kind: 'close' });
  }

  /** Ends the process, with whatever is under way. */
  async kill(): Promise<void> {
    const { pid } = this.#child;
    this.#child.kill('SIGKILL');
    if (pid !== undefined) await ended(pid);
  }

  #ask(request: object): Promise<unknown> {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, ({ value, error }) => {
        if (error) reject(Object.assign(new Error(error.message), error));
        else resolve(value);
      });
      this.#child.send({ id, request });
    });
  }
}
