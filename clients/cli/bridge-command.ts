import { readFileSync, statSync } from 'node:fs';
import type { Command } from 'commander';
import { SmartZoneError } from '../../protocol/errors.js';
import { kidToHex } from '../../protocol/kid.js';
import { BrokerLink } from '../link/index.js';
import { bridgeWill, HomeAssistantBridge } from '../rules/bridge/index.js';
import { connectRules, deviceSeenPath } from '../rules/index.js';
import {
  Environment,
  numberOption,
  stopSignal,
  withBroker,
  withDevice,
  withKey,
  withOwnerLine,
  type BrokerFlags,
  type DeviceFlags,
  type GlobalOptions,
  type KeyFlags,
  type OwnerFlags,
} from './environment.js';
import { problemOf, UsageError } from './exit-codes.js';
import { printable } from './output.js';

interface BridgeFlags extends GlobalOptions, BrokerFlags, DeviceFlags, KeyFlags, OwnerFlags {
  readonly to?: string;
  readonly toCredentials?: string;
  readonly toCa?: string;
  readonly toCert?: string;
  readonly toTlsKey?: string;
  readonly discovery: string;
  readonly class?: readonly string[];
  readonly score: number;
  readonly quiet: number;
}

const WAITING_NOTE = 5000;

export function addBridgeCommand(rules: Command): void {
  const command = withOwnerLine(withKey(withDevice(withBroker(rules.command('bridge'))), 'rules'));
  command
    .description('publish labels for Home Assistant, readable, to a broker that you name')
    .option('--to <url>', 'broker for the readable labels: mqtt://host[:port] or mqtts://host[:port]')
    .option(
      '--to-credentials <file>',
      'file with the user name on its first line, the password on its second',
    )
    .option('--to-ca <file>', 'PEM file of the authorities that vouch for it')
    .option('--to-cert <file>', 'PEM file of a client certificate')
    .option('--to-tls-key <file>', 'PEM file of its key')
    .option('--discovery <prefix>', "Home Assistant's discovery prefix", 'homeassistant')
    .option(
      '--class <name>',
      'a class that becomes a binary sensor; give it again for more',
      (name, before) => [...((before as readonly string[] | undefined) ?? []), name],
    )
    .option('--score <number>', 'least score that counts as seen', numberOption('--score', 0, 1), 0.5)
    .option('--quiet <seconds>', 'how long after the last sight', numberOption('--quiet', 0.1, 86_400), 10)
    .addHelpText(
      'after',
      '\nExample:\n  $ smart-zone rules bridge --device porch-pi --to mqtts://home-assistant.local --to-credentials ha.txt --class person',
    )
    .action(() => bridge(command));
}

async function bridge(command: Command): Promise<void> {
  const flags = command.optsWithGlobals<BridgeFlags>();
  const environment = new Environment(flags);
  const { output } = environment;
  // Not taken from --broker nor from the environment: whoever makes labels readable says where.
  const { to } = flags;
  if (to === undefined)
    throw new UsageError('where to? give --to <url>: whoever reads that broker can read the labels');
  const keys = await environment.keys(flags, 'rules');
  const owner = environment.ownerLine(flags);
  const prefix = environment.prefix(flags);
  const signal = stopSignal();
  const base = `smart-zone/${kidToHex(keys.signing.kid)}`;
  for (const line of warningsFor(to)) output.note(line);
  const target = await BrokerLink.connect({
    url: to,
    clientId: `smart-zone-bridge-${kidToHex(keys.signing.kid)}`,
    sessionExpiry: 0,
    will: bridgeWill(base),
    ...(flags.toCredentials === undefined ? {} : credentials(flags.toCredentials)),
    ...(flags.toCa === undefined ? {} : { ca: readFileSync(flags.toCa) }),
    ...(flags.toCert === undefined ? {} : { cert: readFileSync(flags.toCert) }),
    ...(flags.toTlsKey === undefined ? {} : { key: readFileSync(flags.toTlsKey) }),
  });
  target.on('retrying', ({ reason }) => output.note(`${hostOf(to)} is away: ${printable(reason)}`));
  try {
    const rules = await connectRules({
      broker: await environment.linkFor(flags, keys, true),
      devices: [{ prefix }],
      key: keys,
      owner,
      seenPath: (each) => deviceSeenPath(keys.path, each),
      events: { score: flags.score, quiet: flags.quiet * 1000 },
    });
    try {
      rules.ready(WAITING_NOTE).catch((error: unknown) => {
        if (!signal.aborted) output.note(`still waiting: ${printable(problemOf(error).message)}`);
      });
      const running = await HomeAssistantBridge.open({
        rules,
        to: target,
        base,
        discovery: flags.discovery,
        ...(flags.class === undefined ? {} : { classes: flags.class }),
      });
      running.on('announced', ({ id, entities }) =>
        output.result({ announced: id, entities }, `announced ${id}: ${entities} entities`),
      );
      running.on('removed', ({ id }) => output.result({ removed: id }, `removed ${id}`));
      running.on('birth', () => output.note('Home Assistant came up: announcing again'));
      output.note(`bridging ${prefix} to ${hostOf(to)}`);
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      await running.close();
    } finally {
      await rules.close();
    }
  } finally {
    await target.close();
    await environment.close();
  }
}

function warningsFor(to: string): string[] {
  const lines = [
    `From here on labels are readable: everyone who may read ${hostOf(to)} sees what your sensors saw, when and where.`,
  ];
  const local = /^(127\.|localhost$|\[::1\]$)/.test(URL.canParse(to) ? new URL(to).hostname : '');
  if (/^(mqtt|ws):/.test(to) && !local)
    lines.push('The connection is not encrypted: so does everyone on the way. Use mqtts:// with --to-ca.');
  return lines;
}

function credentials(file: string): { username: string; password: string } {
  if (process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0)
    throw new SmartZoneError('KEY_FILE', `${file} can be read by others: chmod 600 ${file}`);
  const [username = '', password = ''] = readFileSync(file, 'utf8').split(/\r?\n/);
  if (username === '' || password === '')
    throw new SmartZoneError('KEY_FILE', `${file}: user name on the first line, password on the second`);
  return { username, password };
}

const hostOf = (url: string): string =>
  URL.canParse(url) ? new URL(url).host : url.replace(/\/\/[^@]*@/, '//');
