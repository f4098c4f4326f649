/**
 * A message as its rightful sender makes it, cut where a signature or a seal covers it: a field of what is inside is swapped, and the
 * sender signs and seals again. So what is checked behind signatures and seals is reached.
 */
import { sealEncrypt } from '../../../protocol/cose-hpke.js';
import { encryptAad, nonceFromPartialIv } from '../../../protocol/cose/content.js';
import {
  decodeStrict,
  encodeDeterministic,
  parseProfiledSign1,
  purposeAad,
  recordKey,
  sealAesGcm,
  sealSign1,
  Tag,
  type CborMap,
  type CborValue,
  type Kid,
  type Purpose,
  type RecordContext,
  type SealedReceiver,
  type SigningKey,
} from '../../../protocol/index.js';
import type { TaHost } from '../ta-host.js';

/** Of one message, what one signature or seal covers. */
export interface Layer {
  readonly name: string;
  /** Of smart-zone.cddl: what `bytes` are. */
  readonly rule: string;
  readonly bytes: Uint8Array;
  /** Only the fields whose path begins so; the others are not covered. */
  readonly within?: string;
  /** The whole message around other bytes. */
  readonly seal: (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;
  /** OK, or the code with which it is refused, or what else became of it. */
  readonly receive: (message: Uint8Array) => Promise<string>;
  /** Whoever receives it is this TA. */
  readonly ta?: TaHost;
}

export type Sealer = (payload: Uint8Array) => Uint8Array | Promise<Uint8Array>;

export const payloadOf = (message: Uint8Array): Uint8Array => {
  const { payload } = parseProfiledSign1(message);
  if (payload === null) throw new Error('no payload');
  return payload;
};

export const signer =
  (purpose: Purpose, key: SigningKey): Sealer =>
  (payload) =>
    sealSign1(payload, key, purposeAad(purpose));

/** The payload of a signed message. @param sign as the message was signed */
export const signedLayer = (
  rule: string,
  bytes: Uint8Array,
  sign: Sealer,
  receiver: Pick<Layer, 'receive' | 'ta'>,
  name = rule,
): Layer => ({
  name,
  rule,
  bytes,
  within: `${rule}[2]<<`,
  seal: (whole) => sign(payloadOf(whole)),
  ...receiver,
});

/** What is sealed in a message of type signed<encrypted>, or in another one by `wrap`. */
export interface SealedContent {
  readonly purpose: Purpose;
  readonly rule: string;
  readonly plaintext: Uint8Array;
  readonly sender: Kid;
  readonly to: SealedReceiver;
  /** The message around the encrypted structure. */
  readonly wrap: Sealer;
}

const contextOf = ({ purpose, sender, to }: SealedContent): Uint8Array =>
  encodeDeterministic([1, purpose, sender, to.id, to.freshness]);
const encrypted = ({ purpose, to, plaintext }: SealedContent, extraInfo: Uint8Array): Uint8Array =>
  sealEncrypt(plaintext, [{ publicKey: to.publicKey, extraInfo }], purposeAad(purpose));

export const sealedMessage = (content: SealedContent): Uint8Array | Promise<Uint8Array> =>
  content.wrap(encrypted(content, contextOf(content)));

/** The plaintext, and the context that the seal is bound to. */
export const sealedLayers = (content: SealedContent, receiver: Pick<Layer, 'receive' | 'ta'>): Layer[] => [
  {
    name: `${content.purpose}, sealed`,
    rule: content.rule,
    // A key is no CBOR by itself.
    bytes: content.rule === 'bstr' ? encodeDeterministic(content.plaintext) : content.plaintext,
    seal: (bytes) => {
      const plaintext = content.rule === 'bstr' ? (decodeStrict(bytes) as Uint8Array) : bytes;
      return sealedMessage({ ...content, plaintext });
    },
    ...receiver,
  },
  {
    name: `${content.purpose}, what the seal is bound to`,
    rule: 'hpke-context',
    bytes: contextOf(content),
    seal: (context) => content.wrap(encrypted(content, context)),
    ...receiver,
  },
];

/** How a record is sealed, for who knows its channel's secret. */
export interface RecordSeal {
  readonly secret: Uint8Array;
  readonly context: RecordContext;
  readonly epoch: number;
}

const PURPOSE_NUMBER = { frame: 1, label: 2, telemetry: 3 } as const;

/** A record with these protected headers, whatever they say. */
const sealRecord = (
  { secret, context, epoch }: RecordSeal,
  headers: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array => {
  const { purpose, device, sender } = context;
  const aad = encodeDeterministic([1, PURPOSE_NUMBER[purpose], device, sender]);
  const partialIv = (decodeStrict(headers) as CborMap).get(6) as Uint8Array;
  const ciphertext = sealAesGcm(
    recordKey(secret, context, epoch),
    nonceFromPartialIv(partialIv),
    encryptAad('Encrypt0', headers, aad),
    plaintext,
  );
  return encodeDeterministic(new Tag(16, [headers, new Map(), ciphertext]));
};

const headersOf = (record: Uint8Array): Uint8Array => {
  const [headers] = (decodeStrict(record) as Tag).value as readonly CborValue[];
  if (!(headers instanceof Uint8Array)) throw new Error('no headers');
  return headers;
};

/** The plaintext of a record, as `inner` divides it, and its headers. */
export const recordLayers = (
  record: Uint8Array,
  seal: RecordSeal,
  inner: Pick<Layer, 'rule' | 'bytes' | 'within' | 'seal'>,
  receiver: Pick<Layer, 'receive' | 'ta'>,
): Layer[] => [
  {
    ...inner,
    name: `${seal.context.purpose} record, sealed`,
    seal: async (bytes) => sealRecord(seal, headersOf(record), await inner.seal(bytes)),
    ...receiver,
  },
  {
    name: `${seal.context.purpose} record, headers`,
    rule: 'record',
    bytes: record,
    within: 'record[0]<<',
    seal: async (whole) => sealRecord(seal, headersOf(whole), await inner.seal(inner.bytes)),
    ...receiver,
  },
];
