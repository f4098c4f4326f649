import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';

/** A program that holds one engine with one model and infers on command (bench/native/worker.h). */
export class Worker {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;
  /** Resolved when it has ended and all that it said is here. */
  readonly #ended: Promise<unknown>;
  #lastWords = '';

  private constructor(command: readonly string[], environment: Readonly<Record<string, string>>) {
    const [program = '', ...parameters] = command;
    this.#child = spawn(program, parameters, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    });
    this.#ended = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stderr?.on('data', (text: Buffer) => {
      this.#lastWords = `${this.#lastWords}${text.toString()}`.slice(-2000);
    });
    this.#child.stdin?.on('error', () => undefined); // the worker's end shows when its answer is missing
    if (!this.#child.stdout) throw new Error('unreachable');
    this.#reader = createInterface(this.#child.stdout);
    this.#lines = this.#reader[Symbol.asyncIterator]();
    this.#child.on('error', (error) => {
      this.#lastWords = error.message;
      this.#reader.close();
    });
  }

  /** Starts a worker and waits until its model is loaded. @param core the one processor that it may use */
  static async start(
    command: readonly string[],
    core?: number,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<Worker> {
    const pinned = core === undefined ? command : ['taskset', '--cpu-list', String(core), ...command];
    const worker = new Worker(pinned, environment);
    await worker.#answer('ready');
    return worker;
  }

  /** @returns milliseconds of each inference */
  async run(count: number): Promise<number[]> {
    return (await this.ask(`run ${count}`, 'times')).map(Number);
  }

  /** Writes the output of the last inference to a file. */
  async output(path: string): Promise<void> {
    await this.ask(`output ${path}`, 'written');
  }

  /** @returns the words behind the answer's first one */
  async ask(command: string, answer: string): Promise<string[]> {
    this.#child.stdin?.write(`${command}\n`);
    return this.#answer(answer);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Lets it end by itself. */
  async stop(): Promise<void> {
    this.#child.stdin?.end();
    await this.#ended;
    this.#reader.close();
  }

  async #answer(expected: string): Promise<string[]> {
    const { value, done } = (await this.#lines.next()) as { value: string | undefined; done?: boolean };
    const [word, ...rest] = (value ?? '').trim().split(' ');
    if (done) await this.#ended;
    if (done || word !== expected)
      throw new Error(`${this.#child.spawnargs.join(' ')}: no "${expected}": ${this.#lastWords.trim()}`);
    return rest;
  }
}
