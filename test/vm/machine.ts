import { spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Image } from './image.js';

export interface Outcome {
  readonly status: number;
  readonly output: string;
}

/** Boot, and every command: emulated machines are slow, waiting machines are not endless. */
const BOOT_MS = 180_000;
const COMMAND_MS = 180_000;

const kvmWorks = (): boolean => {
  if (process.env['SMART_ZONE_VM_KVM'] !== '1') return false;
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
};

/** A machine in QEMU, emulated (or with KVM where SMART_ZONE_VM_KVM=1 asks for it), with a root shell on its second serial line. */
export class Machine {
  private received = '';
  private readonly waiting: ((line: string) => void)[] = [];
  private console = '';

  private constructor(
    private readonly qemu: ChildProcess,
    private readonly shell: Socket,
  ) {
    shell.on('data', (data) => this.take(data.toString()));
    qemu.stdout?.on('data', (data: Buffer) => (this.console = (this.console + data.toString()).slice(-4000)));
  }

  /** Boots, and waits for its shell. */
  static async boot({ disk, kernel, initrd }: Image, folder: string): Promise<Machine> {
    const path = join(folder, `shell-${process.pid}.sock`);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const connected = new Promise<Socket>((resolve) => server.once('connection', resolve));
    const machine = kvmWorks()
      ? ['-accel', 'kvm', '-cpu', 'host']
      : ['-accel', 'tcg,thread=multi', '-cpu', 'max'];
    const qemu = spawn(
      'qemu-system-x86_64',
      [
        ...[...machine, '-m', '1536', '-smp', '2', '-display', 'none', '-no-reboot', '-nic', 'none'],
        ...['-kernel', kernel, '-initrd', initrd, '-append', 'root=/dev/vda rw console=ttyS0 panic=-1 quiet'],
        ...['-drive', `file=${disk},format=raw,if=virtio,cache=unsafe`],
        ...['-serial', 'stdio', '-chardev', `socket,id=shell,path=${path}`, '-serial', 'chardev:shell'],
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const shell = await connected;
    server.close();
    const booted = new Machine(qemu, shell);
    await booted.line(BOOT_MS, 'to boot');
    return booted;
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
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`${what}: nothing for ${mostMs / 1000} s. The console ends with:\n${this.console}`));
      }, mostMs);
      this.waiting.push((line) => {
        clearTimeout(timer);
        resolve(line);
      });
    });
  }
}
