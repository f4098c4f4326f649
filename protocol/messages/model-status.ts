import { equalBytes } from '../bytes.js';
import { SmartZoneError } from '../errors.js';
import type { SigningKey } from '../keys.js';
import type { Kid } from '../kid.js';
import { boolean, digest, field, kid, nonce, optional, struct, tuple, uint } from '../schema.js';
import { openSigned, sealSigned } from '../signed.js';
import type { VerifiedHello } from './hello.js';

/** [sequence number, manifest digest] */
export type CommittedModel = readonly [sequence: number, digest: Uint8Array];

/** What a device says of its models, signed by it: the agent's own word on a push is progress, this is its outcome. */
export interface DeviceModelStatus {
  readonly device: Kid;
  readonly bootNonce: Uint8Array;
  /** No sequence number up to this one is taken any more. */
  readonly floor: number;
  /** The committed model is loaded. */
  readonly loaded: boolean;
  readonly committed?: CommittedModel;
  /** While the committed model is on trial: labels and starts so far. */
  readonly trial?: readonly [labels: number, starts: number];
  /** What the device can go back to. */
  readonly previous?: CommittedModel;
  /** The last model that was not taken since the TA started: sequence number and error code. */
  readonly refused?: readonly [sequence: number, code: number];
}

const model = tuple<CommittedModel>(uint, digest);
const pair = tuple<readonly [number, number]>(uint, uint);

const codec = struct<DeviceModelStatus>({
  device: field(1, kid),
  bootNonce: field(2, nonce),
  floor: field(3, uint),
  loaded: field(4, boolean),
  committed: optional(5, model),
  trial: optional(6, pair),
  previous: optional(7, model),
  refused: optional(8, pair),
});

export const signModelStatus = (status: DeviceModelStatus, device: SigningKey): Uint8Array =>
  sealSigned(codec, 'model-status', status, device);

/** @param publicKey the device's Ed25519 key, as the roster or its hello names it. Throws BAD_SIGNATURE, MALFORMED. */
export const verifyModelStatus = (bytes: Uint8Array, publicKey: Uint8Array): DeviceModelStatus =>
  openSigned(codec, 'model-status', bytes, () => publicKey).body;

/**
 * What a device whose hello is believed says of the boot that it is in: what it said in an earlier one the agent could show for ever.
 * @throws BAD_SIGNATURE, MALFORMED, WRONG_DEVICE, STALE_NONCE
 */
export const readModelStatus = (
  bytes: Uint8Array,
  hello: Pick<VerifiedHello, 'device' | 'signingKey' | 'bootNonce'>,
): DeviceModelStatus => {
  const status = verifyModelStatus(bytes, hello.signingKey);
  if (!equalBytes(status.device, hello.device)) throw new SmartZoneError('WRONG_DEVICE', 'model status');
  if (!equalBytes(status.bootNonce, hello.bootNonce))
    throw new SmartZoneError('STALE_NONCE', 'model status of another boot');
  return status;
};
