import { readFileSync, statSync } from 'node:fs';
import type { Command } from 'commander';
import { SmartZoneError } from '../../protocol/errors.js';
import { kidToHex } from '../../protocol/kid.js';
import { BrokerLink } from '../link/index.js';
import { bridgeWill, HomeAssistantBridge, type ModelInstaller } from '../rules/bridge/index.js';
import { Environment, numberOption } from './environment.js';
import { UsageError } from './exit-codes.js';
import { connectLabels, labelSource, stopped, withLabels, type LabelFlags } from './label-source.js';
import { ModelShelf } from './model-shelf.js';
import { printable } from './output.js';
import { seenPath } from './places.js';

interface BridgeFlags extends LabelFlags {
  readonly to?: string;
  readonly toCredentials?: string;
  readonly toCa?: string;
  readonly toCert?: string;
  readonly toTlsKey?: string;
  readonly discovery: string;
  readonly class?: readonly string[];
  readonly score: number;
  readonly quiet: number;
  readonly publisherKey?: string;
  readonly publisherPassphraseFile?: string;
  readonly model?: readonly string[];
}

export function addBridgeCommand(rules: Command): void {
  const command = withLabels(rules.command('bridge'));
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
    .option('--publisher-key <file>', 'with it, and --model, models are installed from Home Assistant')
    .option('--publisher-passphrase-file <file>', 'file whose first line opens it (or SMART_ZONE_PASSPHRASE)')
    .option(
      '--model <place...>',
      'packages to install, or folders of them, each with its content key beside it; newer ones are noticed',
    )
    .addHelpText(
      'after',
      '\nIts key is its own: another program with the same key would end its connection. Examples:' +
        '\n  $ smart-zone owner enrol "$(smart-zone key new rules --name bridge --out bridge.key.json)"' +
        '\n  $ smart-zone rules bridge --device porch-pi --key bridge.key.json --to mqtts://home-assistant.local --to-credentials ha.txt --class person' +
        '\n  $ smart-zone rules bridge --device porch-pi --key bridge.key.json --to mqtts://home-assistant.local --publisher-key publisher.key.json --model models/',
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
  const source = await labelSource(environment, flags);
  const { signal } = source;
  const id = kidToHex(source.keys.signing.kid);
  const base = `smart-zone/${id}`;
  const models = await openModels(flags, environment);
  for (const line of warningsFor(to)) output.note(line);
  const target = await BrokerLink.connect({
    url: to,
    clientId: `smart-zone-bridge-${id}`,
    sessionExpiry: 0,
    will: bridgeWill(base),
    ...(flags.toCredentials === undefined ? {} : credentials(flags.toCredentials)),
    ...(flags.toCa === undefined ? {} : { ca: readFileSync(flags.toCa) }),
    ...(flags.toCert === undefined ? {} : { cert: readFileSync(flags.toCert) }),
    ...(flags.toTlsKey === undefined ? {} : { key: readFileSync(flags.toTlsKey) }),
  });
  target.on('retrying', ({ reason }) => output.note(`${hostOf(to)} is away: ${printable(reason)}`));
  try {
    const rules = await connectLabels(environment, flags, source, {
      events: { score: flags.score, quiet: flags.quiet * 1000 },
    });
    try {
      const running = await HomeAssistantBridge.open({
        rules,
        to: target,
        base,
        discovery: flags.discovery,
        ...(flags.class === undefined ? {} : { classes: flags.class }),
        ...(models === undefined ? {} : { installer: models.installer }),
      });
      running.on('announced', ({ id, entities }) =>
        output.result({ announced: id, entities }, `announced ${id}: ${entities} entities`),
      );
      running.on('removed', ({ id }) => output.result({ removed: id }, `removed ${id}`));
      running.on('birth', () => output.note('Home Assistant came up: announcing again'));
      running.on('failed', (error) => output.problem(error));
      models?.shelf.watch(
        () => {
          output.note(`model ${models.shelf.sequence} can be installed`);
          running.modelsChanged();
        },
        (error) => output.problem(error),
      );
      output.note(`bridging ${printable(source.name)} to ${hostOf(to)}`);
      await stopped(signal);
      models?.shelf.close();
      await running.close();
    } finally {
      await rules.close();
    }
  } finally {
    await target.close();
    await environment.close();
  }
}

interface Models {
  readonly shelf: ModelShelf;
  readonly installer: ModelInstaller;
}

/** What stands behind the update entity, where the command line has a publisher's key and packages. */
async function openModels(flags: BridgeFlags, environment: Environment): Promise<Models | undefined> {
  const { publisherKey, publisherPassphraseFile, model } = flags;
  if (publisherKey === undefined && model === undefined) return undefined;
  if (publisherKey === undefined || model === undefined)
    throw new UsageError('--publisher-key and --model: a model is installed with both, or not at all');
  const keyFlags = {
    key: publisherKey,
    ...(publisherPassphraseFile === undefined ? {} : { passphraseFile: publisherPassphraseFile }),
  };
  const keys = await environment.keys(keyFlags, 'publisher');
  const owner = environment.ownerLine(flags);
  const shelf = await ModelShelf.open(model);
  const { pushModel } = await import('../publisher/index.js');
  const { Witness } = await import('../keys/index.js');
  const installer: ModelInstaller = {
    get sequence() {
      return shelf.sequence;
    },
    install: async (prefix, progress, signal) => {
      const { packages, sequence } = shelf;
      environment.output.note(`installing model ${sequence} on ${prefix}`);
      // A connection for this time alone: `model push` with the same key would end it, and it that one.
      const link = await environment.linkFor(flags, keys);
      try {
        const witness = Witness.open(seenPath(keys.path), owner.kid);
        await pushModel({
          link,
          key: keys.signing,
          owner: owner.signing,
          witness,
          packages,
          prefix,
          progress,
          signal,
        });
        environment.output.note(`model ${sequence} runs on ${prefix}`);
      } finally {
        await link.close();
      }
    },
  };
  return { shelf, installer };
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
