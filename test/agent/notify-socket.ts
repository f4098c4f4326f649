import { execFileSync, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { packageRoot } from '../../agent/package-root.js';

export interface Datagram {
  /** The process that sent it. */
  readonly pid: number;
  readonly fields: readonly string[];
}

/** A notification socket like the service manager's; Node has no unix datagrams, so a small C program receives them. */
export class NotifySocket {
  readonly datagrams: Datagram[] = [];

  private constructor(
    readonly path: string,
    private readonly receiver: ChildProcessWithoutNullStreams,
  ) {}

  /** @param folder where program and socket go */
  static async create(folder: string): Promise<NotifySocket> {
    const root = packageRoot();
    execFileSync('make', ['-s', '-C', join(root, 'agent/service/native')]);
    const program = join(folder, 'receiver');
    const source = join(root, 'test/agent/notify-receiver.c');
    execFileSync('cc', ['-std=c11', '-D_GNU_SOURCE', '-Wall', '-o', program, source]);
    const path = join(folder, 'notify');
    const receiver = spawn(program, [path]);
    const socket = new NotifySocket(path, receiver);
    await new Promise<void>((resolve, reject) => {
      receiver.once('exit', () => reject(new Error('the receiver ended')));
      createInterface({ input: receiver.stdout }).on('line', (line) => {
        if (line === 'listening') return resolve();
        const [pid = '', text = ''] = line.split('\t');
        socket.datagrams.push({ pid: Number(pid), fields: text.split('|') });
      });
    });
    return socket;
  }

  /** The first datagram with this field. */
  async received(field: string): Promise<Datagram> {
    for (let i = 0; i < 1_000; i += 1) {
      const hit = this.datagrams.find(({ fields }) => fields.includes(field));
      if (hit) return hit;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error(`no ${field} in ${JSON.stringify(this.datagrams)}`);
  }

  close(): void {
    this.receiver.stdin.end();
  }
}
