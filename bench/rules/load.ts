import { execFileSync, fork, spawn, type ChildProcess } from 'node:child_process';
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
  /** Address of the broker; without it aedes, in the process that makes the labels. */
  readonly broker?: string;
  /** Before other processes of this machine, by the kernel's real-time scheduling; needs root. */
  readonly first?: boolean;
}

/** What the rules host says. */
export interface HostResult {
  readonly labels: number;
  readonly events: number;
  /** Devices and sensors that the bridge announced. */
  readonly announced: number;
  readonly missed: number;
  readonly stale: number;
  readonly failed: number;
  /** In the history, written and lost. */
  readonly rows: number;
  readonly lost: number;
  readonly seconds: number;
  /** Share of one processor. */
  readonly cpu: number;
  /** Milliseconds by which the event loop was late, at most; what garbage collection took of that, at most. */
  readonly loop: { readonly p99: number; readonly most: number; readonly collection: number };
  /** MiB of objects: the least in each twentieth of the run, which is what was alive. Nothing is collected for it. */
  readonly memory: readonly number[];
}

/** What the process says that makes the labels. */
export interface SourceResult {
  /** Of each action, in its order. */
  readonly latencies: readonly number[];
  /** Of the bridge: scores that changed. */
  readonly states: number;
}

export interface LoadResult extends HostResult {
  readonly actions: number;
  readonly states: number;
  /**
   * Milliseconds from the sealing of a label to the arrival of the message that it caused, through the broker twice. The first
   * 1000 actions, while the host compiles its code and derives the keys of every sensor, count for `starting` only: the longest of them.
   */
  readonly latency: {
    readonly median: number;
    readonly p99: number;
    readonly most: number;
    readonly starting: number;
  };
}

export const LAMPS = 'lamp';
export const BRIDGE = 'bridge';
const STARTING = 1000;

const script = (name: string): string => fileURLToPath(new URL(`${name}.js`, import.meta.url));

/** Runs a rules host under load, in a process pinned to one processor. @throws when it ends before its time */
export async function runLoad({
  rate,
  labels,
  sensors,
  core,
  broker,
  first = false,
}: Load): Promise<LoadResult> {
  const folder = mkdtempSync(join(tmpdir(), 'sz-load-'));
  const children: ChildProcess[] = [];
  try {
    const given = broker === undefined ? [] : [broker];
    const source = fork(script('label-source'), [folder, rate, labels, sensors, ...given].map(String), {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    children.push(source);
    const { url } = JSON.parse(String(((await once(source.stdout ?? source, 'data')) as unknown[])[0])) as {
      url: string;
    };
    const node = [process.execPath, script('rules-host'), folder, url, labels, sensors];
    const priority = first ? ['chrt', '--rr', '1'] : [];
    if (first) execFileSync('chrt', ['--rr', '--all-tasks', '--pid', '1', String(source.pid)]);
    const host = spawn('taskset', ['-c', core, ...priority, ...node].map(String), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    children.push(host);
    const found = await new Promise<HostResult>((resolve, reject) => {
      host.on('message', (message) => {
        if (message === 'ready') source.send('start');
        else resolve(message as HostResult);
      });
      for (const child of children) {
        child.on('error', reject);
        child.on('exit', (status) => reject(new Error(`ended with ${status ?? 'a signal'} before its time`)));
      }
    });
    // What the broker has is on its way to the lamps.
    await new Promise((resolve) => setTimeout(resolve, 500));
    source.send('report');
    const { latencies, states } = ((await once(source, 'message')) as [SourceResult])[0];
    const steady = latencies.slice(STARTING).sort((a, b) => a - b);
    const at = (share: number): number => steady[Math.floor(share * (steady.length - 1))] ?? NaN;
    const starting = Math.max(...latencies.slice(0, STARTING));
    return {
      ...found,
      actions: latencies.length,
      states,
      latency: { median: at(0.5), p99: at(0.99), most: at(1), starting },
    };
  } finally {
    for (const child of children) {
      if (child.exitCode !== null) continue;
      child.kill();
      await once(child, 'exit');
    }
    rmSync(folder, { recursive: true, force: true });
  }
}
