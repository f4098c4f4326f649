/** The owner's own keys: init, rotate-key, recover. */
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { SmartZoneError } from '../../protocol/errors.js';
import { kidToHex } from '../../protocol/kid.js';
import {
  fingerprint,
  generateKeys,
  publicLine,
  publicOf,
  readKeyFile,
  writeFileAtomic,
  writeKeyFile,
  type KeyFileOptions,
  type PartyKeys,
} from '../keys/index.js';
import { Owner } from '../owner/index.js';
import {
  Environment,
  withBroker,
  type BrokerFlags,
  type GlobalOptions,
  type KeyFlags,
} from './environment.js';
import { UsageError } from './exit-codes.js';
import { printable } from './output.js';
import { ownerCommand, putKeyInPlace, withOffline, type OwnerCommandFlags } from './owner-command.js';
import { bookPath, keyPath, nextKeyPath, ownerLinePath, recoveryPath } from './places.js';

interface NewKeyFlags extends GlobalOptions, KeyFlags {
  readonly name: string;
  readonly passphrase?: boolean;
  /** A file; false with --no-recovery. */
  readonly recovery?: string | false;
  readonly recoveryPassphraseFile?: string;
  readonly book?: string;
}

export function addOwnerKeyCommands(owner: Command): void {
  withNewKeys(owner.command('init'))
    .description("make the owner's key, and a second one that can replace it when it is lost")
    .option(
      '--recovery <file>',
      'where the recovery key goes (default: owner-recovery.key.json in the home folder)',
    )
    .option('--no-recovery', 'make none: whoever loses the key then has to claim every device anew')
    .addHelpText(
      'after',
      '\nMove the recovery key to a place where it cannot be lost together with the first, and back up the book after each change.' +
        '\nExample:\n  $ smart-zone owner init --passphrase --recovery /media/stick/owner-recovery.key.json',
    )
    .action(async (_flags: unknown, command: Command) => init(command.optsWithGlobals<NewKeyFlags>()));

  withOffline(
    withNewKeys(
      ownerCommand<OwnerCommandFlags & NewKeyFlags>(
        owner,
        'rotate-key',
        "put another key in the place of the owner's; the one before signs nothing any more",
        async ({ environment, owner: self, keys, flags, maybeLink }) => {
          const next = nextKeyPath(keys.path);
          const passphrase = await passphraseFor(environment, flags, keys.path);
          // A file that is there is from a run that was interrupted before the key counted.
          const successor = existsSync(next)
            ? readKeyFile(next, passphrase)
            : newKeyFile(next, flags.name === 'owner' ? keys.name : flags.name, passphrase);
          const others = await otherOwners(environment, self, flags);
          const link = await maybeLink();
          const roster = await self.rotateKey(undefined, successor, others);
          putKeyInPlace(environment, keys.path, self);
          if (link !== undefined) await self.publishRoster(link);
          report(environment, self, keys.path, roster);
        },
      ),
    ),
  )
    .option(
      '--recovery <file>',
      'also make a new recovery key, in this file; without it the present one stays',
    )
    .option('--no-recovery', 'name no recovery key any more')
    .addHelpText(
      'after',
      '\nDevices and clients follow from the roster alone, also those that are away now.\n\nExample:\n  $ smart-zone owner rotate-key --passphrase',
    );

  const recover = withNewKeys(withBroker(owner.command('recover')))
    .description(
      'with the recovery key, where key and book are lost: a new book from what is retained, a new key',
    )
    .requiredOption('--recovery-key <file>', 'the recovery key')
    .option('--device <name...>', 'devices at smartzone/<name>, where they are not found by themselves')
    .option('--prefix <topic...>', 'devices elsewhere')
    .option('--book <file>', "the owner's book (default: owner.book.json in the home folder)")
    .addHelpText(
      'after',
      '\nLook at the members it lists: a broker that hands out an older roster brings back who was revoked since.\n\n' +
        'Example:\n  $ smart-zone owner recover --recovery-key /media/stick/owner-recovery.key.json',
    );
  recover.action(() => recoverOwner(recover.optsWithGlobals<RecoverFlags>()));
}

interface RecoverFlags extends NewKeyFlags, BrokerFlags {
  readonly recoveryKey: string;
  readonly device?: readonly string[];
  readonly prefix?: readonly string[];
}

function withNewKeys(command: Command): Command {
  const known = new Set(command.options.map(({ long }) => long));
  command
    .option('--name <name>', 'your name for the new key', 'owner')
    .option('--passphrase', 'seal the new private keys with a passphrase');
  if (!known.has('--passphrase-file'))
    command.option('--passphrase-file <file>', 'file whose first line is the passphrase');
  return command.option(
    '--recovery-passphrase-file <file>',
    "file whose first line is the recovery key's own passphrase",
  );
}

async function init(flags: NewKeyFlags): Promise<void> {
  const environment = new Environment(flags);
  const { home, output } = environment;
  const path = keyPath(home, 'owner');
  const book = flags.book ?? bookPath(home);
  const recoveryFile = flags.recovery === false ? undefined : (flags.recovery ?? recoveryPath(home));
  for (const file of [path, book, ...(recoveryFile === undefined ? [] : [recoveryFile])])
    if (existsSync(file))
      throw new SmartZoneError('KEY_FILE', `${file} exists already: it is never overwritten`);
  const passphrase = await passphraseFor(environment, flags, path);
  // The recovery key first: whatever happens in between, there is no owner without the second key that was asked for.
  const recovery =
    recoveryFile === undefined
      ? undefined
      : newKeyFile(
          recoveryFile,
          `${flags.name} recovery`,
          await recoveryPassphrase(environment, flags, recoveryFile),
        );
  const keys = newKeyFile(path, flags.name, passphrase);
  Owner.create({ keys, bookPath: book }, recovery);
  const line = publicLine(publicOf(keys));
  writeFileAtomic(ownerLinePath(home), `${line}\n`, true, 0o644);
  output.result(
    {
      role: 'owner',
      name: keys.name,
      kid: kidToHex(keys.signing.kid),
      public: line,
      file: path,
      recovery: recovery === undefined ? null : { kid: kidToHex(recovery.signing.kid), file: recoveryFile },
    },
    [line],
  );
  output.note(`owner ${printable(keys.name)}, fingerprint ${fingerprint(keys.signing.kid)}, in ${path}`);
  if (recoveryFile === undefined)
    output.note(
      'There is no recovery key: whoever loses this key has to claim every device anew, at each of them.',
    );
  else
    output.note(
      `Move ${recoveryFile} away from this machine now: it replaces the key when that is lost, and is of no use if both are lost together.`,
    );
  output.note(`Back up ${path} and, after each change, ${book}.`);
}

async function recoverOwner(flags: RecoverFlags): Promise<void> {
  const environment = new Environment(flags);
  const { home, output } = environment;
  try {
    const recovery = await environment.keys(
      {
        key: flags.recoveryKey,
        ...(flags.recoveryPassphraseFile === undefined
          ? {}
          : { passphraseFile: flags.recoveryPassphraseFile }),
      },
      'owner',
    );
    const path = keyPath(home, 'owner');
    const book = flags.book ?? bookPath(home);
    for (const file of [path, book])
      if (existsSync(file))
        throw new SmartZoneError('KEY_FILE', `${file} exists: move it away first, it is never overwritten`);
    const next = nextKeyPath(path);
    const passphrase = await passphraseFor(environment, flags, path);
    const keys = existsSync(next) ? readKeyFile(next, passphrase) : newKeyFile(next, flags.name, passphrase);
    const link = await environment.linkFor(flags, recovery);
    const prefixes = [
      ...(flags.device ?? []).map((device) => environment.prefix({ device })),
      ...(flags.prefix ?? []).map((prefix) => environment.prefix({ prefix })),
    ];
    const { owner, found } = await Owner.recover({ keys, bookPath: book }, recovery, { link, prefixes });
    putKeyInPlace(environment, path, owner);
    report(environment, owner, path, owner.rosterVersion);
    for (const name of found.unseen)
      output.note(
        `${printable(name)} was not seen: its topics are a guess, claim it again or publish where it is`,
      );
  } finally {
    await environment.close();
  }
}

/** The key files' passphrase: asked for where one is wanted or given. */
async function passphraseFor(
  environment: Environment,
  flags: NewKeyFlags,
  path: string,
): Promise<KeyFileOptions> {
  const wanted = flags.passphrase === true || flags.passphraseFile !== undefined;
  if (!wanted) return {};
  return checked(await environment.passphrase(flags, path));
}

/** The recovery key has its own: who finds one does not have the other. */
async function recoveryPassphrase(
  environment: Environment,
  flags: NewKeyFlags,
  path: string,
): Promise<KeyFileOptions> {
  const { recoveryPassphraseFile: passphraseFile } = flags;
  if (passphraseFile !== undefined) return checked(await environment.passphrase({ passphraseFile }, path));
  if (flags.passphrase !== true || !process.stdin.isTTY) return {};
  return checked(await environment.ask(`Passphrase for ${path} (another one): `, false));
}

function checked(passphrase: string): KeyFileOptions {
  if (passphrase === '') throw new UsageError('the passphrase is empty');
  return { passphrase };
}

function newKeyFile(path: string, name: string, options: KeyFileOptions): PartyKeys {
  const keys = generateKeys('owner', name);
  writeKeyFile(path, keys, options);
  return keys;
}

/** Who speaks for the owner beside the new key: the recovery key that is, another, or none. */
async function otherOwners(
  environment: Environment,
  owner: Owner,
  flags: NewKeyFlags,
): Promise<readonly ReturnType<typeof publicOf>[]> {
  if (flags.recovery === false) return [];
  if (flags.recovery === undefined) return owner.otherOwners;
  if (existsSync(flags.recovery))
    return [
      publicOf(readKeyFile(flags.recovery, await recoveryPassphrase(environment, flags, flags.recovery))),
    ];
  const made = newKeyFile(
    flags.recovery,
    `${owner.public.name} recovery`,
    await recoveryPassphrase(environment, flags, flags.recovery),
  );
  return [publicOf(made)];
}

function report({ output }: Environment, owner: Owner, path: string, roster: number): void {
  const { public: self, owners, devices, members } = owner;
  const line = publicLine(self);
  output.result(
    {
      kid: kidToHex(self.kid),
      public: line,
      file: path,
      generation: owners.generation,
      owners: owners.keys.length,
      roster,
      devices: devices.map(({ name, prefix }) => ({ name, prefix })),
      members: members.map(({ name, role }) => ({ name, role })),
    },
    [
      line,
      `owner keys of generation ${owners.generation}, roster ${roster}`,
      ...devices.map(({ name, prefix }) => `device     ${printable(name)} at ${printable(prefix)}`),
      ...members.map(({ name, role }) => `${role.padEnd(10)} ${printable(name)}`),
    ],
  );
  output.note(`Back up ${path} and the book. Parties that are new from now on pin this line.`);
}
