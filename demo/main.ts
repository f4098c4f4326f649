import { Command, InvalidArgumentError } from 'commander';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBroker } from '../broker-dev/broker.js';
import { SmartZoneError } from '../protocol/errors.js';
import { AgentProcess } from './agent-process.js';
import { Household, packObjectModel } from './household.js';
import { loadDoorScenes } from './scenes.js';
import { ColumnScreen, JsonScreen, LineScreen, type Screen } from './screen.js';
import { Show, summaryLine } from './show.js';

const PREFIX = 'smartzone/porch';
const EXIT_FAILED = 1;

interface Options {
  readonly frames?: number;
  readonly json?: boolean;
  readonly interval: number;
}

const count = (least: number) => (text: string) => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least)
    throw new InvalidArgumentError(`a whole number from ${least}`);
  return value;
};

const readOptions = (): Options =>
  new Command('npm run demo --')
    .description(
      'A camera, a Raspberry Pi with a software TEE, a home server and the broker between them, all on this machine.',
    )
    .option('--frames <n>', 'end by itself after n frames, with a summary', count(1))
    .option('--json', 'one JSON object per line')
    .option('--interval <ms>', 'time between frames', count(0), 500)
    .parse()
    .opts<Options>();

const screenFor = ({ json }: Options): Screen => {
  const write = (text: string): void => void process.stdout.write(text);
  if (json === true) return new JsonScreen(write);
  return process.stdout.isTTY ? new ColumnScreen(PREFIX, process.stdout) : new LineScreen(PREFIX, write);
};

const run = async (options: Options): Promise<number> => {
  const screen = screenFor(options);
  const folder = mkdtempSync(join(tmpdir(), 'sz-demo-'));
  // In the order of their making; ended the other way round, whatever went wrong.
  const toClose: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
  const stopAsked = new AbortController();
  const stop = (): void => stopAsked.abort();
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  try {
    screen.step('starting a broker');
    const show = new Show(screen, PREFIX);
    const broker = await startBroker({ port: 0, observe: (message) => show.observed(message) });
    toClose.push(() => broker.stop());

    screen.step('starting the agent, and with it the software TEE (level 0: it protects nobody)');
    const agent = AgentProcess.start({ folder, brokerUrl: broker.url, prefix: PREFIX });
    toClose.push(() => agent.stop());

    screen.step('making keys for the owner, the camera, the home server and the model publisher');
    const home = Household.create({
      folder: join(folder, 'keys'),
      prefix: PREFIX,
      brokerUrl: broker.url,
      protocol: 4,
    });
    toClose.push(() => home.close());
    const [scenes, model] = await Promise.all([loadDoorScenes(), packObjectModel()]);
    await agent.logged('ready');

    screen.step('claiming the device, enrolling the others');
    await home.claimAndEnrol(await home.link('owner'));

    screen.step('installing SSD-MobileNetV2: encrypted, signed, checked and run once by the TA');
    const link = await home.link('home-server');
    const rules = await home.rules({ link });
    toClose.push(() => rules.close());
    const sensor = await home.sensor();
    toClose.push(() => sensor.close());
    await home.install(model, 1, agent.modelFolder);
    await Promise.all([sensor.ready(), rules.ready()]);
    screen.step('streaming photographs');

    await show.play({
      home,
      model,
      link,
      sensor,
      rules,
      scenes,
      interval: options.interval,
      stop: stopAsked.signal,
      ...(options.frames !== undefined && { frames: options.frames }),
    });
    const summary = show.summary();
    screen.close();
    if (screen instanceof JsonScreen) screen.object('summary', summary);
    else process.stdout.write(`${summaryLine(summary)}\n`);
    return summary.good ? 0 : EXIT_FAILED;
  } catch (error) {
    screen.close();
    const text = error instanceof Error ? error.message : String(error);
    const fix = error instanceof SmartZoneError ? ` To do: ${error.fix}.` : '';
    process.stderr.write(`The demo failed: ${text}.${fix}\n`);
    return EXIT_FAILED;
  } finally {
    for (const close of toClose.reverse()) await close();
  }
};

if (process.platform !== 'linux') {
  process.stderr.write(
    'The demo needs Linux: the software TEE runs only there. The clients run on this system too.\n',
  );
  process.exitCode = 69;
} else {
  process.exitCode = await run(readOptions());
}
