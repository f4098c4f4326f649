import { isSmartZoneError } from '../../../protocol/errors.js';
import {
  framesOfPcm,
  framesOfSound,
  keywordFeatures,
  machineSoundFeatures,
  readPcm,
  readWav,
  SOUND_RATE,
} from './index.js';
import { hannWindow, Spectrum } from './spectrum.js';

const { cos, exp, log, log10, PI, sin, sqrt } = Math;
const KEYWORDS = { format: 'f32', dims: [49, 10, 1] } as const;
const MACHINE = { format: 'f32', dims: [640] } as const;

/** Two tones and a click. */
const tones = (length: number): Float32Array =>
  Float32Array.from(
    { length },
    (_, i) =>
      0.4 * sin((2 * PI * 440 * i) / SOUND_RATE) +
      0.2 * cos((2 * PI * 2500 * i) / SOUND_RATE) +
      (i === 700 ? 0.3 : 0),
  );

/** The transform by its definition. */
const magnitudesOf = (samples: ArrayLike<number>, size: number): number[] =>
  Array.from({ length: size / 2 + 1 }, (_, k) => {
    let [re, im] = [0, 0];
    for (let n = 0; n < samples.length; n++) {
      const angle = (2 * PI * ((k * n) % size)) / size;
      re += (samples[n] ?? 0) * cos(angle);
      im -= (samples[n] ?? 0) * sin(angle);
    }
    return sqrt(re * re + im * im);
  });

const bytes = (...parts: readonly (string | number | readonly number[])[]): Uint8Array =>
  Uint8Array.from(
    parts.flatMap((part) =>
      typeof part === 'string' ? [...Buffer.from(part)] : typeof part === 'number' ? [part] : part,
    ),
  );
const u16 = (...values: number[]): number[] => values.flatMap((v) => [v & 255, (v >> 8) & 255]);
const u32 = (value: number): number[] => [...u16(value & 0xffff), ...u16(value >>> 16)];
const wav = (
  channels: number,
  samples: readonly number[],
  { code = 1, bits = 16, rate = 16_000, size = 2 * samples.length } = {},
): Uint8Array =>
  bytes(
    ...[
      'RIFF',
      u32(36 + size),
      'WAVE',
      'fmt ',
      u32(16),
      u16(code, channels),
      u32(rate),
      u32(rate * channels * 2),
    ],
    ...[u16(channels * 2, bits), 'LIST', u32(3), [1, 2, 3, 0], 'data', u32(size), u16(...samples)],
  );

const refusal = (call: () => unknown): string => {
  try {
    call();
  } catch (error) {
    if (isSmartZoneError(error, 'BAD_FRAME')) return error.message;
    throw error;
  }
  return 'taken';
};

test('WAV: one channel, the mean of two, a length that is not known', () => {
  expect(readWav(wav(1, [0, 16384, -32768]))).toEqual({ rate: 16_000, samples: Float32Array.of(0, 0.5, -1) });
  expect(readWav(wav(2, [16384, 0, -16384, -16384], { rate: 44_100 }))).toEqual({
    rate: 44_100,
    samples: Float32Array.of(0.25, -0.5),
  });
  expect(readWav(wav(1, [1, 2], { size: 0xffffffff })).samples).toHaveLength(2);
  expect(readPcm(Uint8Array.from(u16(0, 16384)))).toEqual(Float32Array.of(0, 0.5));
});

test('WAV: every beginning of a file ends in one error or in what was there', () => {
  const whole = wav(1, [1, 2, 3, 4]);
  const sound = whole.length - 8;
  for (let length = 0; length < whole.length; length++) {
    const call = (): unknown => readWav(whole.subarray(0, length));
    if (length < sound) expect(refusal(call)).toMatch(/WAV: /);
    else expect(readWav(whole.subarray(0, length)).samples).toHaveLength((length - sound) >> 1);
  }
  expect(refusal(() => readWav(wav(1, [1], { code: 3, bits: 32 })))).toContain(
    'format 3 with 32 bits: convert it to 16-bit PCM',
  );
  expect(refusal(() => readWav(wav(0, [1])))).toContain('0 channels');
});

test('the spectrum is the discrete Fourier transform', () => {
  const window = hannWindow(30);
  const samples = tones(100);
  const spectrum = new Spectrum(window, 64).magnitudes(samples, 37);
  const expected = magnitudesOf(
    window.map((weight, i) => weight * (samples[37 + i] ?? 0)),
    64,
  );
  for (const [k, value] of expected.entries()) expect(spectrum[k]).toBeCloseTo(value, 10);
  expect(() => new Spectrum(window, 48)).toThrow(RangeError);
  expect(() => new Spectrum(window, 16)).toThrow(RangeError);
});

/** Written apart, from the same sources: all sums over all bins. */
test('keyword features: tf.signal in plain sums', () => {
  const samples = tones(12_000);
  const features = keywordFeatures(samples);
  expect(features).toHaveLength(490);
  const mel = (hertz: number): number => 1127 * log(1 + hertz / 700);
  const edge = (i: number): number => mel(20) + ((mel(4000) - mel(20)) * i) / 41;
  const peak = samples.reduce((a, b) => (a > b ? a : b), 0);
  for (const row of [0, 2, 20, 37, 48]) {
    const part = Array.from({ length: 480 }, (_, i) => {
      const sample = (samples[row * 320 + i] ?? 0) / peak;
      return sample * (0.5 - 0.5 * cos((2 * PI * i) / 480));
    });
    const spectrum = magnitudesOf(part, 512);
    const logs = Array.from({ length: 40 }, (_, filter) => {
      const sum = spectrum.reduce((total, magnitude, bin) => {
        if (bin === 0) return total;
        const at = mel((bin * 8000) / 256);
        const rising = (at - edge(filter)) / (edge(filter + 1) - edge(filter));
        const falling = (edge(filter + 2) - at) / (edge(filter + 2) - edge(filter + 1));
        const weight = rising < falling ? rising : falling;
        return weight > 0 ? total + weight * magnitude : total;
      }, 0);
      return log(sum + 1e-6);
    });
    for (let k = 0; k < 10; k++) {
      const expected =
        logs.reduce((sum, value, n) => sum + 2 * value * cos((PI * k * (n + 0.5)) / 40), 0) / sqrt(80);
      expect(features[10 * row + k]).toBeCloseTo(expected, 3);
    }
  }
  // Loudness does not matter, silence is no special case.
  const quiet = keywordFeatures(samples.map((sample) => sample / 4));
  for (const [i, value] of quiet.entries()) expect(value).toBeCloseTo(features[i] ?? NaN, 3);
  expect(keywordFeatures(new Float32Array(100)).every(Number.isFinite)).toBe(true);
});

test('machine sounds: librosa in plain sums', () => {
  const samples = tones(4000);
  const features = machineSoundFeatures(samples, 300);
  expect(features).toHaveLength(640);
  const mel = (hertz: number): number =>
    hertz < 1000 ? hertz / (200 / 3) : 15 + log(hertz / 1000) / (log(6.4) / 27);
  const hertz = (value: number): number =>
    value < 15 ? (value * 200) / 3 : 1000 * exp((value - 15) * (log(6.4) / 27));
  const edge = (i: number): number => hertz((mel(8000) * i) / 129);
  for (const row of [0, 1, 4]) {
    const part = Array.from(
      { length: 1024 },
      (_, i) => (samples[300 + row * 512 + i] ?? 0) * sin((PI * i) / 1024) ** 2,
    );
    const power = magnitudesOf(part, 1024).map((magnitude) => magnitude ** 2);
    for (const filter of [0, 1, 30, 64, 127]) {
      const [low, centre, high] = [edge(filter), edge(filter + 1), edge(filter + 2)];
      const sum = power.reduce((total, value, bin) => {
        const at = (bin * 8000) / 512;
        const rising = (at - low) / (centre - low);
        const falling = (high - at) / (high - centre);
        const weight = rising < falling ? rising : falling;
        return weight > 0 ? total + (weight * value * 2) / (high - low) : total;
      }, 0);
      expect(features[128 * row + filter]).toBeCloseTo(10 * log10(sum + 2 ** -52), 4);
    }
  }
});

test('frames of a sound: words half overlap, what remains of a machine’s is left out', async () => {
  const sound = (length: number): { rate: number; samples: Float32Array } => ({
    rate: 16_000,
    samples: tones(length),
  });
  expect(framesOfSound(KEYWORDS, sound(4000)).map(({ length }) => length)).toEqual([1960]);
  expect(framesOfSound(KEYWORDS, sound(16_000))).toHaveLength(1);
  const three = framesOfSound(KEYWORDS, sound(24_001));
  expect(three).toHaveLength(3);
  const second = keywordFeatures(sound(24_001).samples.subarray(8000));
  expect(new Float32Array(three[1]?.slice().buffer ?? new ArrayBuffer(0))).toEqual(second);
  expect(framesOfSound(MACHINE, sound(3072))).toHaveLength(1);
  expect(framesOfSound(MACHINE, sound(3072 + 1023))).toHaveLength(2);
  expect(refusal(() => framesOfSound(MACHINE, sound(3071)))).toContain('3071 samples, a frame takes 3072');
  expect(refusal(() => framesOfSound(KEYWORDS, sound(0)))).toContain('0 samples');
  expect(refusal(() => framesOfSound(KEYWORDS, { ...sound(16_000), rate: 44_100 }))).toContain(
    'ffmpeg -ar 16000',
  );
  expect(refusal(() => framesOfSound({ format: 'u8', dims: [96, 96, 3] }, sound(1)))).toContain(
    'the model takes u8 96x96x3',
  );

  // A microphone gives pieces of any length.
  const pcm = Buffer.from(Int16Array.from({ length: 40_000 }, (_, i) => (i * 37) % 2000).buffer);
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < pcm.length; at += 7001) yield await Promise.resolve(pcm.subarray(at, at + 7001));
  }
  const streamed: Uint8Array[] = [];
  for await (const frame of framesOfPcm(KEYWORDS, pieces())) streamed.push(frame);
  expect(streamed).toEqual(framesOfSound(KEYWORDS, { rate: 16_000, samples: readPcm(pcm) }));
});
