import { AES_GCM_TAG_LENGTH } from '../aes-gcm.js';
import { cborMap, encodeDeterministic, Tag } from '../cbor.js';
import {
  encryptAad,
  nonceFromPartialIv,
  openContent,
  parseEncrypt0,
  partialIvNumber,
  partialIvOf,
  type ContentLayer,
} from '../cose/content.js';
import {
  Algorithm,
  CoseTag,
  Header,
  malformed,
  requireAlgorithm,
  requireBytes,
  requireLabels,
} from '../cose/message.js';
import { sealAesGcmPieces } from '../aes-gcm.js';
import { byteStringHead, deterministicChunks, joined } from '../cbor/encode.js';
import { SmartZoneError } from '../errors.js';
import { hkdf } from '../hkdf.js';
import { asChannelId, KID_LENGTH, type ChannelId, type Kid } from '../kid.js';
import { PROTOCOL_VERSION } from '../signed.js';

const PURPOSE_NUMBER = { frame: 1, label: 2, telemetry: 3 } as const;
export type RecordPurpose = keyof typeof PURPOSE_NUMBER;

/** What a record's key and its authenticated data bind. */
export interface RecordContext {
  readonly purpose: RecordPurpose;
  /** The device, or the zone. */
  readonly device: Kid;
  /** Of a frame, the sensor; of a label, the sensor that it answers; of telemetry, the device. */
  readonly sender: Kid;
}

export const RECORD_KEY_LENGTH = 16;
/** Partial IVs have at most 5 bytes. */
export const MAX_RECORD_NUMBER = 2 ** 40 - 1;
const NONE = new Uint8Array(0);

/** One key per counter: HKDF-SHA256 of the channel's secret. Frames are of epoch 0. */
export function recordKey(secret: Uint8Array, context: RecordContext, epoch: number): Uint8Array {
  const { purpose, device, sender } = context;
  const info = encodeDeterministic([PROTOCOL_VERSION, PURPOSE_NUMBER[purpose], device, sender, epoch]);
  return hkdf(NONE, secret, info, RECORD_KEY_LENGTH);
}

function recordAad({ purpose, device, sender }: RecordContext): Uint8Array {
  return encodeDeterministic([PROTOCOL_VERSION, PURPOSE_NUMBER[purpose], device, sender]);
}

/**
 * Seals the records of one key. A number is used up before anything is encrypted under it, so that no failure can lead
 * to its second use.
 */
export class RecordWriter {
  readonly #key: Uint8Array;
  readonly #aad: Uint8Array;
  #last = 0;

  /** @param secret the channel's secret; @param epoch 0 for frames. */
  constructor(
    secret: Uint8Array,
    context: RecordContext,
    readonly channel: ChannelId,
    epoch = 0,
  ) {
    this.#key = recordKey(secret, context, epoch);
    this.#aad = recordAad(context);
  }

  /** The number of the last record, 0 before the first. */
  get lastNumber(): number {
    return this.#last;
  }

  /**
   * Seals the next record; its number is `lastNumber` afterwards. Throws CHANNEL_FULL.
   * @param plaintext in one piece or several, as encodeFrameChunks() gives them: a frame is then copied once, not three times
   */
  seal(plaintext: Uint8Array | readonly Uint8Array[]): Uint8Array {
    if (this.#last >= MAX_RECORD_NUMBER) throw new SmartZoneError('CHANNEL_FULL');
    const partialIv = partialIvOf(++this.#last);
    const protectedBytes = encodeDeterministic(
      cborMap([
        [Header.alg, Algorithm.A128GCM],
        [Header.kid, this.channel],
        [Header.partialIv, partialIv],
      ]),
    );
    const ciphertext = sealAesGcmPieces(
      this.#key,
      nonceFromPartialIv(partialIv),
      encryptAad('Encrypt0', protectedBytes, this.#aad),
      plaintext instanceof Uint8Array ? [plaintext] : plaintext,
    );
    const length = ciphertext.reduce((sum, piece) => sum + piece.length, 0);
    const before = deterministicChunks(new Tag(CoseTag.Encrypt0, [protectedBytes, new Map(), NONE])).slice(
      0,
      -2,
    );
    return joined([...before, byteStringHead(length), ...ciphertext]);
  }
}

/** A record as it arrived: in the profile, not authenticated. */
export interface SealedRecord {
  readonly channel: ChannelId;
  readonly number: number;
  /** The 16-byte authentication tag: a label names the frame that it answers by it. */
  readonly tag: Uint8Array;
  readonly layer: ContentLayer;
}

export function parseRecord(bytes: Uint8Array): SealedRecord {
  const layer = parseEncrypt0(bytes);
  requireAlgorithm(layer.headers, Algorithm.A128GCM);
  requireLabels(layer.headers.protected, Header.alg, Header.kid, Header.partialIv);
  requireLabels(layer.headers.unprotected);
  if (layer.ciphertext.length < AES_GCM_TAG_LENGTH) throw malformed('record shorter than its tag');
  return {
    channel: asChannelId(requireBytes(layer.headers.protected.get(Header.kid), 'channel id', KID_LENGTH)),
    number: partialIvNumber(requireBytes(layer.headers.protected.get(Header.partialIv), 'Partial IV')),
    tag: layer.ciphertext.subarray(layer.ciphertext.length - AES_GCM_TAG_LENGTH),
    layer,
  };
}

/** @param key of `recordKey`. Throws BAD_TAG. Whether its number was seen before is the caller's to check, after this. */
export function openRecord(record: SealedRecord, key: Uint8Array, context: RecordContext): Uint8Array {
  const plaintext = openContent(record.layer, key, recordAad(context));
  if (plaintext === undefined) throw new SmartZoneError('BAD_TAG', `record ${record.number}`);
  return plaintext;
}
