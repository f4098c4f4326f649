import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { isSmartZoneError, SmartZoneError } from '../../protocol/errors.js';
import { inputBytes, type InputShape } from '../../protocol/messages/input-shape.js';
import { toHex } from '../../protocol/bytes.js';
import {
  describeShape,
  framesOfPcm,
  framesOfSound,
  framesOfStream,
  isSound,
  listPictures,
  picturesAppearing,
  picturesOfPaths,
  picturesOfStream,
  readWav,
  SensorClient,
  type Fit,
  type SensorOptions,
  type SourcePicture,
} from '../sensor/index.js';
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
import { Exit, problemOf, UsageError } from './exit-codes.js';
import { printable } from './output.js';
import { seenPath } from './places.js';

interface SensorFlags extends GlobalOptions, BrokerFlags, DeviceFlags, KeyFlags, OwnerFlags {
  readonly timeout: number;
  readonly fit: string;
  readonly raw?: boolean;
  readonly fps?: number;
  readonly loop?: boolean;
  readonly sound?: boolean;
  readonly watch?: boolean;
  readonly zone?: string;
}

/** The part of --timeout that a device may take for one frame, where that is more than by default. */
const TIMEOUT_PER_FRAME = 1 / 4;
/** Fewer than the agent queues by default: it would drop the oldest. */
const MOST_WAITING = 12;

const FITS: readonly string[] = ['stretch', 'letterbox', 'crop'] satisfies Fit[];

function sensorCommand(parent: Command, usage: string, description: string): Command {
  return withOwnerLine(withKey(withDevice(withBroker(parent.command(usage))), 'sensor'))
    .description(description)
    .option('--fit <how>', 'pictures of another aspect ratio: stretch, letterbox or crop', 'stretch')
    .option(
      '--sound',
      'standard input is sound: 16 kHz, 16 bit, one channel (arecord -t raw -r 16000 -f S16_LE)',
    )
    .option('--raw', "standard input or files hold frames in the device's own input format, not pictures")
    .option(
      '--timeout <seconds>',
      'how long to wait for the device and for receipts; with send a device may take a quarter of it for a frame, or 10 s',
      numberOption('--timeout', 0.1, 3600),
      30,
    );
}

export function addSensorCommands(program: Command): void {
  const sensor = program.command('sensor').description('seal pictures or other frames for a device');

  const send = sensorCommand(
    sensor,
    'send <source...>',
    'send each picture once and wait until the device has receipted it',
  );
  send
    .addHelpText(
      'after',
      '\nA source is a picture (BMP, JPEG, PNG, WebP), a sound (WAV), a folder of them, or - for standard input.\n\nExample:\n  $ smart-zone sensor send --device porch-pi door.jpg',
    )
    .action(() => run(send, false));

  const stream = sensorCommand(
    sensor,
    'stream <source...>',
    'send pictures until there are no more, or for ever',
  );
  stream
    .option('--zone <name>', 'a zone of the roster, by name or id: its devices share the work')
    .option('--fps <number>', 'pictures a second', numberOption('--fps', 0.001, 1000), 1)
    .option('--loop', 'files and folders: start over at the end')
    .option('--watch', 'a folder: send the pictures that appear in it from now on')
    .addHelpText(
      'after',
      '\nExamples:\n  $ ffmpeg -i rtsp://camera/ -f image2pipe -c:v mjpeg -r 2 - | smart-zone sensor stream --device porch-pi --fps 2 -' +
        '\n  $ arecord -t raw -r 16000 -f S16_LE | smart-zone sensor stream --device porch-pi --fps 1000 --sound -',
    )
    .action(() => run(stream, true));
}

async function run(command: Command, stream: boolean): Promise<void> {
  const flags = command.optsWithGlobals<SensorFlags>();
  const sources = command.args;
  const environment = new Environment(flags);
  const { output } = environment;
  checkSources(sources, flags);
  if (!FITS.includes(flags.fit)) throw new UsageError(`--fit: one of ${FITS.join(', ')}`);
  const keys = await environment.keys(flags, 'sensor');
  // Missing files are noticed before anything is connected.
  const total =
    sources.includes('-') || flags.watch === true ? undefined : (await listPictures(sources)).length;
  const signal = stopSignal();
  let client: SensorClient | undefined;
  try {
    client = await SensorClient.open({
      link: await environment.linkFor(flags, keys, stream),
      keys,
      owner: environment.ownerLine(flags),
      ...destination(environment, flags),
      seenPath: seenPath(keys.path),
      fit: flags.fit as Fit,
      ...(stream ? {} : patience(flags.timeout)),
    });
    const shape = await client.ready(flags.timeout * 1000);
    const taker = flags.zone === undefined ? (client.device?.name ?? '') : `zone ${flags.zone}`;
    output.note(`${printable(taker)} takes ${describeShape(shape)}`);
    await feed(
      client,
      environment,
      pictures(sources, flags, shape, signal),
      shape,
      flags,
      stream,
      total,
      signal,
    );
    await client.idle(flags.timeout * 1000).catch((error: unknown) => {
      if (!isSmartZoneError(error, 'TIMED_OUT')) throw error;
    });
    const { frames, receipted, dropped, queued } = client.stats;
    output.result({ frames, receipted, dropped, queued }, summary(frames, receipted, dropped, queued));
    if (receipted < frames && !(stream && signal.aborted)) process.exitCode = Exit.TEMPORARY;
  } finally {
    await client?.close();
    await environment.close();
  }
}

/**
 * `send` gives a frame up when --timeout is over, not before, and leaves a slow device alone with it: a frame in a new channel would
 * take the receipt of the one that it is at.
 * @param timeout seconds
 */
function patience(timeout: number): Partial<SensorOptions> {
  return {
    queueCapacity: 1024,
    maxAge: 1000 * Math.max(30, timeout),
    frameExpiry: Math.ceil(Math.max(30, timeout)),
    offerAgainAfter: 1000 * Math.max(10, timeout * TIMEOUT_PER_FRAME),
  };
}

/** A device that only the environment names gives way to a zone that was asked for. */
function destination(environment: Environment, flags: SensorFlags): { zone: string } | { prefix: string } {
  return flags.zone === undefined ? { prefix: environment.prefix(flags) } : { zone: flags.zone };
}

function summary(frames: number, receipted: number, dropped: number, queued: number): string {
  const lost = dropped + queued;
  return `${frames} sent, ${receipted} receipted by the device${lost === 0 ? '' : `, ${lost} not`}`;
}

function checkSources(sources: readonly string[], { loop, watch, raw, sound }: SensorFlags): void {
  if (sources.includes('-') && sources.length > 1) throw new UsageError('- (standard input) goes alone');
  if (sources.includes('-') && (loop === true || watch === true))
    throw new UsageError('--loop and --watch are for files and folders');
  if (sound === true && (raw === true || !sources.includes('-')))
    throw new UsageError('--sound is for standard input; WAV files are known by their names');
  if (watch === true && (sources.length > 1 || loop === true || raw === true))
    throw new UsageError('--watch takes one folder, without --loop and --raw');
}

async function* pictures(
  sources: readonly string[],
  { raw, sound, loop, watch }: SensorFlags,
  shape: InputShape,
  signal: AbortSignal,
): AsyncGenerator<SourcePicture> {
  const [first = ''] = sources;
  if (first === '-') {
    const input = process.stdin as AsyncIterable<Uint8Array>;
    let count = 0;
    if (sound === true)
      for await (const bytes of framesOfPcm(shape, input)) yield { name: `sound ${++count}`, bytes };
    else yield* raw === true ? framesOfStream(input, inputBytes(shape)) : picturesOfStream(input);
  } else if (watch === true) {
    if (!(await stat(first)).isDirectory()) throw new UsageError('--watch takes a folder');
    yield* picturesAppearing(first, { signal });
  } else
    do yield* picturesOfPaths(sources);
    while (loop === true && !signal.aborted);
}

async function feed(
  client: SensorClient,
  { output }: Environment,
  source: AsyncIterable<SourcePicture>,
  shape: InputShape,
  { raw, sound, fps = 0, timeout }: SensorFlags,
  stream: boolean,
  total: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (stream && output.json) {
    client.on('sent', ({ frameId, number, attempt }) =>
      output.result({ sent: toHex(frameId), number, attempt }, ''),
    );
    client.on('dropped', ({ frameId, reason }) => output.result({ dropped: toHex(frameId), reason }, ''));
  }
  let next = performance.now();
  for await (const { name, bytes } of untilAborted(source, signal)) {
    try {
      if (raw === true || sound === true) client.sendFrame(bytes);
      else if (isSound({ name })) {
        for (const frame of framesOfSound(shape, readWav(bytes))) client.sendFrame(frame);
      } else await client.sendPicture(bytes);
    } catch (error) {
      if (!isSmartZoneError(error, 'PICTURE_INVALID', 'BAD_FRAME', 'NO_MODEL') || !stream) {
        if (isSmartZoneError(error, 'PICTURE_INVALID', 'BAD_FRAME'))
          throw new SmartZoneError(error.code, `${name}: ${error.detail ?? 'it cannot be read'}`, {
            cause: error,
          });
        throw error;
      }
      // One bad picture does not end a stream.
      output.note(`${printable(name)}: ${problemOf(error).message}`);
    }
    const { frames, receipted, dropped } = client.stats;
    const of = total === undefined ? '' : `/${total}`;
    output.progress(
      `${frames}${of} sent, ${receipted} receipted${dropped === 0 ? '' : `, ${dropped} dropped`}`,
    );
    if (stream) {
      next = Math.max(next + 1000 / fps, performance.now());
      await pause(next - performance.now(), signal);
    } else await room(client, timeout * 1000);
  }
}

/** `send` loses nothing: it waits while many frames are without a receipt. */
async function room(client: SensorClient, timeout: number): Promise<void> {
  const end = Date.now() + timeout;
  while (client.stats.queued >= MOST_WAITING && Date.now() < end)
    await new Promise((resolve) => setTimeout(resolve, 10));
}

async function* untilAborted<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  const stopped = new Promise<{ readonly done: true }>((resolve) => {
    if (signal.aborted) resolve({ done: true });
    signal.addEventListener('abort', () => resolve({ done: true }), { once: true });
  });
  for (;;) {
    const result = await Promise.race([iterator.next(), stopped]);
    if (result.done === true) return;
    yield result.value;
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, milliseconds);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}
