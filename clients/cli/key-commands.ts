import type { Command } from 'commander';
import {
  fingerprint,
  generateKeys,
  publicLine,
  publicOf,
  writeFileAtomic,
  writeKeyFile,
  type PartyKeys,
  type PartyRole,
} from '../keys/index.js';
import { kidToHex } from '../../protocol/kid.js';
import { Environment, parseRole, withKey, type GlobalOptions, type KeyFlags } from './environment.js';
import { UsageError } from './exit-codes.js';
import { keyPath, ownerLinePath } from './places.js';

interface NewKeyFlags extends GlobalOptions, KeyFlags {
  readonly name?: string;
  readonly out?: string;
  readonly passphrase?: boolean;
}

/** Makes a key file; an owner's public line goes beside it, where the other commands look for it. */
export async function newKey(environment: Environment, role: PartyRole, flags: NewKeyFlags): Promise<void> {
  const { output, home } = environment;
  const path = flags.out ?? keyPath(home, role);
  const keys = generateKeys(role, flags.name ?? role);
  const wanted = flags.passphrase === true || flags.passphraseFile !== undefined;
  const passphrase = wanted ? await environment.passphrase(flags, path) : undefined;
  if (passphrase === '') throw new UsageError('the passphrase is empty');
  writeKeyFile(path, keys, passphrase === undefined ? {} : { passphrase });
  if (role === 'owner') writeFileAtomic(ownerLinePath(home), `${publicLine(publicOf(keys))}\n`, true, 0o644);
  showKey(environment, keys, path);
  if (role !== 'owner')
    output.note(`The owner lets it take part with: smart-zone owner enrol '${publicLine(publicOf(keys))}'`);
}

function showKey({ output }: Environment, keys: PartyKeys, path: string): void {
  const line = publicLine(publicOf(keys));
  const { role, name, signing } = keys;
  output.result({ role, name, kid: kidToHex(signing.kid), public: line, file: path }, [line]);
  output.note(`${role} ${name}, fingerprint ${fingerprint(signing.kid)}, in ${path}`);
}

export function addKeyCommands(program: Command): void {
  const key = program.command('key').description('key files of sensors, rules hosts, publishers and owners');

  key
    .command('new')
    .description('make keys; prints the public line that the owner enrols')
    .argument('<role>', 'owner, sensor, rules or publisher')
    .option('--name <name>', 'how people know it (default: the role)')
    .option('--out <file>', 'where to (default: <role>.key.json in the home folder)')
    .option('--passphrase', 'seal the private keys with a passphrase')
    .option('--passphrase-file <file>', 'file whose first line is the passphrase')
    .addHelpText('after', '\nExample:\n  $ smart-zone key new sensor --name porch')
    .action(async (role: string, _flags: unknown, command: Command) => {
      const flags = command.optsWithGlobals<NewKeyFlags>();
      await newKey(new Environment(flags), parseRole(role), flags);
    });

  withKey(key.command('show'), 'sensor')
    .description('print the public line of a key file')
    .argument('[role]', 'owner, sensor, rules or publisher', 'sensor')
    .action(async (role: string, _flags: unknown, command: Command) => {
      const flags = command.optsWithGlobals<GlobalOptions & KeyFlags>();
      const environment = new Environment(flags);
      const keys = await environment.keys(flags, parseRole(role));
      showKey(environment, keys, keys.path);
    });
}
