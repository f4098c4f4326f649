import type { Command } from 'commander';
import { codeName, isSmartZoneError } from '../../protocol/errors.js';
import { readModelStatus, type DeviceModelStatus } from '../../protocol/messages/model-status.js';
import { Topics } from '../../protocol/topics.js';
import { Witness, type PartyPublic } from '../keys/index.js';
import type { BrokerLink } from '../link/index.js';
import { DeviceTrust } from '../trust/index.js';
import {
  Environment,
  numberOption,
  withBroker,
  withOwnerLine,
  type BrokerFlags,
  type GlobalOptions,
  type OwnerFlags,
} from './environment.js';
import { printable } from './output.js';
import { targetsOf, withTargets, type TargetFlags } from './push-targets.js';

interface StateFlags extends GlobalOptions, BrokerFlags, OwnerFlags, TargetFlags {
  readonly timeout: number;
}

/** One device's models. */
interface ModelState {
  readonly prefix: string;
  readonly name?: string;
  /** The device's own word; undefined: `missing` says why. */
  readonly models?: DeviceModelStatus;
  readonly missing?: string;
  /** What its agent says of the last push; nobody signs that. */
  readonly push?: unknown;
}

/** `model status`: which model each device runs, by its own signature. */
export function addModelStatusCommand(model: Command): void {
  const command = withTargets(withOwnerLine(withBroker(model.command('status'))))
    .description(
      'which model devices run, on trial or not, and what they refused: signed by each, read without a key',
    )
    .option('--timeout <seconds>', 'how long to wait', numberOption('--timeout', 0.1, 60), 3)
    .addHelpText(
      'after',
      '\nExamples:\n  $ smart-zone model status --to porch-pi\n  $ smart-zone model status --roster all --json',
    );
  command.action(async () => {
    const flags = command.optsWithGlobals<StateFlags>();
    const environment = new Environment(flags);
    try {
      const owner = environment.ownerLine(flags);
      const link = await environment.link(flags, { role: 'status', id: String(process.pid) });
      const { prefixes, absent } = await targetsOf(flags, owner, link);
      const states = await Promise.all(
        prefixes.map((prefix) => stateOf(link, prefix, owner, flags.timeout * 1000)),
      );
      environment.output.result({ devices: states, absent }, [
        ...states.map(describeState),
        ...absent.map((name) => `${printable(name)}: says nothing under smartzone/`),
      ]);
      if (absent.length > 0 || states.some(({ models }) => models === undefined)) process.exitCode = 1;
    } finally {
      await environment.close();
    }
  });
}

/** Roster and hello vouch for the key that the word is signed with. */
const stateOf = async (
  link: BrokerLink,
  prefix: string,
  owner: PartyPublic,
  timeout: number,
): Promise<ModelState> => {
  const topics = new Topics(prefix);
  const trust = new DeviceTrust(owner.signing, Witness.open(undefined, owner.kid));
  let payload: Uint8Array | undefined;
  const ends = [
    await link.subscribe(topics.roster, (message) => trust.receiveRoster(message.payload)),
    await link.subscribe(topics.hello, (message) => trust.receiveHello(message.payload)),
    await link.subscribe(topics.modelStatus, (message) => (payload = message.payload)),
  ];
  const end = Date.now() + timeout;
  const read = (): ModelState => readState(prefix, trust, payload);
  while (read().models === undefined && Date.now() < end)
    await new Promise((resolve) => setTimeout(resolve, 20));
  for (const unsubscribe of ends) await unsubscribe();
  return read();
};

const readState = (prefix: string, trust: DeviceTrust, payload: Uint8Array | undefined): ModelState => {
  const { device, roster } = trust;
  const named = { prefix, ...(device && { name: device.name }) };
  if (roster === undefined)
    return { ...named, missing: 'the broker has no roster of its owner - smart-zone owner roster --publish' };
  if (device === undefined) return { ...named, missing: 'no device of the roster says hello there' };
  if (payload === undefined) return { ...named, missing: 'it has not said which models it has' };
  try {
    const { signed, push } = JSON.parse(new TextDecoder().decode(payload)) as {
      signed?: unknown;
      push?: unknown;
    };
    const word = new Uint8Array(Buffer.from(typeof signed === 'string' ? signed : '', 'base64url'));
    const models = readModelStatus(word, device.hello);
    return { ...named, models, ...(push !== undefined && { push }) };
  } catch (error) {
    if (isSmartZoneError(error) || error instanceof SyntaxError || error instanceof TypeError)
      return { ...named, missing: 'what it says of its models is not signed by the device' };
    throw error;
  }
};

const describeState = ({ prefix, name, models, missing }: ModelState): string => {
  const who = printable(name ?? prefix);
  if (models === undefined) return `${who}: ${missing}`;
  return `${who}: ${describeModels(models).join('; ')}`;
};

/** A device's word in words. */
export const describeModels = ({
  committed,
  previous,
  trial,
  floor,
  refused,
  loaded,
}: DeviceModelStatus): string[] => [
  committed === undefined ? 'no model' : `committed ${committed[0]}${loaded ? '' : ', not loaded'}`,
  ...(trial ? [`on trial, ${trial[0]} labels, start ${trial[1]}`] : []),
  ...(previous ? [`can go back to ${previous[0]}`] : []),
  `takes none up to ${floor}`,
  ...(refused ? [`refused ${refused[0]}: ${codeName(refused[1]) ?? refused[1]}`] : []),
];
