/** Zones: devices that share the work of the sensors that send to them. */
import type { Command } from 'commander';
import { kidToHex } from '../../protocol/kid.js';
import { UsageError } from './exit-codes.js';
import { ownerCommand, withOffline, type OwnerWork, type OwnerCommandFlags } from './owner-command.js';
import { printable } from './output.js';

export function addZoneCommands(owner: Command): void {
  const zone = owner
    .command('zone')
    .description('let several devices share the frames of the sensors that send to a zone');
  withOffline(
    ownerCommand(
      zone,
      'add <zone> <device...>',
      'put devices (by name or kid) into a zone, which is made where there is none of this name',
      async (work) => {
        const [name = '', ...devices] = work.args;
        show(work, name, await work.owner.addToZone(await work.maybeLink(), name, devices));
      },
    ),
  ).addHelpText(
    'after',
    '\nExample:\n  $ smart-zone owner zone add porch porch-pi garage-pi\n  $ smart-zone sensor stream --zone porch -',
  );
  withOffline(
    ownerCommand(
      zone,
      'remove <zone> [device...]',
      'take devices out of a zone; none named: the zone goes',
      async (work) => {
        const [name = '', ...devices] = work.args;
        if (name === '') throw new UsageError('which zone?');
        show(work, name, await work.owner.removeFromZone(await work.maybeLink(), name, devices));
      },
    ),
  );
}

function show({ environment, owner }: OwnerWork<OwnerCommandFlags>, name: string, version: number): void {
  const zone = owner.zones.find((each) => each.name === name || kidToHex(each.id) === name);
  const devices = zone?.devices ?? [];
  environment.output.result(
    { zone: name, ...(zone === undefined ? {} : { id: kidToHex(zone.id) }), devices, roster: version },
    zone === undefined
      ? `zone ${printable(name)} is gone: roster ${version}`
      : `zone ${printable(name)}: ${devices.map(printable).join(', ')}; roster ${version}`,
  );
}
