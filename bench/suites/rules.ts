import type { Context } from '../context.js';
import { mosquittoVersion, startMosquitto } from '../e2e/mosquitto.js';
import { runLoad, type LoadResult } from '../rules/load.js';

const SENSORS = 50;
const RATE = 500;
/** Ten minutes of labels in half the time: twice as many frames are remembered then. */
const HURRY = 2;

/**
 * A rules host on one processor: labels opened, events, a rule and its action for each label, a history, the bridge to Home
 * Assistant; 500 labels a second from 50 sensors, over aedes and mosquitto. Then ten minutes of labels in less time, for the memory.
 */
export const rulesSuite = async (context: Context): Promise<void> => {
  const { core, quick } = context;
  const load = { rate: RATE, labels: RATE * (quick ? 6 : 30), sensors: SENSORS, core };
  report(context, await runLoad(load), `${RATE} labels/s, aedes`);
  context.note(`mosquitto ${mosquittoVersion()}`);
  const mosquitto = await startMosquitto();
  try {
    report(context, await runLoad({ ...load, broker: mosquitto.url }), `${RATE} labels/s, mosquitto`);
  } finally {
    await mosquitto.stop();
  }
  const minutes = quick ? 0.25 : 10;
  const long = await runLoad({ rate: RATE * HURRY, labels: RATE * 60 * minutes, sensors: SENSORS, core });
  report(context, long, `${minutes} minutes of labels at ${RATE * HURRY}/s`);
};

const report = (context: Context, result: LoadResult, model: string): void => {
  const { latency, memory, cpu, labels, seconds, actions, states, rows, missed, stale, lost, failed, loop } =
    result;
  const figure = (name: string, unit: string, median: number): void =>
    context.add({ suite: 'rules', model, dtype: '', engine: 'smart-zone', figure: name, unit, median });
  figure('label → action, median', 'ms', latency.median);
  figure('label → action, p99', 'ms', latency.p99);
  figure('label → action, most', 'ms', latency.most);
  figure('label → action, most of the first 1000', 'ms', latency.starting);
  figure('event loop late by, most', 'ms', loop.most);
  figure('garbage collection, longest', 'ms', loop.collection);
  figure('labels', '1/s', labels / seconds);
  figure('processor', '%', cpu * 100);
  figure('memory after a quarter', 'MiB', memory[Math.floor(memory.length / 4)] ?? NaN);
  figure('memory at the end', 'MiB', memory.at(-1) ?? NaN);
  context.note(
    `${labels} labels, ${actions} actions, ${states} states, ${rows} rows; missed ${missed}, too old ${stale}, rows lost ${lost}, failed ${failed}`,
  );
};
