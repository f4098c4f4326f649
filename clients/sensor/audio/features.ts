import type { InputShape } from '../../../protocol/messages/input-shape.js';
import { SmartZoneError } from '../../../protocol/errors.js';
import { filtered, htkMelFilters, slaneyMelFilters, type MelFilter } from './mel.js';
import { hannWindow, Spectrum } from './spectrum.js';
import { readPcm, type Sound } from './wav.js';

/** What networks here take of sound. */
export const SOUND_RATE = 16_000;

/*
 * Keyword spotting of MLPerf Tiny: parameters and steps from mlcommons/tiny, benchmark/training/keyword_spotting (kws_util.py,
 * get_dataset.py): one second, windows of 30 ms every 20 ms, 40 mel filters from 20 to 4000 Hz, logarithm, 10 cepstral coefficients.
 */
const WORD_SAMPLES = SOUND_RATE;
const WORD_WINDOW = 480;
const WORD_STEP = 320;
const WORD_ROWS = 1 + Math.floor((WORD_SAMPLES - WORD_WINDOW) / WORD_STEP);
const COEFFICIENTS = 10;
const WORD_FILTERS = 40;
const wordFilters = htkMelFilters({
  filters: WORD_FILTERS,
  size: 512,
  rate: SOUND_RATE,
  low: 20,
  high: 4000,
});
const wordSpectrum = new Spectrum(hannWindow(WORD_WINDOW), 512);
/** DCT-II as tf.signal.mfccs_from_log_mel_spectrograms scales it. */
const cosines = Array.from({ length: COEFFICIENTS }, (_, k) =>
  Float64Array.from(
    { length: WORD_FILTERS },
    (__, n) => (2 * Math.cos((Math.PI * k * (2 * n + 1)) / (2 * WORD_FILTERS))) / Math.sqrt(2 * WORD_FILTERS),
  ),
);

/**
 * Mel-frequency cepstral coefficients of one second: 49 rows of 10.
 * @param samples at 16 kHz; shorter ones are followed by silence, what is beyond a second is left out. Loudness does not matter: the
 *   greatest sample counts as 1, as in the training.
 */
export const keywordFeatures = (samples: Float32Array): Float32Array => {
  const second = new Float32Array(WORD_SAMPLES);
  second.set(samples.subarray(0, WORD_SAMPLES));
  const peak = second.reduce((most, sample) => Math.max(most, sample), 0);
  if (peak > 0) for (let i = 0; i < second.length; i++) second[i] = (second[i] ?? 0) / peak;
  const features = new Float32Array(WORD_ROWS * COEFFICIENTS);
  for (let row = 0; row < WORD_ROWS; row++) {
    const magnitudes = wordSpectrum.magnitudes(second, row * WORD_STEP);
    const logs = wordFilters.map((filter) => Math.log(filtered(filter, magnitudes) + 1e-6));
    for (const [k, cosine] of cosines.entries())
      features[row * COEFFICIENTS + k] = logs.reduce((sum, log, n) => sum + log * (cosine[n] ?? 0), 0);
  }
  return features;
};

/*
 * Machine sounds of MLPerf Tiny: mlcommons/tiny, benchmark/training/anomaly_detection (common.py, baseline.yaml): windows of 1024
 * every 512 samples, 128 mel filters of the power, in dB, five windows side by side.
 */
const MACHINE_WINDOW = 1024;
const MACHINE_STEP = 512;
const MACHINE_FILTERS = 128;
const MACHINE_ROWS = 5;
const MACHINE_SAMPLES = MACHINE_WINDOW + (MACHINE_ROWS - 1) * MACHINE_STEP;
let machineFilters: readonly MelFilter[] | undefined;
const machineSpectrum = new Spectrum(hannWindow(MACHINE_WINDOW), MACHINE_WINDOW);

/**
 * Mel spectrogram in dB: 5 rows of 128, from 3072 samples at 16 kHz that begin at `from`.
 * @param samples -1 .. 1: loudness counts
 */
export const machineSoundFeatures = (samples: Float32Array, from = 0): Float32Array => {
  machineFilters ??= slaneyMelFilters({
    ...{ filters: MACHINE_FILTERS, size: MACHINE_WINDOW, rate: SOUND_RATE },
    ...{ low: 0, high: SOUND_RATE / 2 },
  });
  const features = new Float32Array(MACHINE_ROWS * MACHINE_FILTERS);
  for (let row = 0; row < MACHINE_ROWS; row++) {
    const power = machineSpectrum
      .magnitudes(samples, from + row * MACHINE_STEP)
      .map((magnitude) => magnitude ** 2);
    for (const [i, filter] of machineFilters.entries())
      features[row * MACHINE_FILTERS + i] = 10 * Math.log10(filtered(filter, power) + Number.EPSILON);
  }
  return features;
};

/** How sound becomes a network's frames. */
export interface SoundFrames {
  /** Samples of one frame. */
  readonly length: number;
  /** Samples from one frame's beginning to the next one's. */
  readonly step: number;
  readonly features: (samples: Float32Array) => Float32Array;
  /** Whether silence may stand for what a sound is too short for: after a word it is nothing strange. */
  readonly silence: boolean;
}

const KEYWORDS: SoundFrames = {
  length: WORD_SAMPLES,
  step: WORD_SAMPLES / 2,
  features: keywordFeatures,
  silence: true,
};
const MACHINE: SoundFrames = {
  length: MACHINE_SAMPLES,
  step: MACHINE_STEP,
  features: (samples) => machineSoundFeatures(samples),
  silence: false,
};

/** By the shape that a device says its model takes. @throws SmartZoneError BAD_FRAME where that is no sound that is known here */
export const soundFramesFor = ({ format, dims }: InputShape): SoundFrames => {
  const shape = `${format} ${dims.join('x')}`;
  if (shape === `f32 ${WORD_ROWS}x${COEFFICIENTS}x1`) return KEYWORDS;
  if (shape === `f32 ${MACHINE_ROWS * MACHINE_FILTERS}`) return MACHINE;
  throw new SmartZoneError(
    'BAD_FRAME',
    `the model takes ${shape}: sound goes to models of keywords (f32 49x10x1) and of machine sounds (f32 640)`,
  );
};

/**
 * The frames of a sound, as SensorClient.sendFrame() takes them.
 * @throws SmartZoneError BAD_FRAME where the sample rate is not 16 kHz, the sound is too short, or the model does not take sound
 */
export const framesOfSound = (shape: InputShape, { rate, samples }: Sound): Uint8Array[] => {
  const { length, step, features, silence } = soundFramesFor(shape);
  if (rate !== SOUND_RATE)
    throw new SmartZoneError(
      'BAD_FRAME',
      `the sound has ${rate} samples a second, the model was made for ${SOUND_RATE}: convert it (ffmpeg -ar ${SOUND_RATE})`,
    );
  if (samples.length < (silence ? 1 : length))
    throw new SmartZoneError('BAD_FRAME', `the sound has ${samples.length} samples, a frame takes ${length}`);
  const steps = (samples.length - length) / step;
  const count = 1 + Math.max(0, silence ? Math.ceil(steps) : Math.floor(steps));
  return Array.from({ length: count }, (_, i) => frameOf(features(padded(samples, i * step, length))));
};

/**
 * The same for a microphone's stream of 16-bit little-endian samples of one channel at 16 kHz (arecord -t raw -r 16000 -f S16_LE).
 * @throws SmartZoneError BAD_FRAME where the model does not take sound
 */
export async function* framesOfPcm(
  shape: InputShape,
  stream: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const { length, step, features } = soundFramesFor(shape);
  let waiting = new Uint8Array(0);
  for await (const chunk of stream) {
    waiting = Uint8Array.from(Buffer.concat([waiting, chunk]));
    for (; waiting.length >= 2 * length; waiting = waiting.subarray(2 * step))
      yield frameOf(features(readPcm(waiting.subarray(0, 2 * length))));
  }
}

const padded = (samples: Float32Array, from: number, length: number): Float32Array => {
  const part = new Float32Array(length);
  part.set(samples.subarray(from, from + length));
  return part;
};

/** f32 little-endian. */
const frameOf = (values: Float32Array): Uint8Array => {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of values.entries()) view.setFloat32(4 * i, value, true);
  return bytes;
};
