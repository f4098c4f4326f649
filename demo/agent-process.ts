import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { packageRoot } from '../agent/package-root.js';
import { findTee, isRunning, type TeePids } from './processes.js';

export interface AgentProcessOptions {
  /** For configuration, models and the software TEE's storage; a short path, because sockets have short names. */
  readonly folder: string;
  readonly brokerUrl: string;
  /** What the device's topics start with. */
  readonly prefix: string;
  /** More of the agent's configuration, by dotted key. */
  readonly set?: Readonly<Record<string, string | number | boolean>>;
  /** The model directory lies on a file system of its own, of so many bytes (a tmpfs that only the agent sees; takes the right to mount). */
  readonly modelDisk?: number;
  /** More environment variables, for the software TEE as well. */
  readonly env?: Readonly<Record<string, string>>;
}

/** One line of the agent's log. */
export type AgentLogLine = Readonly<Record<string, unknown>> & { readonly message: string };

interface AgentProcessEvents {
  log: [AgentLogLine];
}

/** The agent as users run it, a process of its own, with the software TEE that it starts. */
export class AgentProcess extends EventEmitter<AgentProcessEvents> {
  readonly teeFolder: string;
  readonly log: AgentLogLine[] = [];
  readonly #options: AgentProcessOptions;
  readonly #config: string;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();

  private constructor(options: AgentProcessOptions) {
    super();
    const { folder, brokerUrl, prefix } = options;
    this.#options = options;
    this.teeFolder = join(folder, 'tee');
    this.#config = join(folder, 'agent.json');
    mkdirSync(folder, { recursive: true });
    const config = {
      device: { name: 'demo' },
      topics: { prefix },
      broker: { url: brokerUrl, reconnectMinMs: 50, reconnectMaxMs: 500 },
      tee: { library: 'soft', storageDir: this.teeFolder },
      models: { directory: join(folder, 'models') },
    };
    writeFileSync(this.#config, `${JSON.stringify(config, null, 2)}\n`);
  }

  /** Starts the agent; it is not ready yet. */
  static start(options: AgentProcessOptions): AgentProcess {
    const agent = new AgentProcess(options);
    agent.restart();
    return agent;
  }

  /** Starts the process again, after it was killed. */
  restart(): void {
    const main = join(packageRoot(), 'dist', 'agent', 'main.js');
    const set = Object.entries(this.#options.set ?? {}).flatMap(([key, value]) => [
      '--set',
      `${key}=${value}`,
    ]);
    const [program = '', ...args] = [
      ...this.#onDisk(),
      process.execPath,
      main,
      '--config',
      this.#config,
      ...set,
    ];
    const child = spawn(program, args, {
      stdio: ['ignore', 'inherit', 'pipe'],
      env: { ...process.env, ...this.#options.env },
      // Ctrl-C is for us: what is under way is worked off before the agent is told to stop.
      detached: true,
    });
    this.#child = child;
    this.#exited = new Promise((resolve) => child.once('exit', () => resolve()));
    createInterface({ input: child.stderr }).on('line', (text) => this.#line(text));
  }

  /** In a mount namespace of its own; exec keeps the process. */
  #onDisk(): readonly string[] {
    const { folder, modelDisk } = this.#options;
    if (modelDisk === undefined) return [];
    const script = 'mkdir -p "$1" && mount -t tmpfs -o size="$2" none "$1" && shift 2 && exec "$@"';
    return ['unshare', '--mount', 'sh', '-c', script, 'sh', join(folder, 'models'), String(modelDisk)];
  }

  /** The model directory, as seen from here. */
  get modelFolder(): string {
    const { folder, modelDisk } = this.#options;
    return join(modelDisk === undefined ? '/' : `/proc/${this.pid}/root`, folder, 'models');
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error('the agent does not run');
    return pid;
  }

  get teePids(): TeePids {
    return findTee(this.teeFolder, this.#child?.pid);
  }

  /** Resolves when a line with this message was logged after the first `from` lines. */
  async logged(message: string, { from = 0, timeout = 20_000 } = {}): Promise<AgentLogLine> {
    const known = this.log.slice(from).find((line) => line.message === message);
    if (known) return known;
    return new Promise((resolve, reject) => {
      const onLog = (line: AgentLogLine): void => {
        if (line.message === message) finish(() => resolve(line));
      };
      const late = (): void => {
        const last = this.log.slice(-8).map((line) => JSON.stringify(line));
        finish(() => reject(new Error(`the agent did not say "${message}". It said:\n${last.join('\n')}`)));
      };
      const timer = setTimeout(late, timeout);
      const finish = (then: () => void): void => {
        clearTimeout(timer);
        this.off('log', onLog);
        then();
      };
      this.on('log', onLog);
    });
  }

  /** Ends the agent as a power cut would; the software TEE goes on. */
  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL');
    await this.#exited;
  }

  /** Ends the agent in order, then the software TEE that it started. */
  async stop(): Promise<void> {
    const pids = this.teePids;
    if (this.#child?.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGTERM');
      const timer = setTimeout(() => this.#child?.kill('SIGKILL'), 10_000);
      await this.#exited;
      clearTimeout(timer);
    }
    const after = this.teePids;
    const all = [pids.client, pids.supervisor, pids.ta, after.client, after.supervisor, after.ta];
    await end(all.filter((pid) => pid !== undefined));
  }

  #line(text: string): void {
    let line: AgentLogLine;
    try {
      line = JSON.parse(text.replace(/^<\d>/, '')) as AgentLogLine;
    } catch {
      // The software TEE's own words, or a crash.
      line = { message: text };
    }
    this.log.push(line);
    this.emit('log', line);
  }
}

/** SIGTERM, and SIGKILL for what is still there after two seconds. A stopped process is woken for it. */
const end = async (pids: readonly number[]): Promise<void> => {
  const signal = (pid: number, name: NodeJS.Signals): void => {
    try {
      process.kill(pid, name);
    } catch {
      // It has ended by itself.
    }
  };
  const left = new Set(pids.filter(isRunning));
  for (const pid of left) {
    signal(pid, 'SIGCONT');
    signal(pid, 'SIGTERM');
  }
  for (let waited = 0; left.size > 0; waited += 20) {
    if (waited === 2_000) for (const pid of left) signal(pid, 'SIGKILL');
    if (waited > 4_000) throw new Error(`processes ${[...left].join(' ')} do not end`);
    await new Promise((resolve) => setTimeout(resolve, 20));
    for (const pid of left) if (!isRunning(pid)) left.delete(pid);
  }
};
