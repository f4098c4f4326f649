/** What devices are, and how they stand: evidence, verify, status. */
import type { Command } from 'commander';
import { kidToHex } from '../../protocol/kid.js';
import { SmartZoneError } from '../../protocol/errors.js';
import {
  appraise,
  DEBUG_WORDS,
  deviceStates,
  levelMeaning,
  levelName,
  readPolicy,
  uuidText,
  type BookMember,
  type DeviceState,
  type Evidence,
} from '../owner/index.js';
import { numberOption } from './environment.js';
import { ownerCommand, type OwnerCommandFlags } from './owner-command.js';
import { printable } from './output.js';

interface VerifyFlags extends OwnerCommandFlags {
  readonly policy: string;
}

interface StatusFlags extends OwnerCommandFlags {
  readonly soon: number;
}

export function addOwnerEvidenceCommands(owner: Command): void {
  ownerCommand(
    owner,
    'evidence <device>',
    'ask a claimed device what it is, over a fresh nonce, and verify the answer',
    async ({ environment, owner: self, flags, link, args }) => {
      const evidence = await self.evidence(await link(), args[0] ?? '', flags.timeout * 1000);
      const items = [...evidence.items].map(([name, { value, measured }]) => ({ name, value, measured }));
      environment.output.result({ ...evidence, items }, evidenceLines(evidence));
    },
  );

  ownerCommand<VerifyFlags>(
    owner,
    'verify <device>',
    'compare the evidence of a device with the reference values of a policy; says what is not as it should be',
    async ({ environment, owner: self, flags, link, args }) => {
      const policy = readPolicy(flags.policy);
      const which = args[0] ?? '';
      const evidence = await self.evidence(await link(), which, flags.timeout * 1000);
      const { passed, checks } = appraise(evidence, policy, {
        generation: self.owners.generation,
        version: self.rosterVersion,
      });
      environment.output.result(
        { device: which, passed, checks },
        checks.map(({ item, expected, got, measured, passed: ok }) =>
          printable(
            `${ok ? 'ok  ' : 'FAIL'}  ${item}: ${got} (${howKnown(measured)})${ok ? '' : `, expected ${expected}`}`,
          ),
        ),
      );
      if (passed) return;
      const failed = checks.filter(({ passed: ok }) => !ok).map(({ item }) => item);
      throw new SmartZoneError('EVIDENCE_REJECTED', `${which}: ${failed.join(', ')}`);
    },
  )
    .requiredOption('--policy <file>', 'YAML or JSON: docs/owner.md has the reference')
    .addHelpText(
      'after',
      '\nExit status: 77 where anything is not as it should be. What is self-asserted proves nothing against a TA that lies.\n\n' +
        'Example:\n  $ smart-zone owner verify porch-pi --policy policy.yaml',
    );

  ownerCommand<StatusFlags>(
    owner,
    'status',
    'how all devices and members stand',
    async ({ environment, owner: self, flags, link }) => {
      const states = await deviceStates(self, await link());
      const soon = Date.now() / 1000 + flags.soon * 86_400;
      const members = self.members.map((member) => ({ member, trouble: expiry(member, soon) }));
      const { rosterVersion, owners } = self;
      environment.output.result(
        {
          roster: rosterVersion,
          generation: owners.generation,
          ownerKeys: owners.keys.length,
          devices: states.map(deviceJson),
          members: members.map(({ member: { name, role, kid, notAfter }, trouble }) => ({
            name,
            role,
            kid: kidToHex(kid),
            notAfter: notAfter ?? null,
            trouble: trouble ?? null,
          })),
        },
        [
          `roster ${rosterVersion}, owner keys of generation ${owners.generation}: ${owners.keys.length}` +
            (owners.keys.length === 1 ? ', none of them for recovery' : ''),
          ...states.map(deviceLine),
          ...members
            .filter(({ trouble }) => trouble !== undefined)
            .map(
              ({ member, trouble }) =>
                `${member.role.padEnd(10)} ${printable(member.name)}: ${trouble ?? ''}`,
            ),
        ],
      );
    },
  ).option(
    '--soon <days>',
    'members that end within so many days are named',
    numberOption('--soon', 0, 3650),
    30,
  );
}

const howKnown = (measured: boolean): string => (measured ? 'measured' : 'self-asserted');

/** What a device says of itself, for people. */
export function evidenceLines(evidence: Evidence): string[] {
  const { securityLevel, softwareVersion, taUuid, rosterVersion, modelSequence, debug, bootNonce } = evidence;
  return [
    'No attestation rooted in hardware vouches for this TA: all of it is its own word.',
    `${levelName(securityLevel)}: ${levelMeaning(securityLevel)} (self-asserted)`,
    `TA ${printable(softwareVersion.join(' '))}, ${uuidText(taUuid)}, roster ${rosterVersion}, model ${modelSequence}`,
    `debug: ${DEBUG_WORDS[debug]} (self-asserted), boot ${Buffer.from(bootNonce).toString('hex')}`,
    ...[...evidence.items].map(
      ([name, { value, measured }]) =>
        `${printable(name)}: ${printable(String(value))} (${howKnown(measured)})`,
    ),
  ];
}

function deviceJson({ device, agent, level, rosterBehind, modelSequence, trouble }: DeviceState): object {
  return {
    name: device.name,
    kid: kidToHex(device.kid),
    prefix: device.prefix,
    agent: agent ?? null,
    level: level === undefined ? null : levelName(level),
    rosterBehind: rosterBehind ?? null,
    model: modelSequence ?? null,
    trouble,
  };
}

function deviceLine({ device, agent, level, rosterBehind, modelSequence, trouble }: DeviceState): string {
  const parts = [
    agent ?? 'silent',
    ...(level === undefined ? [] : [levelName(level)]),
    ...(rosterBehind === undefined
      ? []
      : [`roster ${rosterBehind === 0 ? 'newest' : `${rosterBehind} behind`}`]),
    ...(modelSequence === undefined ? [] : [`model ${modelSequence}`]),
  ];
  return printable(
    `device     ${device.name}: ${parts.join(', ')}${trouble.length === 0 ? '' : ` - ${trouble.join('; ')}`}`,
  );
}

function expiry({ notAfter }: BookMember, soon: number): string | undefined {
  if (notAfter === undefined || notAfter > soon) return undefined;
  const date = new Date(notAfter * 1000).toISOString().slice(0, 10);
  return notAfter * 1000 < Date.now() ? `ended on ${date}` : `ends on ${date}`;
}
