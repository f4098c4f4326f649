import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { isSmartZoneError } from '../../protocol/errors.js';
import { verifyHello } from '../../protocol/messages/hello.js';
import { Topics } from '../../protocol/topics.js';
import { fingerprint, needsPassphrase, Witness, type PartyPublic } from '../keys/index.js';
import type { BrokerLink } from '../link/index.js';
import { levelMeaning, levelName } from '../owner/security-level.js';
import { DeviceTrust } from '../trust/index.js';
import { AGENT_CONFIGURATION, readAgentSettings } from './doctor/agent-settings.js';
import { checkBrokerAddress } from './doctor/broker-tls.js';
import { fail, ok, warn, type Finding } from './doctor/finding.js';
import { checkMachine, thisMachine } from './doctor/machine.js';
import {
  Environment,
  numberOption,
  withBroker,
  withDevice,
  withOwnerLine,
  type BrokerFlags,
  type DeviceFlags,
  type GlobalOptions,
  type OwnerFlags,
} from './environment.js';
import { Exit, problemOf } from './exit-codes.js';
import { printable } from './output.js';

/** At least: with an emulated board 2 s were not enough. */
const CONNECTION_MS = 5000;

interface DoctorFlags extends GlobalOptions, BrokerFlags, DeviceFlags, OwnerFlags {
  readonly timeout: number;
  readonly config: string;
}

export function addDoctorCommand(program: Command): void {
  const command = withOwnerLine(withDevice(withBroker(program.command('doctor'))))
    .description(
      'look at everything that has to work: this machine, the broker, the device; say what does not, and what to do',
    )
    .option(
      '--config <file>',
      'configuration of the agent on this machine: its TEE, and where no option names them its broker and topics',
      AGENT_CONFIGURATION,
    )
    .option(
      '--timeout <seconds>',
      'how long to wait for the broker, and for retained messages',
      numberOption('--timeout', 0.1, 60),
      2,
    )
    .addHelpText('after', '\nExit status: 0 when nothing fails (warnings do not count), 69 otherwise.');
  command.action(async () => {
    const flags = command.optsWithGlobals<DoctorFlags>();
    const environment = new Environment(flags);
    const findings: Finding[] = [];
    try {
      const settings = readAgentSettings(flags.config);
      const agent = settings === undefined || 'verdict' in settings ? {} : settings;
      if (settings !== undefined && 'verdict' in settings) findings.push(settings);
      findings.push(...checkKeys(environment.home));
      if (process.platform === 'linux') findings.push(...checkMachine(thisMachine(agent.library)));
      const broker = flags.broker ?? agent.broker ?? environment.brokerUrl(flags);
      const prefix =
        flags.device === undefined && flags.prefix === undefined ? agent.prefix : environment.prefix(flags);
      findings.push(...(await checkBroker(environment, { ...flags, broker }, prefix)));
    } finally {
      await environment.close();
    }
    environment.output.result({ findings }, findings.map(lineOf));
    if (findings.some(({ verdict }) => verdict === 'fail')) process.exitCode = Exit.UNAVAILABLE;
  });
}

const lineOf = ({ check, verdict, detail, fix }: Finding): string =>
  printable(`${verdict.padEnd(4)}  ${check}: ${detail}${fix === undefined ? '' : ` - ${fix}`}`);

function checkKeys(home: string): Finding[] {
  const files = existsSync(home) ? readdirSync(home).filter((name) => name.endsWith('.key.json')) : [];
  if (files.length === 0) return [warn('keys', `none in ${home}`, 'make them with smart-zone key new')];
  return files.map((name) => {
    try {
      const sealed = needsPassphrase(join(home, name));
      return ok(name, sealed ? 'sealed with a passphrase' : 'readable by you only');
    } catch (error) {
      return failure(name, error);
    }
  });
}

async function checkBroker(
  environment: Environment,
  flags: DoctorFlags & { readonly broker: string },
  prefix: string | undefined,
): Promise<Finding[]> {
  const address = {
    url: flags.broker,
    ...(flags.ca === undefined ? {} : { ca: flags.ca }),
    ...(flags.cert === undefined ? {} : { cert: flags.cert }),
    ...(flags.tlsKey === undefined ? {} : { key: flags.tlsKey }),
  };
  const before = await checkBrokerAddress(address, flags.timeout * 1000);
  if (before.some(({ verdict }) => verdict === 'fail')) return before;
  let link: BrokerLink;
  try {
    link = await environment.link(
      flags,
      { role: 'doctor', id: String(process.pid) },
      false,
      Math.max(flags.timeout * 1000, CONNECTION_MS),
    );
  } catch (error) {
    return [...before, failure('broker', error)];
  }
  const { host, hostname, protocol } = new URL(flags.broker);
  const found = [...before, ok('broker', `${link.protocol === 5 ? 'MQTT 5' : 'MQTT 3.1.1'} at ${host}`)];
  if (!/^(mqtts|wss):$/.test(protocol) && !/^(localhost$|127\.|\[::1\]$)/.test(hostname))
    found.push(
      warn(
        'TLS',
        'without it anyone on the way sees topics, sizes and times (never frames or labels)',
        'give the broker a certificate, and use mqtts://',
      ),
    );
  if (prefix === undefined)
    return [
      ...found,
      warn('device', 'none named, none looked at', 'give --device <name> or --prefix <topic>'),
    ];
  return [...found, ...(await checkDevice(environment, flags, link, prefix))];
}

async function checkDevice(
  environment: Environment,
  flags: DoctorFlags,
  link: BrokerLink,
  prefix: string,
): Promise<Finding[]> {
  const topics = new Topics(prefix);
  const found = new Map<string, Uint8Array>();
  const wanted = [topics.state, topics.hello, topics.roster, topics.modelStatus];
  for (const topic of wanted) await link.subscribe(topic, ({ payload }) => found.set(topic, payload));
  const end = Date.now() + flags.timeout * 1000;
  while (found.size < wanted.length && Date.now() < end)
    await new Promise((resolve) => setTimeout(resolve, 20));

  const hello = found.get(topics.hello);
  const model = found.get(topics.modelStatus);
  return [
    checkAgent(found.get(topics.state), prefix),
    ...(hello === undefined
      ? [fail('device', `no hello at ${prefix}: the agent has not reached its TEE`, LOOK_AT_AGENT)]
      : checkHello(environment, flags, hello, found.get(topics.roster))),
    ...(model === undefined ? [] : [checkModel(model)]),
  ];
}

const LOOK_AT_AGENT = 'on its machine: systemctl status smart-zone-agent; journalctl -u smart-zone-agent';

function checkAgent(state: Uint8Array | undefined, prefix: string): Finding {
  if (state === undefined)
    return fail(
      'agent',
      `nothing at ${prefix}: no agent has connected to this broker under that name`,
      LOOK_AT_AGENT,
    );
  const { state: word, text } = readState(state);
  if (word === 'offline') return fail('agent', text, LOOK_AT_AGENT);
  return word === 'online' ? ok('agent', text) : warn('agent', text, LOOK_AT_AGENT);
}

function checkModel(status: Uint8Array): Finding {
  const { state, text } = readState(status);
  return state === 'active' || state === 'loading'
    ? ok('model', text)
    : warn('model', text, 'smart-zone model pack, wrap and install');
}

/** What an agent says of itself in JSON, for people: the state, and what else there is, without signatures. */
function readState(message: Uint8Array): { readonly state: string | undefined; readonly text: string } {
  const text = new TextDecoder().decode(message);
  try {
    const { state, ...more } = JSON.parse(text) as Record<string, unknown>;
    if (typeof state !== 'string') return { state: undefined, text: printable(text) };
    const details = Object.entries(more)
      .filter(([key]) => key !== 'signed')
      .map(([key, value]) => `${key} ${typeof value === 'string' ? value : JSON.stringify(value)}`);
    return { state, text: printable([state, ...details].join(', ')) };
  } catch {
    return { state: undefined, text: printable(text) };
  }
}

function checkHello(
  environment: Environment,
  flags: DoctorFlags,
  message: Uint8Array,
  roster: Uint8Array | undefined,
): Finding[] {
  try {
    const hello = verifyHello(message);
    const { securityLevel: level, claimNonce } = hello;
    const what = `${levelName(level)}: ${levelMeaning(level)}`;
    return [
      ok('device', `${fingerprint(hello.device)}, TA ${hello.taVersion}`),
      level < 2
        ? warn('security level', what, 'docs/op-tee.md says what a board needs for more')
        : ok('security level', what),
      claimNonce === undefined
        ? checkOwner(environment, flags, message, roster)
        : warn('owner', 'the device is unclaimed', 'smart-zone owner claim'),
    ];
  } catch (error) {
    return [failure('device', error)];
  }
}

function checkOwner(
  environment: Environment,
  flags: DoctorFlags,
  hello: Uint8Array,
  roster: Uint8Array | undefined,
): Finding {
  let owner: PartyPublic;
  try {
    owner = environment.ownerLine(flags);
  } catch (error) {
    const { message } = problemOf(error);
    return warn('owner', `the device is claimed; by whom is not known here: ${message}`, 'give --owner');
  }
  const trust = new DeviceTrust(owner.signing, Witness.open(undefined, owner.kid));
  let refused: unknown;
  trust.on('refused', ({ error }) => (refused = error));
  if (roster !== undefined) trust.receiveRoster(roster);
  trust.receiveHello(hello);
  const { device } = trust;
  if (device === undefined)
    return refused === undefined
      ? fail(
          'owner',
          'no roster of your owner at this device',
          'smart-zone owner roster --publish, or check --owner',
        )
      : failure('owner', refused);
  const version = trust.roster?.version ?? 0;
  return device.behind
    ? fail('owner', `${device.name} has not taken roster ${version}`, 'smart-zone owner roster --publish')
    : ok('owner', `${device.name} is vouched for by roster ${version}`);
}

function failure(check: string, error: unknown): Finding {
  const { message, fix } = problemOf(error);
  return fail(
    check,
    message,
    isSmartZoneError(error) || fix !== undefined ? (fix ?? LOOK_AT_AGENT) : LOOK_AT_AGENT,
  );
}
