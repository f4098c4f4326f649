/**
 * The wire format once more, written from protocol/smart-zone.cddl on other people's libraries: CBOR by cbor2, COSE by
 * @auth0/cose, HPKE by @hpke/core. It shares no code with protocol/: a mistake that our two sides have in common shows here.
 *
 * What @auth0/cose has no function for is put together from CBOR: external_aad of a signature that is made (it verifies them),
 * Partial IV, and COSE-HPKE, which no COSE library on npm has.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
  sign,
  type webcrypto,
} from 'node:crypto';
import { Encrypt, Encrypt0, Headers, Sign1 } from '@auth0/cose';
import { Aes128Gcm, CipherSuite, HkdfSha256 } from '@hpke/core';
import { DhkemX25519HkdfSha256 } from '@hpke/dhkem-x25519';
import { cdeDecodeOptions, cdeEncodeOptions, decode, encode, Tag } from 'cbor2';

const EDDSA = -8;
const A128GCM = 1;
const HPKE_3_KE = 49;
const ENCAPSULATED_KEY = -4;
const TAG = { encrypt0: 16, sign1: 18, encrypt: 96 } as const;
const KTY_OKP = 1;
const CURVE = { x25519: 4, ed25519: 6 } as const;

/** Integer keys to whatever. */
export type CborMap = Map<number, unknown>;

export const toCbor = (value: unknown): Uint8Array => encode(value, cdeEncodeOptions);
/** Refuses what is not in the deterministic encoding. */
export const fromCbor = (bytes: Uint8Array): unknown =>
  decode(bytes, { ...cdeDecodeOptions, preferMap: true });

const plain = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes);
const purposeAad = (purpose: string): Uint8Array => new TextEncoder().encode(`smart-zone/1/${purpose}`);

/** First 8 bytes of the COSE Key Thumbprint (RFC 9679). */
export const kidOf = (curve: keyof typeof CURVE, publicKey: Uint8Array): Uint8Array =>
  plain(
    createHash('sha256')
      .update(
        toCbor(
          new Map<number, unknown>([
            [1, KTY_OKP],
            [-1, CURVE[curve]],
            [-2, publicKey],
          ]),
        ),
      )
      .digest()
      .subarray(0, 8),
  );

const privateKey = (seed: Uint8Array): KeyObject =>
  createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]), // RFC 8410
    format: 'der',
    type: 'pkcs8',
  });
const publicKey = (raw: Uint8Array): KeyObject =>
  createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(raw).toString('base64url') },
    format: 'jwk',
  });
const rawPublic = (key: KeyObject): Uint8Array =>
  plain(Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x!, 'base64url'));

/** A message's payload, signed for this purpose by the key with this seed. */
export function signed(payload: Uint8Array, purpose: string, seed: Uint8Array): Uint8Array {
  const key = privateKey(seed);
  const header = toCbor(
    new Map<number, unknown>([
      [1, EDDSA],
      [4, kidOf('ed25519', rawPublic(key))],
    ]),
  );
  const signature = sign(null, toCbor(['Signature1', header, purposeAad(purpose), payload]), key);
  return toCbor(new Tag(TAG.sign1, [header, new Map(), payload, plain(signature)]));
}

/** The payload of a message that this key signed for this purpose. */
export async function verified(message: Uint8Array, purpose: string, signer: Uint8Array): Promise<CborMap> {
  const sign1 = Sign1.decode(message);
  await sign1.verify(publicKey(signer), { externalAAD: purposeAad(purpose) });
  if (!Buffer.from(kidOf('ed25519', signer)).equals(sign1.protectedHeaders.get(Headers.KeyID) as Uint8Array))
    throw new Error('another kid than the signer’s');
  return fromCbor(plain(sign1.payload)) as CborMap;
}

/** The payload's bytes of a message that this key signed: where it is another structure. */
const verifiedBytes = async (
  message: Uint8Array,
  purpose: string,
  signer: Uint8Array,
): Promise<Uint8Array> => {
  const sign1 = Sign1.decode(message);
  await sign1.verify(publicKey(signer), { externalAAD: purposeAad(purpose) });
  return plain(sign1.payload);
};

/** Who talks to whom (hpke-context). */
export interface Context {
  readonly purpose: string;
  readonly sender: Uint8Array;
  readonly receiver: Uint8Array;
  readonly freshness: Uint8Array;
}

const suite = (): CipherSuite =>
  new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes128Gcm() });

const recipientInfo = (header: Uint8Array, { purpose, sender, receiver, freshness }: Context): Uint8Array =>
  toCbor(['HPKE Recipient', A128GCM, header, toCbor([1, purpose, sender, receiver, freshness])]);

/** Sealed to one X25519 key (CDDL encrypted). */
export async function sealed(plaintext: Uint8Array, to: Uint8Array, context: Context): Promise<Uint8Array> {
  const contentKey = plain(randomBytes(16));
  const layer0 = await Encrypt.encrypt(
    [[Headers.Algorithm, A128GCM]],
    [[Headers.IV, plain(randomBytes(12))]],
    plaintext,
    contentKey,
    purposeAad(context.purpose),
    [],
  );
  const header = toCbor(
    new Map<number, unknown>([
      [1, HPKE_3_KE],
      [4, kidOf('x25519', to)],
    ]),
  );
  const hpke = suite();
  const sender = await hpke.createSenderContext({
    recipientPublicKey: (await hpke.kem.deserializePublicKey(to)) as webcrypto.CryptoKey,
    info: recipientInfo(header, context),
  });
  const wrapped = new Uint8Array(await sender.seal(contentKey));
  const recipient = [header, new Map([[ENCAPSULATED_KEY, new Uint8Array(sender.enc)]]), wrapped];
  return toCbor(
    new Tag(TAG.encrypt, [
      plain(layer0.getContentForEncoding()[0] as Uint8Array),
      new Map([[Headers.IV, layer0.unprotectedHeaders.get(Headers.IV)]]),
      plain(layer0.ciphertext),
      [recipient],
    ]),
  );
}

/** What was sealed to this X25519 key. */
async function unsealed(
  message: Uint8Array,
  scalar: Uint8Array,
  own: Uint8Array,
  context: Context,
): Promise<CborMap> {
  const { tag, contents } = fromCbor(message) as Tag;
  const [header, unprotected, ciphertext, recipients] = contents as [
    Uint8Array,
    CborMap,
    Uint8Array,
    unknown[],
  ];
  if (tag !== TAG.encrypt || recipients.length !== 1) throw new Error('not sealed to one receiver');
  const [recipientHeader, recipientMap, wrapped] = recipients[0] as [Uint8Array, CborMap, Uint8Array];
  const expected = toCbor(
    new Map<number, unknown>([
      [1, HPKE_3_KE],
      [4, kidOf('x25519', own)],
    ]),
  );
  if (!Buffer.from(expected).equals(recipientHeader)) throw new Error('sealed to another key');
  const hpke = suite();
  const receiver = await hpke.createRecipientContext({
    recipientKey: (await hpke.kem.deserializePrivateKey(scalar)) as webcrypto.CryptoKey,
    enc: plain(recipientMap.get(ENCAPSULATED_KEY) as Uint8Array),
    info: recipientInfo(plain(recipientHeader), context),
  });
  const contentKey = new Uint8Array(await receiver.open(plain(wrapped)));
  // The library opens what it takes for a message to one receiver that has the key already.
  const layer0 = new Encrypt(plain(header), new Map(unprotected), plain(ciphertext), []);
  const opened = await layer0.decrypt(contentKey, { externalAAD: purposeAad(context.purpose) });
  return fromCbor(plain(opened)) as CborMap;
}

/** The signed and sealed offer of an epoch, as the rules host reads it. */
export async function openedOffer(
  message: Uint8Array,
  device: Uint8Array,
  key: { scalar: Uint8Array; publicKey: Uint8Array },
  context: Context,
): Promise<CborMap> {
  return unsealed(await verifiedBytes(message, context.purpose, device), key.scalar, key.publicKey, context);
}

/** A record's key and external_aad. */
export interface RecordSide {
  /** 1 frame, 2 label, 3 telemetry. */
  readonly purpose: number;
  readonly device: Uint8Array;
  readonly sender: Uint8Array;
  readonly secret: Uint8Array;
  readonly epoch: number;
}

const recordKey = ({ purpose, device, sender, secret, epoch }: RecordSide): Uint8Array =>
  new Uint8Array(
    hkdfSync('sha256', secret, new Uint8Array(0), toCbor([1, purpose, device, sender, epoch]), 16),
  );
const recordAad = ({ purpose, device, sender }: RecordSide): Uint8Array =>
  toCbor([1, purpose, device, sender]);

const nonceOf = (partialIv: Uint8Array): Uint8Array => {
  const nonce = new Uint8Array(12);
  nonce.set(partialIv, 12 - partialIv.length);
  return nonce;
};

/** A record with a number below 256. */
export async function record(
  plaintext: Uint8Array,
  channel: Uint8Array,
  number: number,
  side: RecordSide,
): Promise<Uint8Array> {
  const partialIv = new Uint8Array([number]);
  const sealedRecord = await Encrypt0.encrypt(
    [
      [Headers.Algorithm, A128GCM],
      [Headers.KeyID, channel],
      [Headers.PartialIV, partialIv],
    ],
    [[Headers.IV, nonceOf(partialIv)]],
    plaintext,
    recordKey(side),
    recordAad(side),
  );
  return toCbor(
    new Tag(TAG.encrypt0, [
      plain(sealedRecord.getContentForEncoding()[0] as Uint8Array),
      new Map(),
      plain(sealedRecord.ciphertext),
    ]),
  );
}

/** A record's number and plaintext. */
export async function openedRecord(
  message: Uint8Array,
  side: RecordSide,
): Promise<{ number: number; plaintext: Uint8Array }> {
  const sealedRecord = Encrypt0.decode(message);
  const partialIv = plain(sealedRecord.protectedHeaders.get(Headers.PartialIV) as Uint8Array);
  sealedRecord.unprotectedHeaders.set(Headers.IV, nonceOf(partialIv)); // where the library looks for it
  const plaintext = await sealedRecord.decrypt(recordKey(side), { externalAAD: recordAad(side) });
  return { number: Buffer.from(partialIv).readUIntBE(0, partialIv.length), plaintext: plain(plaintext) };
}

/** Without the padding of labels and telemetry: 80 00 … */
export function unpadded(bytes: Uint8Array): Uint8Array {
  const end = bytes.findLastIndex((byte) => byte !== 0);
  if (bytes[end] !== 0x80) throw new Error('not padded');
  return bytes.subarray(0, end);
}
