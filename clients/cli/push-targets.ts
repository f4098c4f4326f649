import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { devicePrefix, Topics } from '../../protocol/topics.js';
import type { BrokerLink } from '../link/index.js';
import type { PartyPublic } from '../keys/index.js';
import { UsageError } from './exit-codes.js';

/** Which devices a command is about. */
export interface TargetFlags {
  readonly to?: readonly string[];
  readonly roster?: string;
  readonly file?: string;
}

export interface Targets {
  readonly prefixes: readonly string[];
  /** Devices of the roster that were not heard, by name. */
  readonly absent: readonly string[];
}

export const withTargets = (command: Command): Command =>
  command
    .option('--to <device...>', 'names of devices, or what their topics start with')
    .option('--roster <which>', "devices of the owner's newest roster: all, or zone:<id>")
    .option('--file <list>', 'a file with one name, or what its topics start with, in each line');

/** @throws UsageError where none is named, and as rosterDevices() */
export const targetsOf = async (
  { to = [], roster, file }: TargetFlags,
  owner: PartyPublic,
  link: BrokerLink,
): Promise<Targets> => {
  const listed =
    file === undefined
      ? []
      : readFileSync(file, 'utf8')
          .split(/\r?\n/)
          .map((line) => line.trim())
          .filter((line) => line !== '' && !line.startsWith('#'));
  const named = [...to, ...listed].map(prefixOf);
  if (named.length === 0 && roster === undefined)
    throw new UsageError('which devices? give --to <device...>, --roster all or --file <list>');
  if (roster !== undefined && roster !== 'all' && !/^zone:[0-9a-f]{16}$/.test(roster))
    throw new UsageError(`--roster: all, or zone: and 16 hexadecimal digits, not ${roster}`);
  const { rosterDevices } = await import('../publisher/push/roster-devices.js');
  const found =
    roster === undefined ? [] : await rosterDevices({ link, owner: owner.signing, which: roster });
  const heard = found.flatMap(({ prefix }) => (prefix === undefined ? [] : [prefix]));
  return {
    prefixes: [...new Set([...named, ...heard])],
    absent: found.filter(({ prefix }) => prefix === undefined).map(({ name }) => name),
  };
};

const prefixOf = (name: string): string => {
  try {
    return name.includes('/') ? new Topics(name).prefix : devicePrefix(name);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
};
