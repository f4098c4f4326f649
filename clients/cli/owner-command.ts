/** What all commands of the owner share. */
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import type { Command } from 'commander';
import { isSmartZoneError } from '../../protocol/errors.js';
import {
  parsePublicLine,
  publicLine,
  writeFileAtomic,
  type PartyKeys,
  type PartyPublic,
} from '../keys/index.js';
import { Owner } from '../owner/index.js';
import {
  Environment,
  numberOption,
  withBroker,
  withKey,
  type BrokerFlags,
  type DeviceFlags,
  type GlobalOptions,
  type KeyFlags,
} from './environment.js';
import { bookPath, formerKeyPath, keyPath, nextKeyPath, ownerLinePath } from './places.js';

export interface OwnerCommandFlags extends GlobalOptions, BrokerFlags, DeviceFlags, KeyFlags {
  readonly book?: string;
  readonly timeout: number;
  readonly offline?: boolean;
}

export interface OwnerWork<F extends OwnerCommandFlags> {
  readonly environment: Environment;
  readonly owner: Owner;
  readonly keys: PartyKeys & { readonly path: string };
  readonly flags: F;
  /** Connects when it is needed. */
  readonly link: () => ReturnType<Environment['linkFor']>;
  /** The same, or nothing with --offline. */
  readonly maybeLink: () => Promise<Awaited<ReturnType<Environment['linkFor']>> | undefined>;
  readonly args: readonly string[];
}

function withBook(command: Command): Command {
  return command
    .option('--book <file>', "the owner's book (default: owner.book.json in the home folder)")
    .option(
      '--timeout <seconds>',
      'how long to wait for the device',
      numberOption('--timeout', 0.1, 3600),
      15,
    );
}

export function withOffline(command: Command): Command {
  return command.option(
    '--offline',
    'change the book only; publish later with: smart-zone owner roster --publish',
  );
}

/** A command of the owner: with key, book and broker. */
export function ownerCommand<F extends OwnerCommandFlags>(
  parent: Command,
  usage: string,
  description: string,
  action: (work: OwnerWork<F>) => Promise<void>,
): Command {
  const command = withBook(withBroker(withKey(parent.command(usage), 'owner'))).description(description);
  return command.action(async () => {
    const flags = command.optsWithGlobals<F>();
    const environment = new Environment(flags);
    try {
      const { owner, keys } = await openOwner(environment, flags);
      const link = (): ReturnType<Environment['linkFor']> => environment.linkFor(flags, keys);
      await action({
        environment,
        owner,
        keys,
        flags,
        link,
        maybeLink: async () => (flags.offline === true ? undefined : await link()),
        args: command.args,
      });
    } finally {
      await environment.close();
    }
  });
}

/** Opens key and book; a change of the key that was interrupted is finished, or taken back, first. */
async function openOwner(
  environment: Environment,
  flags: OwnerCommandFlags,
): Promise<{ owner: Owner; keys: PartyKeys & { readonly path: string } }> {
  const book = flags.book ?? bookPath(environment.home);
  const path = flags.key ?? keyPath(environment.home, 'owner');
  const next = nextKeyPath(path);
  try {
    const keys = await environment.keys(flags, 'owner');
    return { keys, owner: Owner.open({ keys, bookPath: book }) };
  } catch (error) {
    if (!isSmartZoneError(error) || error.code !== 'KEY_FILE' || !existsSync(next)) throw error;
    // The book names the next key already, the file still has the former one, or is not there yet.
    const successor = await environment.keys({ ...flags, key: next }, 'owner');
    const owner = Owner.open({ keys: successor, bookPath: book });
    putKeyInPlace(environment, path, owner);
    return { owner, keys: { ...successor, path } };
  }
}

/** The next key's file takes the place of the present one, which stays beside it; clients get the new line. */
export function putKeyInPlace({ home }: Environment, path: string, owner: Owner): void {
  if (existsSync(path)) {
    rmSync(formerKeyPath(path), { force: true });
    renameSync(path, formerKeyPath(path));
  }
  renameSync(nextKeyPath(path), path);
  writeFileAtomic(ownerLinePath(home), `${publicLine(owner.public)}\n`, true, 0o644);
}

/** A public line, or a file with one. */
export function readPublic(given: string): PartyPublic {
  if (!given.startsWith('sz1.') && existsSync(given)) return parsePublicLine(readFileSync(given, 'utf8'));
  return parsePublicLine(given);
}
