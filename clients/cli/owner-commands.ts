import type { Command } from 'commander';
import { addOwnerDeviceCommands } from './owner-device-commands.js';
import { addOwnerEvidenceCommands } from './owner-evidence-commands.js';
import { addOwnerKeyCommands } from './owner-key-commands.js';
import { addOwnerMemberCommands } from './owner-member-commands.js';
import { addZoneCommands } from './zone-commands.js';

export function addOwnerCommands(program: Command): void {
  const owner = program.command('owner').description('claim devices, and say who takes part');
  addOwnerKeyCommands(owner);
  addOwnerDeviceCommands(owner);
  addOwnerMemberCommands(owner);
  addZoneCommands(owner);
  addOwnerEvidenceCommands(owner);
}
