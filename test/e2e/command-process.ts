import { spawn, type ChildProcess } from 'node:child_process';

/** A command of the program, as a process of its own, and everything that it writes. */
export class CommandProcess {
  readonly child: ChildProcess;
  readonly #written: Buffer[] = [];
  readonly #ended: Promise<number | null>;

  /** @param temporary its folder for temporary files */
  constructor(args: readonly string[], temporary: string) {
    this.child = spawn(process.execPath, ['dist/clients/cli/main.js', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, TMPDIR: temporary, SMART_ZONE_TRACE: '1' },
    });
    this.child.stdout?.on('data', (chunk: Buffer) => this.#written.push(chunk));
    this.child.stderr?.on('data', (chunk: Buffer) => this.#written.push(chunk));
    this.#ended = new Promise((resolve) => this.child.once('close', (code) => resolve(code)));
  }

  get written(): Buffer {
    return Buffer.concat(this.#written);
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error('the command did not start');
    return this.child.pid;
  }

  /** @throws with what it wrote, where its exit status is not 0 */
  async succeeds(): Promise<void> {
    const code = await this.#ended;
    if (code !== 0) throw new Error(`exit status ${code}: ${this.written.toString()}`);
  }
}
