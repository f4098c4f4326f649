import { createHash } from 'node:crypto';
import { concatBytes, equalBytes } from '../bytes.js';
import type { CborValue } from '../cbor.js';
import { SmartZoneError } from '../errors.js';
import type { SigningKey } from '../keys.js';
import {
  array,
  boolean,
  bytes,
  dictionary,
  field,
  nonce,
  oneOf,
  optional,
  refuse,
  struct,
  text,
  tuple,
  uint,
  type Codec,
} from '../schema.js';
import { openSigned, sealSigned } from '../signed.js';
import { securityLevelCodec, type SecurityLevel } from './hello.js';

export type EvidenceValue = string | number | boolean;

export interface EvidenceItem {
  readonly value: EvidenceValue;
  /** True where the TA measured it, false where it only asserts it. */
  readonly measured: boolean;
}

/** An Entity Attestation Token (RFC 9711) over the requester's nonce. */
export interface Evidence {
  /** 8 to 64 bytes of the requester. */
  readonly nonce: Uint8Array;
  /** debug status: 0 enabled, 1 disabled, 2 since boot, 3 permanently, 4 fully and permanently (RFC 9711 section 4.2.9). */
  readonly debug: 0 | 1 | 2 | 3 | 4;
  readonly bootNonce: Uint8Array;
  readonly softwareVersion: readonly string[];
  readonly taUuid: Uint8Array;
  readonly rosterVersion: number;
  readonly modelSequence: number;
  readonly securityLevel: SecurityLevel;
  readonly items: ReadonlyMap<string, EvidenceItem>;
  /** Of the roster: present exactly while claimed. */
  readonly ownerGeneration?: number;
}

const PROFILE = 'tag:smart-zone.example,2026:eat/1';
const SOFTWARE_NAME = 'smart-zone-ta';
/** UEID type 0x01, "RAND": 32 bytes that identify the entity (RFC 9711 section 4.2.1). */
const UEID_TYPE = Uint8Array.of(1);

const itemValue: Codec<EvidenceValue> = {
  encode: (value) => value,
  decode: (value: CborValue, where) =>
    typeof value === 'string' || typeof value === 'boolean' || (typeof value === 'number' && value >= 0)
      ? value
      : refuse(where, 'neither text, number nor boolean'),
};
const itemPair = tuple<readonly [EvidenceValue, boolean]>(itemValue, boolean);
const item: Codec<EvidenceItem> = {
  encode: ({ value, measured }) => itemPair.encode([value, measured]),
  decode: (pair, where) => {
    const [value, measured] = itemPair.decode(pair, where);
    return { value, measured };
  },
};

interface Token extends Evidence {
  readonly ueid: Uint8Array;
}

const codec = struct<Token>(
  {
    nonce: field(10, bytes(8, 64)),
    ueid: field(256, bytes(33, 33)),
    debug: field(263, oneOf(0, 1, 2, 3, 4)),
    bootNonce: field(268, nonce),
    softwareVersion: field(271, array(text(), 1, 1)),
    taUuid: field(-70001, bytes(16, 16)),
    rosterVersion: field(-70002, uint),
    modelSequence: field(-70003, uint),
    securityLevel: field(-70004, securityLevelCodec),
    items: field(-70005, dictionary(item)),
    ownerGeneration: optional(-70006, uint),
  },
  [
    [265, PROFILE],
    [270, SOFTWARE_NAME],
  ],
);

function ueidOf(signingKey: Uint8Array): Uint8Array {
  return concatBytes(UEID_TYPE, new Uint8Array(createHash('sha256').update(signingKey).digest()));
}

export function signEvidence(evidence: Evidence, device: SigningKey): Uint8Array {
  return sealSigned(codec, 'evidence', { ...evidence, ueid: ueidOf(device.publicKey) }, device);
}

/** Verifies evidence of this device key for this nonce. Throws STALE_NONCE where it answers another request. */
export function verifyEvidence(raw: Uint8Array, deviceKey: Uint8Array, requestNonce: Uint8Array): Evidence {
  const { body } = openSigned(codec, 'evidence', raw, () => deviceKey);
  const { ueid, ...evidence } = body;
  if (!equalBytes(ueid, ueidOf(deviceKey)))
    throw new SmartZoneError('WRONG_DEVICE', 'evidence of another key');
  if (!equalBytes(evidence.nonce, requestNonce)) throw new SmartZoneError('STALE_NONCE', 'evidence');
  return evidence;
}
