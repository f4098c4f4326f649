/** What the owner does with devices: claim, reset, rotate, rollback, rebase, remove. */
import type { Command } from 'commander';
import { kidToHex } from '../../protocol/kid.js';
import { fingerprint } from '../keys/index.js';
import { LEVEL_NAMES, levelMeaning, levelName, parseLevel, type ClaimCandidate } from '../owner/index.js';
import { numberOption, withDevice, type Environment } from './environment.js';
import { UsageError } from './exit-codes.js';
import { evidenceLines } from './owner-evidence-commands.js';
import { ownerCommand, withOffline, type OwnerCommandFlags } from './owner-command.js';
import { printable } from './output.js';

interface ClaimFlags extends OwnerCommandFlags {
  readonly name?: string;
  readonly accept?: string;
  readonly yes?: boolean;
}

/** `owner rollback`, and the same as `model rollback`: only an owner may choose an older model. */
export function addRollbackCommand(parent: Command): void {
  ownerCommand(
    parent,
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
}

export function addOwnerDeviceCommands(owner: Command): void {
  withDevice(
    ownerCommand<ClaimFlags>(
      owner,
      'claim',
      'make an unclaimed device yours',
      async ({ environment, owner: self, flags, link }) => {
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
          confirm: (candidate) => confirmClaim(environment, candidate, flags.yes === true),
          timeout: flags.timeout * 1000,
        });
        const { name, kid, level } = device;
        environment.output.result(
          { name, kid: kidToHex(kid), prefix, acceptedLevel: levelName(level), roster: self.rosterVersion },
          `${printable(name)} is yours: key ${fingerprint(kid)}, roster ${self.rosterVersion}`,
        );
      },
    ),
  )
    .option('--name <name>', 'how people know the device (default: its name in topics)')
    .option('--accept <level>', `the least security level that you accept: ${LEVEL_NAMES.join(', ')}`)
    .option('--yes', 'do not ask whether the fingerprint is right')
    .addHelpText(
      'after',
      '\nWithout an attestation rooted in hardware nothing proves where the key lives: claim while the device is fresh and its\n' +
        'Linux trusted, and compare the fingerprint with the one in its log. Where the answer was lost, claim again.\n\n' +
        'Example:\n  $ smart-zone owner claim --device porch-pi --accept software',
    );

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
    'rotate <device>',
    'new keys for a device, with an overlap in which both count; again where it was interrupted',
    async ({ environment, owner: self, flags, link, args }) => {
      const which = args[0] ?? '';
      const { name, kid } = await self.rotateDevice(await link(), which, flags.timeout * 1000);
      environment.output.result(
        { rotated: name, kid: kidToHex(kid), roster: self.rosterVersion },
        `${printable(name)} has new keys: ${fingerprint(kid)}, roster ${self.rosterVersion}`,
      );
    },
  ).addHelpText('after', '\nThe key of the owner itself: smart-zone owner rotate-key');

  addRollbackCommand(owner);

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

  withOffline(
    ownerCommand(
      owner,
      'remove <device>',
      'take a device out of the roster: clients trust it no more',
      async ({ environment, owner: self, maybeLink, args }) => {
        const which = args[0] ?? '';
        const version = await self.removeDevice(await maybeLink(), which);
        environment.output.result(
          { removed: which, roster: version },
          `${printable(which)} is out: roster ${version}`,
        );
      },
    ),
  );
}

async function confirmClaim(
  environment: Environment,
  candidate: ClaimCandidate,
  yes: boolean,
): Promise<boolean> {
  const { output } = environment;
  const { fingerprint: shown, hello, evidence, securityLevel } = candidate;
  output.note(
    `device ${shown}, TA ${printable(hello.taVersion)}, ${levelName(securityLevel)}: ${levelMeaning(securityLevel)}`,
  );
  for (const line of evidenceLines(evidence)) output.note(line);
  if (yes) return true;
  if (output.json || !process.stdin.isTTY)
    throw new UsageError(`nobody to ask whether ${shown} is right: give --yes where it is known`);
  const answer = await environment.ask('Is this the fingerprint in the log of the device? [y/N] ');
  return /^y(es)?$/i.test(answer.trim());
}
