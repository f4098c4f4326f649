import { encodeDeterministic } from '../cbor.js';

/**
 * What the agent hands to the TA with MODEL_BEGIN: the envelope and the offer for this device, or null to load the
 * committed model after a restart.
 */
export function encodeModelBegin(envelope: Uint8Array, offer: Uint8Array | null): Uint8Array {
  return encodeDeterministic([envelope, offer]);
}
