import { spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect, type AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { delimiter, join } from 'node:path';

/** The mosquitto broker of this machine, or undefined. Debian puts it in /usr/sbin, which is not on everyone's PATH. */
export const findMosquitto = (): string | undefined => {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, 'mosquitto')).find(isExecutable);
};

const isExecutable = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

export interface Mosquitto {
  readonly url: string;
  readonly port: number;
  stop(): Promise<void>;
}

/** Really starts mosquitto on the loopback interface. With `persistence` a killed broker knows its sessions again. */
export const startMosquitto = async (
  binary: string,
  { port, folder, extra = [] }: { port?: number; folder?: string; extra?: readonly string[] } = {},
): Promise<Mosquitto> => {
  const home = folder ?? mkdtempSync(join(tmpdir(), 'smart-zone-mosquitto-'));
  const usedPort = port ?? (await freePort());
  const lines = [
    `listener ${usedPort} 127.0.0.1`,
    'allow_anonymous true',
    `user ${userInfo().username}`,
    ...extra,
  ];
  writeFileSync(join(home, 'mosquitto.conf'), `${lines.join('\n')}\n`);
  const child = spawn(binary, ['-c', join(home, 'mosquitto.conf')], { stdio: 'ignore' });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await reachable(usedPort);
  return {
    url: `mqtt://127.0.0.1:${usedPort}`,
    port: usedPort,
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
      if (!folder) rmSync(home, { recursive: true, force: true });
    },
  };
};

const reachable = async (port: number): Promise<void> => {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nothing listens on port ${port}`);
};
