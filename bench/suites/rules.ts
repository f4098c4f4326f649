import type { Context } from '../context.js';
import { runLoad, type LoadResult } from '../rules/load.js';

const SENSORS = 50;
const RATE = 500;
/** Ten minutes of labels in half the time. */
const HURRY = 2;

/**
 * A rules host on one processor: labels opened, events, a rule for each sensor, a history, the bridge to Home Assistant; 500 labels a second from 50 sensors.
 * First at that rate, for the latency from label to action; then ten minutes of labels in less time, for the memory.
 */
export const rulesSuite = async (context: Context): Promise<void> => {
  const { core, quick } = context;
  const steady = await runLoad({ rate: RATE, labels: RATE * (quick ? 6 : 60), sensors: SENSORS, core });
  report(context, steady, `${RATE} labels/s`);
  const minutes = quick ? 0.25 : 10;
  const long = await runLoad({ rate: RATE * HURRY, labels: RATE * 60 * minutes, sensors: SENSORS, core });
  report(context, long, `${minutes} minutes of labels at ${RATE * HURRY}/s`);
};

const report = (context: Context, result: LoadResult, model: string): void => {
  const { latency, memory, cpu, labels, seconds, actions, rows, missed, lost, failed } = result;
  const figure = (name: string, unit: string, median: number): void =>
    context.add({ suite: 'rules', model, dtype: '', engine: 'smart-zone', figure: name, unit, median });
  figure('label → action, median', 'ms', latency.median);
  figure('label → action, p99', 'ms', latency.p99);
  figure('label → action, most', 'ms', latency.most);
  figure('label → action, most of the first 1000', 'ms', latency.starting);
  figure('labels', '1/s', labels / seconds);
  figure('processor', '%', cpu * 100);
  figure('memory after a quarter', 'MiB', memory[Math.floor(memory.length / 4)] ?? NaN);
  figure('memory at the end', 'MiB', memory.at(-1) ?? NaN);
  context.note(
    `${labels} labels, ${actions} actions, ${rows} rows; missed ${missed}, rows lost ${lost}, failed ${failed}`,
  );
};
