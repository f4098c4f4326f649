import { readdirSync, readFileSync } from 'node:fs';

/** One process as /proc shows it. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  /** The program's name, at most 15 characters. */
  readonly name: string;
  /** Z for one that has ended and was not waited for. */
  readonly state: string;
  readonly commandLine: readonly string[];
}

/** All processes, by proc_pid_stat(5). */
export const listProcesses = (): ProcessEntry[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        const end = stat.lastIndexOf(')');
        const [state = '', parent = '0'] = stat.slice(end + 2).split(' ');
        const commandLine = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
        const program = stat.slice(stat.indexOf('(') + 1, end);
        return [{ pid: Number(name), parent: Number(parent), name: program, state, commandLine }];
      } catch {
        // It has just ended.
        return [];
      }
    });

export const isRunning = (pid: number): boolean =>
  listProcesses().some((entry) => entry.pid === pid && entry.state !== 'Z');

/** Pids of the software TEE that runs in a folder, of its TA, and of the agent's child that talks to them. */
export interface TeePids {
  readonly supervisor: number | undefined;
  readonly ta: number | undefined;
  readonly client: number | undefined;
}

/** @param agent the agent's pid */
export const findTee = (folder: string, agent: number | undefined): TeePids => {
  const running = listProcesses().filter(({ state }) => state !== 'Z');
  const supervisor = running.find(({ name, pid, commandLine }) => {
    if (name !== 'smart-zone-tee') return false;
    return commandLine.includes(folder) || environmentOf(pid).includes(`SMART_ZONE_TEE_DIR=${folder}`);
  })?.pid;
  const child = (parent: number | undefined, name: string): number | undefined =>
    parent === undefined
      ? undefined
      : running.find((entry) => entry.parent === parent && entry.name === name)?.pid;
  const host = running.find(
    ({ parent, commandLine }) => parent === agent && commandLine.some((part) => part.endsWith('tee/host.js')),
  );
  return { supervisor, ta: child(supervisor, 'smart-zone-ta'), client: host?.pid };
};

const environmentOf = (pid: number): string[] => {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return [];
  }
};
