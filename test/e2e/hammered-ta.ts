import { fork, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../agent/package-root.js';
import { findTee } from '../../demo/processes.js';
import { Command, TA_UUID } from '../../protocol/codes.js';
import type { TaCalls } from '../ta/device-under-test.js';
import type { TaReply } from '../ta/ta-host.js';
import { until } from './world.js';

/** Part of the shared buffer that is rewritten while a call is under way, from `after` milliseconds on. */
export interface Hammer {
  readonly from: number;
  readonly to: number;
  readonly after: number;
}

interface HammeredReply extends TaReply {
  /** Bytes that were rewritten during the call. */
  readonly writes: number;
}

interface Answer {
  readonly id: number;
  readonly value?: HammeredReply;
  readonly error?: string;
}

/** The real software TEE behind the real addon, whose shared buffer somebody writes to while the TA works. */
export class HammeredTa implements TaCalls {
  readonly #folder = mkdtempSync(join(tmpdir(), 'sz-hammer-'));
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, (answer: Answer) => void>();
  #last = 0;
  /** For every call from now on. */
  hammer: ((command: keyof typeof Command, input: Uint8Array, a: number) => Hammer | undefined) | undefined;
  writes = 0;

  private constructor() {
    const root = packageRoot();
    this.#child = fork(join(root, 'test', 'e2e', 'hammer-host.mjs'), {
      execArgv: [],
      serialization: 'advanced',
      env: {
        ...process.env,
        SMART_ZONE_TEE_DIR: this.#folder,
        SMART_ZONE_TEE_SPAWN: join(root, 'build', 'smart-zone-tee'),
      },
    });
    this.#child.on('message', (answer: Answer) => {
      this.#pending.get(answer.id)?.(answer);
      this.#pending.delete(answer.id);
    });
  }

  static async open(): Promise<HammeredTa> {
    const ta = new HammeredTa();
    await ta.#ask({ kind: 'open', uuid: TA_UUID });
    return ta;
  }

  async call(command: keyof typeof Command, input: Uint8Array = new Uint8Array(0), a = 0): Promise<TaReply> {
    const hammer = this.hammer?.(command, input, a);
    const reply = await this.#ask({ kind: 'invoke', command: Command[command], input, a, hammer });
    this.writes += reply.writes;
    return reply;
  }

  async stop(): Promise<void> {
    const { supervisor } = findTee(this.#folder, undefined);
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    if (this.#child.connected) this.#child.disconnect();
    await ended;
    if (supervisor !== undefined) process.kill(supervisor, 'SIGTERM');
    await until(
      () => findTee(this.#folder, undefined).supervisor === undefined,
      () => 'the software TEE does not end',
    );
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #ask(request: object): Promise<HammeredReply> {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, ({ value, error }) => (value ? resolve(value) : reject(new Error(error))));
      this.#child.send({ id, ...request });
    });
  }
}
