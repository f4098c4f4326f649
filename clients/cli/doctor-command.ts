import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { isSmartZoneError } from '../../protocol/errors.js';
import { verifyHello } from '../../protocol/messages/hello.js';
import { Topics } from '../../protocol/topics.js';
import { fingerprint, needsPassphrase, Witness } from '../keys/index.js';
import type { BrokerLink } from '../link/index.js';
import { levelMeaning, levelName } from '../owner/security-level.js';
import { DeviceTrust } from '../trust/index.js';
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

interface DoctorFlags extends GlobalOptions, BrokerFlags, DeviceFlags, OwnerFlags {
  readonly timeout: number;
}

interface Finding {
  readonly check: string;
  /** good; note: works, but know this; bad: does not work. */
  readonly verdict: 'good' | 'note' | 'bad';
  readonly detail: string;
}

type Report = (check: string, verdict: Finding['verdict'], detail: string) => void;

export function addDoctorCommand(program: Command): void {
  const command = withOwnerLine(withDevice(withBroker(program.command('doctor'))))
    .description('look at everything that has to work here, and say what does not')
    .option(
      '--timeout <seconds>',
      'how long to wait for retained messages',
      numberOption('--timeout', 0.1, 60),
      2,
    );
  command.action(async () => {
    const flags = command.optsWithGlobals<DoctorFlags>();
    const environment = new Environment(flags);
    const findings: Finding[] = [];
    const report: Report = (check, verdict, detail) => void findings.push({ check, verdict, detail });
    try {
      checkKeys(environment.home, report);
      checkTee(report);
      await checkBroker(environment, flags, report);
    } finally {
      await environment.close();
    }
    const mark = { good: 'ok  ', note: 'note', bad: 'BAD ' };
    environment.output.result(
      { findings },
      findings.map(({ check, verdict, detail }) => `${mark[verdict]}  ${check}: ${printable(detail)}`),
    );
    if (findings.some(({ verdict }) => verdict === 'bad')) process.exitCode = Exit.UNAVAILABLE;
  });
}

function checkKeys(home: string, report: Report): void {
  const files = existsSync(home) ? readdirSync(home).filter((name) => name.endsWith('.key.json')) : [];
  if (files.length === 0) report('keys', 'note', `none in ${home}: make them with smart-zone key new`);
  for (const name of files) {
    try {
      const sealed = needsPassphrase(join(home, name));
      report(name, 'good', sealed ? 'sealed with a passphrase' : 'readable by you only');
    } catch (error) {
      report(name, 'bad', describe(error));
    }
  }
}

/** Matters where the agent runs; elsewhere it is only a note. */
function checkTee(report: Report): void {
  if (process.platform !== 'linux') return;
  if (!existsSync('/dev/tee0')) {
    report(
      'OP-TEE',
      'note',
      'no /dev/tee0 here: an agent on this machine has the software TEE only, which protects nobody',
    );
    return;
  }
  try {
    accessSync('/dev/tee0', constants.R_OK | constants.W_OK);
    report('OP-TEE', 'good', '/dev/tee0 can be opened');
  } catch {
    report('OP-TEE', 'note', '/dev/tee0 is not yours to open: the agent needs to be in its group');
  }
}

async function checkBroker(environment: Environment, flags: DoctorFlags, report: Report): Promise<void> {
  let link: BrokerLink;
  try {
    link = await environment.link(flags, { role: 'doctor', id: String(process.pid) });
  } catch (error) {
    report('broker', 'bad', describe(error));
    return;
  }
  report(
    'broker',
    'good',
    `${link.protocol === 5 ? 'MQTT 5' : 'MQTT 3.1.1'} at ${new URL(flags.broker).host}`,
  );
  if (
    !/^(mqtts|wss):/.test(flags.broker) &&
    !/^(localhost|127\.|\[?::1)/.test(new URL(flags.broker).hostname)
  )
    report(
      'broker',
      'note',
      'without TLS anyone on the way sees topics, sizes and times (never frames or labels)',
    );
  if (flags.device === undefined && flags.prefix === undefined) {
    report('device', 'note', 'none named: give --device <name> to look at one');
    return;
  }
  await checkDevice(environment, flags, link, report);
}

async function checkDevice(
  environment: Environment,
  flags: DoctorFlags,
  link: BrokerLink,
  report: Report,
): Promise<void> {
  const topics = new Topics(environment.prefix(flags));
  const found = new Map<string, Uint8Array>();
  const wanted = [topics.state, topics.hello, topics.roster, topics.modelStatus];
  for (const topic of wanted) await link.subscribe(topic, ({ payload }) => found.set(topic, payload));
  const end = Date.now() + flags.timeout * 1000;
  while (found.size < wanted.length && Date.now() < end)
    await new Promise((resolve) => setTimeout(resolve, 20));

  checkAgent(found.get(topics.state), topics.prefix, report);
  const hello = found.get(topics.hello);
  if (hello === undefined)
    report('device', 'bad', `no hello at ${topics.prefix}: the agent has not reached its TEE`);
  else checkHello(environment, flags, hello, found.get(topics.roster), report);
  const model = found.get(topics.modelStatus);
  if (model !== undefined) {
    const text = new TextDecoder().decode(model);
    report('model', /"state":"(active|loading)"/.test(text) ? 'good' : 'note', text);
  }
}

function checkAgent(state: Uint8Array | undefined, prefix: string, report: Report): void {
  if (state === undefined) {
    report('agent', 'bad', `nothing at ${prefix}: no agent has connected to this broker under that name`);
    return;
  }
  const text = new TextDecoder().decode(state);
  report('agent', text.includes('offline') ? 'bad' : text.includes('online') ? 'good' : 'note', text);
}

function checkHello(
  environment: Environment,
  flags: DoctorFlags,
  message: Uint8Array,
  roster: Uint8Array | undefined,
  report: Report,
): void {
  try {
    const hello = verifyHello(message);
    const { securityLevel: level, claimNonce } = hello;
    report('device', 'good', `${fingerprint(hello.device)}, TA ${hello.taVersion}`);
    report('security level', level < 2 ? 'note' : 'good', `${levelName(level)}: ${levelMeaning(level)}`);
    if (claimNonce !== undefined) {
      report('owner', 'note', 'the device is unclaimed: smart-zone owner claim');
      return;
    }
    const owner = environment.ownerLine(flags);
    const trust = new DeviceTrust(owner.signing, Witness.open(undefined, owner.kid));
    let refused: string | undefined;
    trust.on('refused', ({ what, error }) => (refused = `${what}: ${error.message}: ${error.fix}`));
    if (roster !== undefined) trust.receiveRoster(roster);
    trust.receiveHello(message);
    const { device } = trust;
    if (device === undefined) report('owner', 'bad', refused ?? 'no roster of your owner at this device');
    else if (device.behind)
      report('owner', 'bad', `${device.name} has not taken roster ${trust.roster?.version ?? 0}`);
    else report('owner', 'good', `${device.name} is vouched for by roster ${trust.roster?.version ?? 0}`);
  } catch (error) {
    report('device', 'bad', describe(error));
  }
}

function describe(error: unknown): string {
  const { message, fix } = problemOf(error);
  return isSmartZoneError(error) && fix !== undefined ? `${message}: ${fix}` : message;
}
