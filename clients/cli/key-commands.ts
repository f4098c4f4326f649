import { existsSync } from 'node:fs';
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
import { equalBytes } from '../../protocol/bytes.js';
import { kidToHex, signingKid } from '../../protocol/kid.js';
import { parseInvitationLine } from '../../protocol/messages/invitation.js';
import { acceptInvitation } from '../owner/invite.js';
import { writeConnection } from './connection.js';
import {
  Environment,
  parseRole,
  withBroker,
  withKey,
  type BrokerFlags,
  type GlobalOptions,
  type KeyFlags,
} from './environment.js';
import { UsageError } from './exit-codes.js';
import { printable } from './output.js';
import { connectionPath, keyPath, ownerLinePath } from './places.js';

interface NewKeyFlags extends GlobalOptions, KeyFlags {
  readonly name?: string;
  readonly out?: string;
  readonly passphrase?: boolean;
}

interface AcceptFlags extends GlobalOptions, BrokerFlags, KeyFlags {
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

/** Everything that an invitation brings is written once the owner has enrolled the keys; the keys are written before they are sent. */
async function acceptLine(flags: AcceptFlags, line: string): Promise<void> {
  const environment = new Environment(flags);
  const { home, output } = environment;
  const invitation = parseInvitationLine(line);
  const { role, name, owner, broker, prefix } = invitation;
  const pinned = { role: 'owner', name: 'owner', kid: signingKid(owner), signing: owner } as const;
  const ownerFile = ownerLinePath(home);
  if (existsSync(ownerFile) && !equalBytes(environment.ownerLine({}).signing, owner))
    throw new UsageError(`${ownerFile} pins another owner: use another --home, or move it away`);
  const path = flags.key ?? keyPath(home, role);
  if (!existsSync(path)) {
    const wanted = flags.passphrase === true || flags.passphraseFile !== undefined;
    const passphrase = wanted ? await environment.passphrase(flags, path) : undefined;
    if (passphrase === '') throw new UsageError('the passphrase is empty');
    writeKeyFile(path, generateKeys(role, name), passphrase === undefined ? {} : { passphrase });
  }
  const keys = await environment.keys({ ...flags, key: path }, role);
  try {
    const link = await environment.linkFor({ ...flags, broker: flags.broker ?? broker }, keys);
    output.note(`Asking the owner, fingerprint ${fingerprint(pinned.kid)}`);
    const roster = await acceptInvitation({ link, invitation, keys });
    writeFileAtomic(ownerFile, `${publicLine(pinned)}\n`, true, 0o644);
    writeConnection(connectionPath(home), { broker: flags.broker ?? broker, prefix });
    output.result(
      {
        role,
        name,
        kid: kidToHex(keys.signing.kid),
        file: path,
        broker: flags.broker ?? broker,
        prefix,
        roster,
      },
      `${role} ${printable(name)} takes part: key ${fingerprint(keys.signing.kid)}, roster ${roster}`,
    );
  } finally {
    await environment.close();
  }
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

  const accept = withBroker(key.command('accept'))
    .description(
      'take part by the line of an invitation: makes the keys, pins the owner, remembers broker and device',
    )
    .argument('<line>', 'what smart-zone owner invite printed')
    .option(
      '--key <file>',
      'key file (default: <role>.key.json in the home folder); used where it is there already',
    )
    .option('--passphrase', 'seal the private keys with a passphrase')
    .option('--passphrase-file <file>', 'file whose first line is the passphrase')
    .addHelpText('after', "\nExample:\n  $ smart-zone key accept 'szi1.…'");
  accept.action(() => acceptLine(accept.optsWithGlobals<AcceptFlags>(), accept.args[0] ?? ''));

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
