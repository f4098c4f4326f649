import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { delimiter, join } from 'node:path';
import { ToolError } from '../peers/run-tool.js';

export interface Mosquitto {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Debian puts it where not everyone's PATH looks. */
const environment = {
  ...process.env,
  PATH: [process.env['PATH'], '/usr/sbin', '/usr/local/sbin'].join(delimiter),
};

/** @throws ToolError without mosquitto */
export const mosquittoVersion = (): string => {
  const { stdout, error } = spawnSync('mosquitto', ['-h'], { env: environment, encoding: 'utf8' });
  const version = /version (\S+)/.exec(stdout ?? '')?.[1];
  if (error || version === undefined)
    throw new ToolError(
      'mosquitto, the broker of both systems, is not there: sudo apt-get install mosquitto',
    );
  return version;
};

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

const isOpen = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });

/** A mosquitto of its own, on the loopback interface. */
export const startMosquitto = async (): Promise<Mosquitto> => {
  const folder = mkdtempSync(join(tmpdir(), 'sz-mosquitto-'));
  const port = await freePort();
  const configuration = join(folder, 'mosquitto.conf');
  writeFileSync(
    configuration,
    `listener ${port} 127.0.0.1\nallow_anonymous true\nuser ${userInfo().username}\nset_tcp_nodelay true\n`,
  );
  const child = spawn('mosquitto', ['-c', configuration], { stdio: 'ignore', env: environment });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  for (let attempt = 0; !(await isOpen(port)); attempt += 1) {
    if (attempt > 100) throw new Error('mosquitto does not listen');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    url: `mqtt://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
};
