import type { Kid } from '../kid.js';
import type { SigningKey } from '../keys.js';
import { dictionary, encodeWith, field, kid, nonce, struct, tuple, uint, type Codec } from '../schema.js';
import { openSigned, sealSigned } from '../signed.js';
import { pad, unpad } from './padding.js';

export interface Stage {
  readonly totalMillis: number;
  readonly count: number;
}

export interface Telemetry {
  readonly device: Kid;
  readonly bootNonce: Uint8Array;
  /** Milliseconds since the TA started. */
  readonly uptime: number;
  /** Of the TA: frames, labels, repeats, refused, offers ... */
  readonly counters: ReadonlyMap<string, number>;
  readonly stages: ReadonlyMap<string, Stage>;
  /** Bytes: heap_peak, heap_size, stack_peak, model, arena. */
  readonly memory: ReadonlyMap<string, number>;
  /** What the agent said of itself: carried, not vouched for. */
  readonly agent: ReadonlyMap<string, number>;
}

const pair = tuple<readonly [number, number]>(uint, uint);
const stage: Codec<Stage> = {
  encode: ({ totalMillis, count }) => pair.encode([totalMillis, count]),
  decode: (value, where) => {
    const [totalMillis, count] = pair.decode(value, where);
    return { totalMillis, count };
  },
};

const counters = dictionary(uint);

const codec = struct<Telemetry>({
  device: field(1, kid),
  bootNonce: field(2, nonce),
  uptime: field(3, uint),
  counters: field(4, counters),
  stages: field(5, dictionary(stage)),
  memory: field(6, counters),
  agent: field(7, counters),
});

/** The plaintext of a telemetry record: signed by the device, padded to `size`. */
export function signTelemetry(telemetry: Telemetry, device: SigningKey, size: number): Uint8Array {
  return pad(sealSigned(codec, 'telemetry', telemetry, device), size);
}

export function verifyTelemetry(plaintext: Uint8Array, deviceKey: Uint8Array): Telemetry {
  return openSigned(codec, 'telemetry', unpad(plaintext), () => deviceKey).body;
}

/** What the agent hands to the TA with the TELEMETRY command. */
export function encodeAgentCounters(values: ReadonlyMap<string, number>): Uint8Array {
  return encodeWith(counters, values);
}
