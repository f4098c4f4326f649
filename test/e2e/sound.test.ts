/** Sound the whole way: a microphone's features sealed, labelled in the TEE; the labels against TensorFlow Lite's outputs. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  EngineTool,
  importTflite,
  openPackage,
  openReference,
  pack,
  readPackage,
  verify,
  type Agreement,
  type NamedFrame,
} from '../../clients/publisher/index.js';
import { publicLine, publicOf } from '../../clients/keys/index.js';
import { framesOfSound, type Sound } from '../../clients/sensor/index.js';
import { describeWithOracle, sharedFile } from '../models/shared.js';
import { canSpeak, speak, VOICES } from '../support/speech.js';
import { PREFIX, until, World } from './world.js';

const WORDS = ['yes', 'no', 'up', 'right', 'off', 'on', 'go', 'left'];

const describeWithSpeech = canSpeak() ? describeWithOracle : describe.skip;
if (describeWithSpeech === describe.skip) console.warn('skipped: sound: install espeak-ng, and see above');

/** 16-bit PCM as a file. */
const wavOf = ({ rate, samples }: Sound): Uint8Array => {
  const header = Buffer.alloc(44);
  header.write('RIFF');
  header.writeUInt32LE(36 + 2 * samples.length, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(rate, 24);
  header.writeUInt32LE(2 * rate, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36);
  header.writeUInt32LE(2 * samples.length, 40);
  return Buffer.concat([header, new Uint8Array(Int16Array.from(samples, (sample) => 32767 * sample).buffer)]);
};

describeWithSpeech('sound', () => {
  let world: World;
  let file: string;

  const start = async (name: string): Promise<void> => {
    file = `models/${name}`;
    const network = importTflite(sharedFile(file), name);
    const model = await pack(network, { name, target: EngineTool.find().target() });
    world = await World.create({ model });
  };
  afterEach(() => world?.close());

  /** Labels of the device against what the original model's outputs mean. */
  const agreement = async (frames: readonly NamedFrame[]): Promise<Agreement> =>
    verify({
      content: openPackage(readPackage(world.signed.bytes), world.model.contentKey),
      reference: await openReference(sharedFile(file), file),
      file,
      frames,
      device: async (frame) => (await world.labelOf(world.sensor.sendFrame(frame))).results,
    });

  test('words, spoken, and a file sent by the command', async () => {
    await start('kws_ref_model.tflite');
    expect(world.model.header.input).toEqual({ format: 'f32', dims: [49, 10, 1] });
    const frames = VOICES.slice(0, 24).map((voice, i): NamedFrame => {
      const word = WORDS[i % WORDS.length] ?? '';
      const [data = new Uint8Array()] = framesOfSound(world.model.header.input, speak(word, voice));
      return { name: `${word}, ${voice.name}`, data };
    });
    const { agreeing, of, disagreements } = await agreement(frames);
    expect(disagreements).toEqual([]);
    expect([agreeing, of]).toEqual([24, 24]);
    const best = world.labels.map(({ results }) =>
      results.kind === 'classes' ? results.classes[0]?.name : undefined,
    );
    const heard = best.filter((label, i) => label === WORDS[i % WORDS.length]).length;
    console.info(`${heard} of ${best.length} spoken words are the label`);
    expect(heard).toBeGreaterThanOrEqual(12);

    const wav = join(world.folder, 'off.wav');
    writeFileSync(wav, wavOf(speak('off', { name: 'en-us', speed: 160 })));
    const labels = world.labels.length;
    const { status, error } = await send(wav);
    expect(error).toContain('porch takes');
    expect(status).toBe(0);
    await until(
      () => world.labels.length === labels + 1,
      () => `no label of the file; ${error}`,
    );
    expect(world.labels.at(-1)?.results).toMatchObject({ classes: [{ name: 'off' }, {}, {}] });

    writeFileSync(wav, wavOf({ rate: 44_100, samples: new Float32Array(100) }));
    expect(await send(wav)).toMatchObject({
      status: 65,
      error: expect.stringContaining('ffmpeg -ar 16000') as string,
    });
  });

  /** `smart-zone sensor send`, with the camera's keys, beside which nobody else seals. */
  const send = async (path: string): Promise<{ status: number; error: string }> => {
    await world.sensor.close();
    const { home, folder, broker } = world;
    const env = {
      ...process.env,
      SMART_ZONE_HOME: join(folder, 'keys'),
      SMART_ZONE_BROKER_URL: broker.url,
      SMART_ZONE_OWNER: publicLine(publicOf(home.ownerKeys)),
      SMART_ZONE_TOPIC_PREFIX: PREFIX,
    };
    return new Promise((done) => {
      execFile(
        process.execPath,
        [resolve('dist/clients/cli/main.js'), 'sensor', 'send', path],
        { env },
        (error, _, err) => done({ status: (error?.code as number | undefined) ?? 0, error: err }),
      );
    });
  };

  test('a machine that hums, and one that knocks', async () => {
    await start('ad01_int8.tflite');
    expect(world.model.header.input).toEqual({ format: 'f32', dims: [640] });
    const { sin, PI } = Math;
    let noise = 1;
    const hum = Float32Array.from({ length: 6144 }, (_, i) => {
      noise = (noise * 16807) % 2147483647;
      const tones = 0.05 * sin((2 * PI * 120 * i) / 16_000) + 0.02 * sin((2 * PI * 360 * i) / 16_000);
      return tones + 0.004 * (noise / 2147483647 - 0.5);
    });
    const knocking = hum.map((sample, i) => sample + (i % 1500 < 40 ? 0.8 * sin(i) : 0));
    const framesOf = (name: string, samples: Float32Array): NamedFrame[] =>
      framesOfSound(world.model.header.input, { rate: 16_000, samples }).map((data, i) => ({
        name: `${name} ${i}`,
        data,
      }));
    const frames = [...framesOf('hum', hum), ...framesOf('knocking', knocking)];
    expect(frames).toHaveLength(14);
    const { agreeing, of, kind, disagreements } = await agreement(frames);
    expect(disagreements).toEqual([]);
    expect([kind, agreeing, of]).toEqual(['reconstruction', 14, 14]);
    const errors = world.labels.map(({ results }) =>
      results.kind === 'reconstruction' ? results.error : NaN,
    );
    expect(new Set(errors).size).toBeGreaterThan(7);
    expect(errors.every((error) => error > 0)).toBe(true);
  });
});
