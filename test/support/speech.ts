import { execFileSync } from 'node:child_process';
import { readWav, type Sound } from '../../clients/sensor/index.js';

/** Voices of Debian's espeak-ng: accents, and variants of the speaker. */
const ACCENTS = ['en-us', 'en-gb', 'en-gb-scotland', 'en-029', 'en-gb-x-rp'];
const VARIANTS = ['', '+m3', '+m7', '+f2', '+f4'];
/** Words a minute. */
const SPEEDS = [120, 160, 200];

const { abs, ceil, cos, floor, PI, sin } = Math;

export interface Voice {
  readonly name: string;
  readonly speed: number;
}

/** 25 voices, each at one of three speeds. */
export const VOICES: readonly Voice[] = ACCENTS.flatMap((accent, i) =>
  VARIANTS.map((variant, k) => ({ name: accent + variant, speed: SPEEDS[(i + k) % SPEEDS.length] ?? 160 })),
);

/** Voices that are none of those. */
export const OTHER_VOICES: readonly Voice[] = ['+m1', '+m2', '+m5', '+f1', '+f3'].flatMap((variant, i) =>
  ['en-us', 'en-gb-x-gbclan', 'en-gb-x-gbcwmd'].map((accent) => ({
    name: accent + variant,
    speed: 110 + 25 * i,
  })),
);

/** Whether there is an espeak-ng. */
export const canSpeak = (): boolean => {
  try {
    execFileSync('espeak-ng', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

/** A word as it is spoken, at 16 kHz, in the middle of one second. */
export const speak = (word: string, { name, speed }: Voice): Sound => {
  const wav = execFileSync('espeak-ng', ['-v', name, '-s', String(speed), '--stdout', word], {
    maxBuffer: 2 ** 24,
  });
  return { rate: 16_000, samples: inTheMiddle(resample(readWav(wav), 16_000), 16_000) };
};

/** Windowed sinc (Hann, 16 zero crossings on each side), cut off below half the lower rate. */
const resample = ({ rate, samples }: Sound, to: number): Float32Array => {
  const cutoff = Math.min(1, to / rate);
  const reach = ceil(16 / cutoff);
  return Float32Array.from({ length: floor((samples.length * to) / rate) }, (_, i) => {
    const at = (i * rate) / to;
    let sum = 0;
    for (let k = ceil(at - reach); k <= at + reach; k++) {
      const [x, share] = [(k - at) * cutoff, (k - at) / reach];
      const sinc = x === 0 ? 1 : sin(PI * x) / (PI * x);
      sum += (samples[k] ?? 0) * cutoff * sinc * (0.5 + 0.5 * cos(PI * share));
    }
    return sum;
  });
};

/** The loudest second; shorter sound gets silence on both sides. */
const inTheMiddle = (samples: Float32Array, length: number): Float32Array => {
  const loud = samples.findIndex((sample) => abs(sample) > 0.02);
  const end = samples.findLastIndex((sample) => abs(sample) > 0.02) + 1;
  const word = samples.subarray(Math.max(0, loud), Math.min(end, Math.max(0, loud) + length));
  const second = new Float32Array(length);
  second.set(word, floor((length - word.length) / 2));
  return second;
};
