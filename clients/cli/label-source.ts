import type { Command } from 'commander';
import type { PartyKeys, PartyPublic } from '../keys/index.js';
import { connectRules, deviceSeenPath, type ConnectRulesOptions, type Rules } from '../rules/index.js';
import {
  stopSignal,
  withBroker,
  withDevice,
  withKey,
  withOwnerLine,
  type BrokerFlags,
  type DeviceFlags,
  type Environment,
  type GlobalOptions,
  type KeyFlags,
  type OwnerFlags,
} from './environment.js';
import { problemOf } from './exit-codes.js';
import { printable } from './output.js';

/** Options of the commands that open labels. */
export interface LabelFlags extends GlobalOptions, BrokerFlags, DeviceFlags, KeyFlags, OwnerFlags {}

export const withLabels = (command: Command): Command =>
  withOwnerLine(withKey(withDevice(withBroker(command)), 'rules'));

/** Whose labels a command opens, and with what. */
export interface LabelSource {
  readonly keys: PartyKeys & { readonly path: string };
  readonly owner: PartyPublic;
  readonly prefix: string;
  /** Aborted when the command is told to stop. */
  readonly signal: AbortSignal;
}

/** @throws what is wrong with the options or the files that they name */
export async function labelSource(environment: Environment, flags: LabelFlags): Promise<LabelSource> {
  const keys = await environment.keys(flags, 'rules');
  const owner = environment.ownerLine(flags);
  const prefix = environment.prefix(flags);
  return { keys, owner, prefix, signal: stopSignal() };
}

/** Milliseconds after which the user is told what is missing. */
const WAITING_NOTE = 5000;

export function noteWhileWaiting(
  from: { ready(timeout: number): Promise<void> },
  { output }: Environment,
  signal: AbortSignal,
): void {
  from.ready(WAITING_NOTE).catch((error: unknown) => {
    if (!signal.aborted) output.note(`still waiting: ${printable(problemOf(error).message)}`);
  });
}

export async function connectLabels(
  environment: Environment,
  flags: LabelFlags,
  { keys, owner, prefix, signal }: LabelSource,
  options: Pick<ConnectRulesOptions, 'events'> = {},
): Promise<Rules> {
  const rules = await connectRules({
    broker: await environment.linkFor(flags, keys, true),
    devices: [{ prefix }],
    key: keys,
    owner,
    seenPath: (each) => deviceSeenPath(keys.path, each),
    ...options,
  });
  noteWhileWaiting(rules, environment, signal);
  return rules;
}

/** Resolves when the command is told to stop. */
export const stopped = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
