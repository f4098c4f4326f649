/** Who takes part: enrol, invite, revoke, roster. */
import { Option, type Command } from 'commander';
import { kidToHex } from '../../protocol/kid.js';
import { fingerprint, type PartyPublic } from '../keys/index.js';
import { invitationLine, invite, levelName, newInvitation } from '../owner/index.js';
import { numberOption, withDevice } from './environment.js';
import { UsageError } from './exit-codes.js';
import { ownerCommand, readPublic, withOffline, type OwnerCommandFlags } from './owner-command.js';
import { printable } from './output.js';

interface MemberFlags extends OwnerCommandFlags {
  readonly name?: string;
  readonly notAfter?: string;
}

interface InviteFlags extends MemberFlags {
  readonly role: 'sensor' | 'rules' | 'publisher';
  readonly name: string;
  readonly expires: number;
  readonly brokerForThem?: string;
}

interface RosterFlags extends OwnerCommandFlags {
  readonly lease?: string;
  readonly publish?: boolean;
  readonly renew?: boolean;
}

export function addOwnerMemberCommands(owner: Command): void {
  withOffline(
    ownerCommand<MemberFlags>(
      owner,
      'enrol <public-line>',
      'let a sensor, rules host or publisher take part; takes its public line or a file with it',
      async ({ environment, owner: self, flags, maybeLink, args }) => {
        const party = readPublic(args[0] ?? '');
        const named: PartyPublic = flags.name === undefined ? party : { ...party, name: flags.name };
        const version = await self.enrol(await maybeLink(), named, notAfter(flags));
        environment.output.result(
          { name: named.name, role: named.role, kid: kidToHex(named.kid), roster: version },
          `${named.role} ${printable(named.name)} takes part: roster ${version}`,
        );
      },
    ),
  )
    .option('--name <name>', 'another name than its key file has')
    .option('--not-after <date>', 'until when, such as 2027-01-31')
    .addHelpText('after', "\nExample:\n  $ smart-zone owner enrol 'sz1.sensor.…'");

  addInvite(owner);

  withOffline(
    ownerCommand(
      owner,
      'revoke <name>',
      'take a member (by name or kid) out of the roster',
      async ({ environment, owner: self, maybeLink, args }) => {
        const which = args[0] ?? '';
        const version = await self.revoke(await maybeLink(), which);
        environment.output.result(
          { removed: which, roster: version },
          `${printable(which)} is out: roster ${version}`,
        );
      },
    ),
  );

  addRoster(owner);
}

function addInvite(owner: Command): void {
  withDevice(
    ownerCommand<InviteFlags>(
      owner,
      'invite',
      'print one line that another machine pastes to take part, and wait for it',
      async ({ environment, owner: self, flags, link }) => {
        const { output } = environment;
        const invitation = newInvitation({
          owner: self.public.signing,
          role: flags.role,
          name: flags.name,
          end: Math.floor(Date.now() / 1000) + flags.expires,
          broker: flags.brokerForThem ?? withoutCredentials(environment.brokerUrl(flags)),
          prefix: environment.prefix({ ...onlyDevice(self.devices), ...flags }),
        });
        const line = invitationLine(invitation);
        const { party, rosterVersion } = await invite(self, {
          link: await link(),
          invitation,
          ...notAfter(flags),
          ready: () => {
            output.note(`On the other machine, within ${flags.expires} s:\n`);
            output.result({ invitation: line }, `smart-zone key accept '${line}'`);
            output.note('\nWhoever has this line first can take part. Waiting; Ctrl+C ends it.');
          },
        });
        output.result(
          { name: party.name, role: party.role, kid: kidToHex(party.kid), roster: rosterVersion },
          `${party.role} ${printable(party.name)} takes part: key ${fingerprint(party.kid)}, roster ${rosterVersion}`,
        );
      },
    ),
  )
    .addOption(
      new Option('--role <role>', 'what it may do')
        .choices(['sensor', 'rules', 'publisher'])
        .makeOptionMandatory(),
    )
    .requiredOption('--name <name>', 'its name in the roster')
    .option('--expires <time>', 'how long the line counts, as 90s, 15m or 2h', parseSpan, 900)
    .option('--not-after <date>', 'until when it takes part, such as 2027-01-31')
    .option('--broker-for-them <url>', 'the broker as the other machine reaches it, where that differs')
    .addHelpText(
      'after',
      '\nThe line carries a secret that is used once, the owner key to pin, broker and device. It counts while this command waits.\n\n' +
        'Example:\n  $ smart-zone owner invite --role sensor --name porch --broker mqtts://home.example:8883',
    );
}

function addRoster(owner: Command): void {
  ownerCommand<RosterFlags>(
    owner,
    'roster',
    'show the roster; with --publish send it to all devices again',
    async ({ environment, owner: self, flags, link }) => {
      if (flags.lease !== undefined) {
        const lease = parseLease(flags.lease);
        await self.setLease(await link(), lease);
      } else if (flags.renew === true) await self.renewRoster(await link());
      else if (flags.publish === true) await self.publishRoster(await link());
      const devices = self.devices.map(({ name, kid, prefix, level }) => ({
        name,
        kid: kidToHex(kid),
        prefix,
        level: levelName(level),
      }));
      const members = self.members.map(({ name, kid, role, notAfter: end }) => ({
        name,
        kid: kidToHex(kid),
        role,
        ...(end === undefined ? {} : { notAfter: new Date(end * 1000).toISOString() }),
      }));
      const zones = self.zones.map(({ name, id, devices: names }) => ({
        name,
        id: kidToHex(id),
        devices: names,
      }));
      const { rosterVersion, owners, lease } = self;
      environment.output.result(
        {
          version: rosterVersion,
          generation: owners.generation,
          lease: lease ?? null,
          devices,
          members,
          zones,
        },
        [
          `roster ${rosterVersion}, owner keys of generation ${owners.generation}` +
            (lease === undefined ? '' : `, devices serve ${lease / 86_400} days without a fresh one`),
          ...devices.map(
            ({ name, kid, prefix, level }) =>
              `device     ${kid}  ${printable(name)} at ${printable(prefix)}, ${level} or more`,
          ),
          ...members.map(
            ({ name, kid, role, notAfter: end }) =>
              `${role.padEnd(10)} ${kid}  ${printable(name)}${end === undefined ? '' : ` until ${end}`}`,
          ),
          ...zones.map(
            ({ name, id, devices: names }) =>
              `zone       ${id}  ${printable(name)}: ${names.map(printable).join(', ')}`,
          ),
        ],
      );
    },
  )
    .option('--publish', 'send it to all devices again')
    .option('--renew', 'sign it anew, so that leases begin anew')
    .option('--lease <days>', 'devices stop serving so long after the last fresh roster; none for no lease');
}

function parseLease(text: string): number | undefined {
  return text === 'none' ? undefined : Math.round(numberOption('--lease', 0.01, 3650)(text) * 86_400);
}

function notAfter({ notAfter: date }: MemberFlags): { notAfter?: number } {
  if (date === undefined) return {};
  const milliseconds = Date.parse(date);
  if (Number.isNaN(milliseconds)) throw new UsageError(`--not-after: a date such as 2027-01-31, not ${date}`);
  return { notAfter: Math.floor(milliseconds / 1000) };
}

/** The only device needs no name. */
function onlyDevice(devices: readonly { readonly prefix: string }[]): { prefix?: string } {
  const [device] = devices;
  return device !== undefined && devices.length === 1 ? { prefix: device.prefix } : {};
}

/** The owner's own are not for others. */
function withoutCredentials(url: string): string {
  const clean = new URL(url);
  if (clean.username === '' && clean.password === '') return url;
  clean.username = '';
  clean.password = '';
  return clean.href;
}

/** Seconds. */
function parseSpan(text: string): number {
  const [, digits = '', unit = ''] = /^(\d+)(s|m|h)$/.exec(text) ?? [];
  const seconds = Number(digits) * ({ s: 1, m: 60, h: 3600 }[unit] ?? 0);
  if (seconds < 10 || seconds > 86_400)
    throw new UsageError(`--expires: 10s to 24h, as 90s, 15m or 2h, not ${text}`);
  return seconds;
}
