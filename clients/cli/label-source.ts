import type { Command } from 'commander';
import type { PartyKeys, PartyPublic } from '../keys/index.js';
import type { BrokerLink } from '../link/index.js';
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
export interface LabelFlags extends GlobalOptions, BrokerFlags, DeviceFlags, KeyFlags, OwnerFlags {
  readonly zone?: readonly string[];
}

export const withLabels = (command: Command): Command =>
  withOwnerLine(withKey(withDevice(withBroker(command)), 'rules')).option(
    '--zone <name>',
    'instead of a device: a zone of the roster, by name or id, with all devices that it has and gets; give it again for more',
    (name, before) => [...((before as readonly string[] | undefined) ?? []), name],
  );

/** Whose labels a command opens, and with what. */
export interface LabelSource {
  readonly keys: PartyKeys & { readonly path: string };
  readonly owner: PartyPublic;
  /** What the topics of its device start with; none where it follows zones. */
  readonly prefixes: readonly string[];
  readonly zones: readonly string[];
  /** For people: "smartzone/porch-pi", "zone porch". */
  readonly name: string;
  /** Aborted when the command is told to stop. */
  readonly signal: AbortSignal;
}

/** @throws what is wrong with the options or the files that they name */
export async function labelSource(environment: Environment, flags: LabelFlags): Promise<LabelSource> {
  const keys = await environment.keys(flags, 'rules');
  const owner = environment.ownerLine(flags);
  // A device that only the environment names gives way to a zone that was asked for.
  const { zone: zones = [] } = flags;
  const prefixes = zones.length > 0 ? [] : [environment.prefix(flags)];
  const name = [...prefixes, ...zones.map((zone) => `zone ${zone}`)].join(', ');
  return { keys, owner, prefixes, zones, name, signal: stopSignal() };
}

/** Milliseconds after which the user is told what is missing. */
const WAITING_NOTE = 5000;

function noteWhileWaiting(
  from: { ready(timeout: number): Promise<void> },
  { output }: Environment,
  signal: AbortSignal,
): void {
  from.ready(WAITING_NOTE).catch((error: unknown) => {
    if (!signal.aborted) output.note(`still waiting: ${printable(problemOf(error).message)}`);
  });
}

/** @param link that the caller has opened with `linkFor` already */
export async function connectLabels(
  environment: Environment,
  flags: LabelFlags,
  { keys, owner, prefixes, zones, signal }: LabelSource,
  options: Pick<ConnectRulesOptions, 'events' | 'maxAge'> = {},
  link?: BrokerLink,
): Promise<Rules> {
  const rules = await connectRules({
    broker: link ?? (await environment.linkFor(flags, keys, true)),
    devices: prefixes.map((prefix) => ({ prefix })),
    zones,
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
