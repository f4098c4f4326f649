import type { Command } from 'commander';
import { kidToHex } from '../../protocol/kid.js';
import { readRuleFile, RuleEngine } from '../rules/index.js';
import { DashboardServer, DashboardState } from '../rules/dashboard/index.js';
import { Environment, numberOption } from './environment.js';
import { connectLabels, labelSource, stopped, withLabels, type LabelFlags } from './label-source.js';

interface DashboardFlags extends LabelFlags {
  readonly port: number;
}

export function addDashboardCommand(rules: Command): void {
  const command = withLabels(rules.command('dashboard [rules]'));
  command
    .description('a page in the browser of this machine: labels, devices, gaps, and what the broker sees')
    .option('--port <number>', 'port on 127.0.0.1', numberOption('--port', 0, 65_535), 8571)
    .addHelpText(
      'after',
      '\nWith a file of rules the page shows which would fire; nothing is done. Its key is its own. Example:\n  $ smart-zone rules dashboard --device porch-pi --key dashboard.key.json',
    )
    .action(() => dashboard(command));
}

async function dashboard(command: Command): Promise<void> {
  const flags = command.optsWithGlobals<DashboardFlags>();
  const environment = new Environment(flags);
  const { output } = environment;
  const [file] = command.args;
  const source = await labelSource(environment, flags);
  const engine = new RuleEngine(file === undefined ? [] : readRuleFile(file));
  const closers: (() => unknown)[] = [() => environment.close()];
  try {
    const rules = await connectLabels(environment, flags, source);
    closers.push(() => rules.close());
    let server: DashboardServer | undefined;
    const state = new DashboardState(rules, () => server?.changed(), file !== undefined);
    closers.push(() => state.close());
    engine.on('edge', (edge) => state.ruleFired(edge));
    rules.on('label', ({ label }) => engine.apply(label));
    closers.push(() => engine.close());
    // A connection of its own: what anybody sees who may read the broker.
    const watch = await environment.link(flags, { role: 'dashboard', id: kidToHex(source.keys.signing.kid) });
    const watched = new Set<string>();
    const watchDevice = async (prefix: string): Promise<void> => {
      if (watched.has(prefix)) return;
      watched.add(prefix);
      await watch.subscribe(`${prefix}/#`, ({ topic, payload }) => state.sawMessage(topic, payload));
    };
    for (const prefix of source.prefixes) await watchDevice(prefix);
    // Those of zones as they are found, those that join later too.
    rules.on('device', ({ prefix }) => void watchDevice(prefix).catch(() => watched.delete(prefix)));
    for (const { prefix } of rules.devices) await watchDevice(prefix);
    const serving = (server = await DashboardServer.start({
      snapshot: () => state.snapshot(),
      port: flags.port,
    }));
    closers.push(() => serving.close());
    output.result({ url: serving.url }, `Open ${serving.url} (on this machine; the address is the password)`);
    await stopped(source.signal);
  } finally {
    for (const close of closers.reverse()) await close();
  }
}
