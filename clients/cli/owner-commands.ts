import { existsSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { kidToHex } from '../../protocol/kid.js';
import { fingerprint, parsePublicLine, type PartyPublic } from '../keys/index.js';
import {
  LEVEL_NAMES,
  levelMeaning,
  levelName,
  Owner,
  parseLevel,
  type ClaimCandidate,
} from '../owner/index.js';
import {
  Environment,
  numberOption,
  withBroker,
  withDevice,
  withKey,
  type BrokerFlags,
  type DeviceFlags,
  type GlobalOptions,
  type KeyFlags,
} from './environment.js';
import { UsageError } from './exit-codes.js';
import { newKey } from './key-commands.js';
import { printable } from './output.js';
import { bookPath, keyPath } from './places.js';

interface OwnerCommandFlags extends GlobalOptions, BrokerFlags, DeviceFlags, KeyFlags {
  readonly book?: string;
  readonly timeout: number;
  readonly name?: string;
  readonly accept?: string;
  readonly alsoOwner?: readonly string[];
  readonly yes?: boolean;
  readonly notAfter?: string;
  readonly offline?: boolean;
  readonly lease?: string;
  readonly publish?: boolean;
}

type Action = (work: {
  readonly environment: Environment;
  readonly owner: Owner;
  readonly flags: OwnerCommandFlags;
  /** Connects when it is needed. */
  readonly link: () => ReturnType<Environment['linkFor']>;
  readonly args: readonly string[];
}) => Promise<void>;

/** A command of the owner: with key, book and broker. */
function ownerCommand(parent: Command, usage: string, description: string, action: Action): Command {
  const command = withBroker(withKey(parent.command(usage), 'owner'))
    .description(description)
    .option('--book <file>', "the owner's book (default: owner.book.json in the home folder)")
    .option(
      '--timeout <seconds>',
      'how long to wait for the device',
      numberOption('--timeout', 0.1, 3600),
      15,
    );
  return command.action(async () => {
    const flags = command.optsWithGlobals<OwnerCommandFlags>();
    const environment = new Environment(flags);
    try {
      const keys = await environment.keys(flags, 'owner');
      const owner = Owner.open({ keys, bookPath: flags.book ?? bookPath(environment.home) });
      await action({
        environment,
        owner,
        flags,
        link: () => environment.linkFor(flags, keys),
        args: command.args,
      });
    } finally {
      await environment.close();
    }
  });
}

export function addOwnerCommands(program: Command): void {
  const owner = program.command('owner').description('claim devices, and say who takes part');

  owner
    .command('init')
    .description(
      "make the owner's key; back it up together with the book: both are needed to change anything later",
    )
    .option('--name <name>', 'your name for it', 'owner')
    .option('--passphrase', 'seal the private key with a passphrase')
    .option('--passphrase-file <file>', 'file whose first line is the passphrase')
    .action(async (_flags: unknown, command: Command) => {
      const flags = command.optsWithGlobals<GlobalOptions & KeyFlags>();
      const environment = new Environment(flags);
      await newKey(environment, 'owner', flags);
      environment.output.note(
        `Back up ${keyPath(environment.home, 'owner')} and, after each change, ${bookPath(environment.home)}.`,
      );
    });

  withDevice(
    ownerCommand(
      owner,
      'claim',
      'make an unclaimed device yours',
      async ({ environment, owner: self, flags, link }) => {
        const { output } = environment;
        const prefix = environment.prefix(flags);
        if (flags.accept === undefined)
          throw new UsageError(
            `which security level do you accept? give --accept ${LEVEL_NAMES.join(' | ')}`,
          );
        const accept = parseLevel(flags.accept);
        const device = await self.claim({
          link: await link(),
          prefix,
          name: flags.name ?? flags.device ?? prefix.split('/').at(-1) ?? prefix,
          accept,
          otherOwners: (flags.alsoOwner ?? []).map(readPublic),
          confirm: (candidate) => confirmClaim(environment, candidate, flags.yes === true),
          timeout: flags.timeout * 1000,
        });
        const { name, kid, level } = device;
        output.result(
          { name, kid: kidToHex(kid), prefix, acceptedLevel: levelName(level), roster: self.rosterVersion },
          `${printable(name)} is yours: key ${fingerprint(kid)}, roster ${self.rosterVersion}`,
        );
      },
    ),
  )
    .option('--name <name>', 'how people know the device (default: its name in topics)')
    .option('--accept <level>', `the least security level that you accept: ${LEVEL_NAMES.join(', ')}`)
    .option('--also-owner <line...>', 'public lines of up to two more owners')
    .option('--yes', 'do not ask whether the fingerprint is right')
    .addHelpText(
      'after',
      '\nWithout an attestation rooted in hardware nothing proves where the key lives: claim while the device is fresh and its\n' +
        'Linux trusted, and compare the fingerprint with the one in its log.\n\nExample:\n  $ smart-zone owner claim --device porch-pi --accept software',
    );

  ownerCommand(
    owner,
    'enrol <public-line>',
    'let a sensor, rules host or publisher take part; takes its public line or a file with it',
    async ({ environment, owner: self, flags, link, args }) => {
      const party = readPublic(args[0] ?? '');
      const named: PartyPublic = flags.name === undefined ? party : { ...party, name: flags.name };
      const notAfter = flags.notAfter === undefined ? undefined : parseDate(flags.notAfter);
      const version = await self.enrol(
        flags.offline === true ? undefined : await link(),
        named,
        notAfter === undefined ? {} : { notAfter },
      );
      environment.output.result(
        { name: named.name, role: named.role, kid: kidToHex(named.kid), roster: version },
        `${named.role} ${printable(named.name)} takes part: roster ${version}`,
      );
    },
  )
    .option('--name <name>', 'another name than its key file has')
    .option('--not-after <date>', 'until when, such as 2027-01-31')
    .option('--offline', 'change the book only; publish later with: smart-zone owner roster --publish')
    .addHelpText('after', "\nExample:\n  $ smart-zone owner enrol 'sz1.sensor.…'");

  const changes: [
    string,
    string,
    (
      self: Owner,
      link: Awaited<ReturnType<Environment['linkFor']>> | undefined,
      which: string,
    ) => Promise<number>,
  ][] = [
    [
      'revoke <name>',
      'take a member (by name or kid) out of the roster',
      (self, link, which) => self.revoke(link, which),
    ],
    [
      'remove <device>',
      'take a device out of the roster: clients trust it no more',
      (self, link, which) => self.removeDevice(link, which),
    ],
  ];
  for (const [usage, description, change] of changes)
    ownerCommand(owner, usage, description, async ({ environment, owner: self, flags, link, args }) => {
      const which = args[0] ?? '';
      const version = await change(self, flags.offline === true ? undefined : await link(), which);
      environment.output.result(
        { removed: which, roster: version },
        `${printable(which)} is out: roster ${version}`,
      );
    }).option('--offline', 'change the book only; publish later with: smart-zone owner roster --publish');

  ownerCommand(
    owner,
    'reset <device>',
    'the device forgets members, channels and model; keeps identity, owners and counters',
    async ({ environment, owner: self, flags, link, args }) => {
      const which = args[0] ?? '';
      const version = await self.reset(await link(), which, flags.timeout * 1000);
      environment.output.result(
        { reset: which, roster: version },
        `${printable(which)} was reset: roster ${version}`,
      );
    },
  );

  ownerCommand(
    owner,
    'rollback <device>',
    'the device goes back to the model before the committed one',
    async ({ environment, owner: self, flags, link, args }) => {
      const which = args[0] ?? '';
      await self.rollbackModel(await link(), which, flags.timeout * 1000);
      environment.output.result(
        { rollback: which },
        `${printable(which)}: the model before is in force again`,
      );
    },
  );

  ownerCommand(
    owner,
    'rebase <device> <sequence>',
    'raise the floor of model sequence numbers: none up to this one is taken any more',
    async ({ environment, owner: self, flags, link, args }) => {
      const which = args[0] ?? '';
      const floor = numberOption('<sequence>', 1, 2 ** 48)(args[1] ?? '');
      await self.rebaseModels(await link(), which, floor, flags.timeout * 1000);
      environment.output.result({ rebase: which, floor }, `${printable(which)}: models above ${floor} only`);
    },
  );

  ownerCommand(
    owner,
    'evidence <device>',
    'ask a claimed device what it is, over a fresh nonce, and verify the answer',
    async ({ environment, owner: self, flags, link, args }) => {
      const evidence = await self.evidence(await link(), args[0] ?? '', flags.timeout * 1000);
      const items = [...evidence.items].map(([name, { value, measured }]) => ({ name, value, measured }));
      environment.output.result({ ...evidence, items }, [
        `${levelName(evidence.securityLevel)}: ${levelMeaning(evidence.securityLevel)}`,
        `TA ${evidence.softwareVersion.join(' ')}, roster ${evidence.rosterVersion}, model ${evidence.modelSequence}`,
        ...items.map(
          ({ name, value, measured }) =>
            `${printable(name)}: ${printable(String(value))} (${measured ? 'measured' : 'self-asserted'})`,
        ),
      ]);
    },
  );

  ownerCommand(
    owner,
    'roster',
    'show the roster; with --publish send it to all devices again',
    async ({ environment, owner: self, flags, link }) => {
      if (flags.lease !== undefined) {
        const lease =
          flags.lease === 'none'
            ? undefined
            : Math.round(numberOption('--lease', 0.01, 3650)(flags.lease) * 86_400);
        await self.setLease(await link(), lease);
      } else if (flags.publish === true) await self.publishRoster(await link());
      const devices = self.devices.map(({ name, kid, prefix, level }) => ({
        name,
        kid: kidToHex(kid),
        prefix,
        level: levelName(level),
      }));
      const members = self.members.map(({ name, kid, role, notAfter }) => ({
        name,
        kid: kidToHex(kid),
        role,
        ...(notAfter === undefined ? {} : { notAfter: new Date(notAfter * 1000).toISOString() }),
      }));
      environment.output.result({ version: self.rosterVersion, devices, members }, [
        `roster ${self.rosterVersion}`,
        ...devices.map(
          ({ name, kid, prefix, level }) =>
            `device     ${kid}  ${printable(name)} at ${printable(prefix)}, ${level} or more`,
        ),
        ...members.map(
          ({ name, kid, role, notAfter }) =>
            `${role.padEnd(10)} ${kid}  ${printable(name)}${notAfter === undefined ? '' : ` until ${notAfter}`}`,
        ),
      ]);
    },
  )
    .option('--publish', 'send it to all devices again')
    .option('--lease <days>', 'devices stop serving so long after the last fresh roster; none for no lease');
}

async function confirmClaim(
  environment: Environment,
  { fingerprint: shown, hello }: ClaimCandidate,
  yes: boolean,
): Promise<boolean> {
  const level = hello.securityLevel;
  environment.output.note(
    `device ${shown}, TA ${printable(hello.taVersion)}, ${levelName(level)}: ${levelMeaning(level)}`,
  );
  if (yes) return true;
  if (environment.output.json || !process.stdin.isTTY)
    throw new UsageError(`nobody to ask whether ${shown} is right: give --yes where it is known`);
  const answer = await environment.ask('Is this the fingerprint in the log of the device? [y/N] ');
  return /^y(es)?$/i.test(answer.trim());
}

/** A public line, or a file with one. */
function readPublic(given: string): PartyPublic {
  if (!given.startsWith('sz1.') && existsSync(given)) return parsePublicLine(readFileSync(given, 'utf8'));
  return parsePublicLine(given);
}

function parseDate(text: string): number {
  const milliseconds = Date.parse(text);
  if (Number.isNaN(milliseconds)) throw new UsageError(`--not-after: a date such as 2027-01-31, not ${text}`);
  return Math.floor(milliseconds / 1000);
}
