import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Load {
  /** Labels a second, labels in all, sensors. */
  readonly rate: number;
  readonly labels: number;
  readonly sensors: number;
  /** Processor to which the rules host is pinned. */
  readonly core: number;
}

export interface LoadResult {
  readonly labels: number;
  readonly actions: number;
  readonly events: number;
  /** Devices and sensors that the bridge announced. */
  readonly announced: number;
  readonly missed: number;
  readonly failed: number;
  /** In the history, written and lost. */
  readonly rows: number;
  readonly lost: number;
  readonly seconds: number;
  /** Share of one processor. */
  readonly cpu: number;
  /**
   * Milliseconds from the sealing of a label to the action that it caused, broker included. The first 1000 labels, while the
   * host starts, count for `starting` only: the longest among them.
   */
  readonly latency: {
    readonly median: number;
    readonly p99: number;
    readonly most: number;
    readonly starting: number;
  };
  /** MiB alive after each twentieth of the labels, just collected. */
  readonly memory: readonly number[];
}

const script = (name: string): string => fileURLToPath(new URL(`${name}.js`, import.meta.url));

/** Runs a rules host under load, in a process pinned to one processor. @throws when it ends before its time */
export async function runLoad({ rate, labels, sensors, core }: Load): Promise<LoadResult> {
  const folder = mkdtempSync(join(tmpdir(), 'sz-load-'));
  const children: ChildProcess[] = [];
  try {
    const source = fork(script('label-source'), [folder, rate, labels, sensors].map(String), {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    children.push(source);
    const { url } = JSON.parse(String(((await once(source.stdout ?? source, 'data')) as unknown[])[0])) as {
      url: string;
    };
    const node = [process.execPath, '--expose-gc', script('rules-host'), folder, url, labels, sensors];
    const host = spawn('taskset', ['-c', core, ...node].map(String), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    children.push(host);
    return await new Promise<LoadResult>((resolve, reject) => {
      host.on('message', (message) => {
        if (message === 'ready') source.send('start');
        else resolve(message as LoadResult);
      });
      for (const child of children) {
        child.on('error', reject);
        child.on('exit', (status) => reject(new Error(`ended with ${status ?? 'a signal'} before its time`)));
      }
    });
  } finally {
    for (const child of children) {
      if (child.exitCode !== null) continue;
      child.kill();
      await once(child, 'exit');
    }
    rmSync(folder, { recursive: true, force: true });
  }
}
