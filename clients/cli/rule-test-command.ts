import type { Command } from 'commander';
import {
  readRecording,
  readRuleFile,
  renderAction,
  ReplayTimers,
  RuleEngine,
  type RenderedAction,
  type RuleEdge,
} from '../rules/index.js';
import { Environment, type GlobalOptions } from './environment.js';
import { printable, toJson } from './output.js';

/** Commands that look at rules, and do nothing of what they say. */
export function addRuleTestCommands(rules: Command): void {
  const test = rules.command('test <rules>');
  test
    .description('check a file of rules; with a recording, show what it would have done')
    .option(
      '--replay <recording>',
      'labels that `rules watch --record` kept; nothing is published, called or run',
    )
    .addHelpText('after', '\nExample:\n  $ smart-zone rules test porch.yaml --replay monday.cbor')
    .action(() => {
      const { replay } = test.opts<{ replay?: string }>();
      return replay === undefined ? check(test) : replayRules(test, replay);
    });
  const replay = rules.command('replay <rules> <recording>');
  replay
    .description('the same as `rules test <rules> --replay <recording>`')
    .addHelpText('after', '\nExample:\n  $ smart-zone rules replay porch.yaml monday.cbor')
    .action(() => replayRules(replay, replay.args[1] ?? ''));
}

/** In words. */
export const countOf = ({ length }: readonly unknown[]): string =>
  length === 1 ? '1 rule' : `${length} rules`;

function check(command: Command): void {
  const { output } = new Environment(command.optsWithGlobals<GlobalOptions>());
  const [file = ''] = command.args;
  const names = readRuleFile(file).map(({ name }) => name);
  output.result({ good: true, rules: names }, `${file}: good, ${countOf(names)}`);
}

/** Time is the recording's: holds end when the next label's sensor time says so. */
async function replayRules(command: Command, recording: string): Promise<void> {
  const { output } = new Environment(command.optsWithGlobals<GlobalOptions>());
  const timers = new ReplayTimers();
  const engine = new RuleEngine(readRuleFile(command.args[0] ?? ''), timers);
  let edges = 0;
  engine.on('edge', (edge) => {
    edges += 1;
    const { rule, state } = edge;
    const actions = edge.actions.map((action) => tryRender(action, edge));
    output.result({ time: timers.now(), rule: rule.name, state, actions }, [
      `${new Date(timers.now()).toISOString()}  ${printable(rule.name)}: ${state}`,
      ...actions.map((action) => `  ${describeAction(action)}`),
    ]);
  });
  for await (const label of readRecording(recording)) {
    timers.advance(label.sensorTime);
    engine.apply(label);
  }
  timers.advance(Infinity);
  engine.close();
  if (edges === 0) output.note('no rule would have gone on');
}

type Shown = RenderedAction | { readonly refused: string };

function tryRender(action: RuleEdge['actions'][number], edge: RuleEdge): Shown {
  try {
    return renderAction(action, edge);
  } catch (error) {
    return { refused: (error as Error).message };
  }
}

function describeAction(action: Shown): string {
  if ('refused' in action) return `would not be done: ${printable(action.refused)}`;
  if ('print' in action) return `print ${printable(action.print)}`;
  if ('publish' in action)
    return printable(
      `publish ${action.publish.topic} ${action.publish.payload}${action.publish.retain ? ' (retained)' : ''}`,
    );
  if ('run' in action) return `run ${toJson(action.run)}`;
  const { method, url, body } = action.request;
  return printable(`${method} ${url}${body === undefined ? '' : ` ${body}`}`);
}
