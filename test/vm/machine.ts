import { spawn, type ChildProcess } from 'node:child_process';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Image } from './image.js';

export interface Outcome {
  readonly status: number;
  readonly output: string;
}

/** Boot, and every command: emulated machines are slow, waiting machines are not endless. */
const BOOT_MS = 600_000;
const COMMAND_MS = 600_000;

/**
 * What to try, in this order; what once failed is not tried again. Not every KVM is one: a nested one may refuse a processor's registers,
 * or stop at the kernel's first instructions.
 */
const accelerators: (readonly string[])[] = [
  ['-accel', 'kvm', '-cpu', 'host'],
  ['-accel', 'kvm', '-cpu', 'host,arch-capabilities=off'],
  ['-accel', 'tcg,thread=multi', '-cpu', 'max'],
];

/** A machine in QEMU, with a root shell on its second serial line. */
export class Machine {
  private received = '';
  private readonly waiting: ((line: string) => void)[] = [];
  private console = '';
  /** What it was last asked to do, and did not answer in time: it has one shell, and hears nothing until that is over. */
  private stuckWith: string | undefined;

  private constructor(
    private readonly qemu: ChildProcess,
    private readonly shell: Socket,
  ) {
    shell.on('data', (data) => this.take(data.toString()));
    qemu.stdout?.on('data', (data: Buffer) => (this.console = (this.console + data.toString()).slice(-4000)));
  }

  /** Boots, and waits for its shell: with KVM where it works, otherwise in an emulator, which is ten times slower. */
  static async boot(image: Image, folder: string): Promise<Machine> {
    for (;;) {
      const [accelerator, other] = accelerators;
      if (accelerator === undefined) throw new Error('QEMU starts no machine here');
      try {
        return await Machine.#boot(image, folder, accelerator);
      } catch (error) {
        if (other === undefined) throw error;
        console.log(`${accelerator.join(' ')} does not boot here: ${(error as Error).message}`);
        accelerators.shift();
      }
    }
  }

  static async #boot(
    { disk, kernel, initrd }: Image,
    folder: string,
    accelerator: readonly string[],
  ): Promise<Machine> {
    const path = join(folder, `shell-${process.pid}.sock`);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const connected = new Promise<Socket>((resolve) => server.once('connection', resolve));
    const qemu = spawn(
      'qemu-system-x86_64',
      [
        ...[...accelerator, '-m', '1536', '-smp', '2', '-display', 'none', '-no-reboot', '-nic', 'none'],
        ...['-kernel', kernel, '-initrd', initrd, '-append', 'root=/dev/vda rw console=ttyS0 panic=-1 quiet'],
        ...['-drive', `file=${disk},format=raw,if=virtio,cache=unsafe`],
        ...['-serial', 'stdio', '-chardev', `socket,id=shell,path=${path}`, '-serial', 'chardev:shell'],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let complaints = '';
    const failed = new Promise<never>((_resolve, reject) => {
      const fail = (): void => reject(new Error(complaints.split('\n').slice(0, 2).join(' ')));
      qemu.once('error', reject);
      qemu.once('exit', fail);
      qemu.stderr?.on('data', (data: Buffer) => {
        complaints += data.toString();
        if (complaints.includes('KVM internal error')) fail();
      });
    });
    failed.catch(() => undefined); // it ends one day
    try {
      const booted = new Machine(qemu, await Promise.race([connected, failed]));
      await Promise.race([booted.line(BOOT_MS, 'to boot'), failed]);
      return booted;
    } catch (error) {
      qemu.kill('SIGKILL');
      throw error;
    } finally {
      server.close();
    }
  }

  /** Runs a bash command as root. */
  async run(command: string, mostMs = COMMAND_MS): Promise<Outcome> {
    this.shell.write(`${Buffer.from(command).toString('base64')}\n`);
    const [status, output = ''] = (await this.line(mostMs, command)).split(' ');
    return { status: Number(status), output: Buffer.from(output, 'base64').toString() };
  }

  /** The same; fails where the command does. */
  async ok(command: string, mostMs = COMMAND_MS): Promise<string> {
    const { status, output } = await this.run(command, mostMs);
    if (status !== 0) throw new Error(`${command}\nended with ${status}:\n${output}`);
    return output;
  }

  /** Until the command succeeds. */
  async until(command: string, mostMs = COMMAND_MS): Promise<string> {
    const end = Date.now() + mostMs;
    for (;;) {
      const { status, output } = await this.run(command);
      if (status === 0) return output;
      if (Date.now() > end)
        throw new Error(`${command}\nstill ends with ${status} after ${mostMs / 1000} s:\n${output}`);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  /** An orderly end; the disk can be booted again. */
  async powerOff(): Promise<void> {
    const ended = new Promise((resolve) => this.qemu.once('exit', resolve));
    this.shell.write(`${Buffer.from('systemctl reboot').toString('base64')}\n`); // -no-reboot: QEMU ends instead
    await ended;
  }

  /** Runs a command that ends the machine, and waits until it has ended. */
  async last(command: string, mostMs = COMMAND_MS): Promise<void> {
    const ended = new Promise<undefined>((resolve) => this.qemu.once('exit', () => resolve(undefined)));
    this.shell.write(`${Buffer.from(command).toString('base64')}\n`);
    const answered = this.line(mostMs, command);
    const answer = await Promise.race([ended, answered]);
    if (answer !== undefined) throw new Error(`${command}\ndid not end the machine:\n${answer}`);
    answered.catch(() => undefined);
  }

  /** The plug is pulled. */
  async cut(): Promise<void> {
    if (this.qemu.exitCode !== null || this.qemu.signalCode !== null) return;
    const ended = new Promise((resolve) => this.qemu.once('exit', resolve));
    this.qemu.kill('SIGKILL');
    await ended;
  }

  private take(text: string): void {
    this.received += text;
    for (let end = this.received.indexOf('\n'); end >= 0; end = this.received.indexOf('\n')) {
      const line = this.received.slice(0, end).replace(/\r$/, '');
      this.received = this.received.slice(end + 1);
      if (line.endsWith('ready') || /^\d+ [A-Za-z0-9+/=]*$/.test(line)) this.waiting.shift()?.(line);
    }
  }

  private line(mostMs: number, what: string): Promise<string> {
    if (this.stuckWith !== undefined)
      return Promise.reject(new Error(`it never answered: ${this.stuckWith}`));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.stuckWith = what;
        reject(new Error(`${what}: nothing for ${mostMs / 1000} s. The console ends with:\n${this.console}`));
      }, mostMs);
      this.waiting.push((line) => {
        clearTimeout(timer);
        resolve(line);
      });
    });
  }
}
