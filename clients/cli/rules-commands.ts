import type { Command } from 'commander';
import { levelName } from '../owner/security-level.js';
import type { Results } from '../../protocol/messages/results.js';
import { kidToHex } from '../../protocol/kid.js';
import {
  ActionRunner,
  LabelRecorder,
  readRuleFile,
  RuleEngine,
  watchRuleFile,
  type LabelEvent,
  type Rules,
} from '../rules/index.js';
import { Environment, numberOption } from './environment.js';
import { addBridgeCommand } from './bridge-command.js';
import { addDashboardCommand } from './dashboard-command.js';
import { connectLabels, labelSource, withLabels, type LabelFlags } from './label-source.js';
import { printable } from './output.js';
import { addHistoryCommand, openHistory, withHistory, type HistoryFlags } from './history-command.js';
import { addRuleTestCommands, countOf } from './rule-test-command.js';

interface RulesFlags extends LabelFlags, HistoryFlags {
  readonly maxAge: number;
  readonly count?: number;
  readonly telemetry?: boolean;
  readonly record?: string;
  readonly verbose?: boolean;
}

function rulesCommand(parent: Command, usage: string, description: string): Command {
  return withHistory(withLabels(parent.command(usage)))
    .description(description)
    .option(
      '--max-age <seconds>',
      'labels whose sensor time is further off are not acted on',
      numberOption('--max-age', 0.1, 86_400),
      30,
    )
    .option('--count <number>', 'end after so many labels', numberOption('--count', 1, 1e9))
    .option('--verbose', 'also say what was refused');
}

export function addRulesCommands(program: Command): void {
  const rules = program.command('rules').description("open a device's labels, and act on them");

  const watch = rulesCommand(rules, 'watch', 'print the labels as they come');
  watch
    .option('--telemetry', "also the device's telemetry")
    .option('--record <file>', 'keep the labels, readable, in a new file for `rules test --replay`')
    .addHelpText('after', '\nExample:\n  $ smart-zone rules watch --device porch-pi')
    .action(() => run(watch));

  const act = rulesCommand(rules, 'run <file>', 'run a file of rules');
  act
    .addHelpText(
      'after',
      '\nThe file, in YAML or JSON (reference: docs/rules.md; editors: config/rules.schema.json):\n' +
        '  rules:\n' +
        '    - name: porch light\n' +
        '      when: { class: face, score: 0.6, sensor: porch }\n' +
        '      hold: 30\n' +
        '      on:  [{ publish: { topic: home/porch/light, payload: ON } }]\n' +
        '      off: [{ publish: { topic: home/porch/light, payload: OFF } }]\n' +
        'It is read again when it changes; where it is wrong then, the rules that run stay.',
    )
    .action(() => run(act, act.args[0] ?? ''));

  addRuleTestCommands(rules);
  addBridgeCommand(rules);
  addHistoryCommand(rules);
  addDashboardCommand(rules);
}

/** @param file of rules; without one the labels are printed */
async function run(command: Command, file?: string): Promise<void> {
  const flags = command.optsWithGlobals<RulesFlags>();
  const environment = new Environment(flags);
  const { output } = environment;
  const source = await labelSource(environment, flags);
  const { keys, signal } = source;
  let labels: Rules | undefined;
  const recorder = flags.record === undefined ? undefined : await LabelRecorder.create(flags.record);
  const history = await openHistory(flags, environment);
  const engine = new RuleEngine(file === undefined ? [] : readRuleFile(file));
  let actions: ActionRunner | undefined;
  let unwatch: (() => void) | undefined;
  try {
    const link = await environment.linkFor(flags, keys, true);
    // With --json standard output has objects only.
    const print = (line: string): void =>
      output.json ? output.result({ print: line }, '') : output.result({}, line);
    const runner = (actions = new ActionRunner({ print, link }, (failure) => output.problem(failure)));
    engine.on('edge', (edge) => {
      output.result(
        { rule: edge.rule.name, state: edge.state },
        edge.actions.some((action) => 'print' in action) ? [] : `${printable(edge.rule.name)}: ${edge.state}`,
      );
      runner.take(edge);
    });
    if (file !== undefined)
      unwatch = watchRuleFile(file, {
        changed: (rules) => {
          engine.replace(rules);
          output.note(`${file}: read again, ${countOf(rules)}`);
        },
        failed: (error) => {
          output.problem(error);
          output.note(`${file} is not used: the rules from before stay`);
        },
      });
    labels = await connectLabels(environment, flags, source, { maxAge: flags.maxAge * 1000 }, link);
    report(labels, environment, flags);
    let count = 0;
    for await (const { label } of labels.events({ types: ['label'], signal })) {
      if (file === undefined) output.result(labelJson(label), describeLabel(label));
      recorder?.write(label);
      history?.write(label);
      engine.apply(label);
      if (++count === flags.count) break;
    }
  } finally {
    unwatch?.();
    engine.close();
    await actions?.settled();
    // The connection first: nothing is unsubscribed then, and the broker keeps what comes until this host is back.
    await environment.close();
    await labels?.close();
    await recorder?.close();
    await history?.close();
  }
}

function report(labels: Rules, { output }: Environment, { verbose, telemetry }: RulesFlags): void {
  /** By prefix. */
  const last = new Map<string, string>();
  labels.on('device', ({ prefix, device, behind, securityLevel = 0, model: sequence = 0 }) => {
    if (device === undefined) return;
    const model = sequence === 0 ? 'no model' : `model ${sequence}`;
    const line = `device ${printable(device.name)} (${kidToHex(device.kid)}), ${levelName(securityLevel)}, ${model}${behind === true ? ', has not taken the newest roster' : ''}`;
    if (line === last.get(prefix)) return;
    last.set(prefix, line);
    output.note(line);
  });
  labels.on('gap', ({ sensor, missed }) =>
    output.note(`${printable(sensor.name)}: ${missed} labels are missing`),
  );
  labels.on('stale', ({ sensor, ageMs }) =>
    output.note(`${printable(sensor.name)}: a label ${Math.round(ageMs / 1000)} s old was not acted on`),
  );
  if (verbose === true)
    labels.on('refused', ({ what, error }) => output.note(`refused a ${what}: ${printable(error.message)}`));
  if (telemetry === true)
    labels.on('telemetry', ({ telemetry: event }) => {
      const { name, uptime } = event;
      const counters = Object.fromEntries(event.counters);
      const memory = Object.fromEntries(event.memory);
      const stages = Object.fromEntries(event.stages);
      const agent = Object.fromEntries(event.agent);
      output.result({ telemetry: { name, uptime, counters, stages, memory, agent } }, [
        `${printable(name)}: up ${Math.round(uptime / 1000)} s, ${Object.entries(counters)
          .map(([key, value]) => `${printable(key)} ${value}`)
          .join(', ')}`,
      ]);
    });
}

function labelJson(label: LabelEvent): object {
  const { device, sensor, number, frameId, sensorTime, received, model, results } = label;
  return { device, sensor, number, frameId, sensorTime, received, model, results };
}

/** One line: time, sensor, what was seen. */
function describeLabel({ sensor, sensorTime, number, results }: LabelEvent): string {
  const time = new Date(sensorTime).toISOString().slice(11, 23);
  return `${time}  ${printable(sensor.name)}  #${number}  ${describeResults(results)}`;
}

function describeResults(results: Results): string {
  const scored = ({ name, index, score }: { name: string; index: number; score: number }): string =>
    `${name === '' ? `class ${index}` : printable(name)} ${score.toFixed(2)}`;
  switch (results.kind) {
    case 'classes':
      return results.classes.map(scored).join(', ') || 'nothing';
    case 'detections':
      return (
        results.detections
          .map((each) => {
            const { x, y, width, height } = each.box;
            return `${scored(each)} at ${[x, y, width, height].map((part) => part.toFixed(2)).join(' ')}`;
          })
          .join(', ') || 'nothing'
      );
    case 'reconstruction':
      return `reconstruction error ${results.error.toPrecision(4)}`;
    case 'tensor':
      return `${results.format} tensor, ${results.data.length} bytes`;
  }
}
