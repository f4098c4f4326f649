import { createPublicKey, verify } from 'node:crypto';
import { fromHex, toHex } from '../../protocol/bytes.js';
import { decodeStrict, encodeDeterministic, Tag, type CborValue } from '../../protocol/cbor.js';
import {
  encryptAad,
  openContent,
  parseEncrypt,
  parseEncrypt0,
  type ContentLayer,
} from '../../protocol/cose/content.js';
import { authenticatedHeader, coseHeaders } from '../../protocol/cose/message.js';
import { parseSign1, signatureInput, verifySign1, type Sign1 } from '../../protocol/cose/sign1.js';
import { isSmartZoneError } from '../../protocol/errors.js';
import { verifyEd25519 } from '../../protocol/keys.js';
import { describeVectors, listVectors, readVectors, report } from './shared.js';

interface Key {
  readonly kty: string;
  readonly crv?: string;
  readonly x?: string;
  readonly y?: string;
  readonly x_hex?: string;
  readonly k?: string;
}

interface Encryption {
  readonly protected?: { readonly alg?: string };
  readonly unsent?: { readonly IV_hex: string };
  readonly external?: string;
  readonly recipients: readonly { readonly key: Key }[];
}

interface CoseVector {
  readonly title: string;
  readonly fail?: boolean;
  readonly input: {
    readonly plaintext: string;
    readonly failures?: object;
    readonly sign0?: { readonly key: Key; readonly external?: string };
    readonly sign?: { readonly signers: readonly { readonly key: Key }[] };
    readonly encrypted?: Encryption;
    readonly enveloped?: Encryption;
  };
  readonly intermediates: {
    readonly ToBeSign_hex?: string;
    readonly AAD_hex?: string;
    readonly CEK_hex?: string;
    readonly signers?: readonly { readonly ToBeSign_hex: string }[];
  };
  readonly output: { readonly cbor: string };
}

/** Vectors that this protocol's algorithms do not reach. */
const NOT_APPLICABLE: Readonly<Record<string, string>> = {
  'eddsa-examples/eddsa-02.json': 'Ed448',
  'eddsa-examples/eddsa-sig-02.json': 'Ed448',
  'aes-gcm-examples/aes-gcm-02.json': 'A192GCM',
  'aes-gcm-examples/aes-gcm-03.json': 'A256GCM',
  'aes-gcm-examples/aes-gcm-enc-02.json': 'A192GCM',
  'aes-gcm-examples/aes-gcm-enc-03.json': 'A256GCM',
};

function load(folder: string): { name: string; vector: CoseVector }[] {
  return listVectors(`cose-wg/${folder}`).map((file) => ({
    name: `${folder}/${file}`,
    vector: readVectors<CoseVector>(`cose-wg/${folder}/${file}`),
  }));
}

const aadOf = (external: string | undefined) => fromHex(external ?? '');

/** Runs a check that must hold: false where it refuses, by its result or with an error of this project. */
function accepts(check: () => boolean): boolean {
  try {
    return check();
  } catch (error) {
    if (isSmartZoneError(error)) return false;
    throw error;
  }
}

/** The examples of the Sign1 structure use ES256, which this protocol does not: the structure is ours, the curve is not. */
function verifyEs256(message: Sign1, key: Key, externalAad: Uint8Array): boolean {
  const alg = message.headers.protected.get(1) ?? message.headers.unprotected.get(1);
  if (alg !== -7 || message.payload === null) return false;
  const publicKey = createPublicKey({
    key: { kty: 'EC', crv: 'P-256', x: key.x ?? '', y: key.y ?? '' },
    format: 'jwk',
  });
  const input = signatureInput(authenticatedHeader(message.headers), externalAad, message.payload);
  return verify('sha256', input, { key: publicKey, dsaEncoding: 'ieee-p1363' }, message.signature);
}

describeVectors('COSE WG examples', () => {
  test('Sign1: structure, tag, headers and external data', () => {
    const counts = { run: 0, 'that must fail': 0 };
    for (const { name, vector } of load('sign1-tests')) {
      const sign = vector.input.sign0;
      if (sign === undefined) throw new Error(`${name} is no Sign1`);
      const aad = aadOf(sign.external);
      const bytes = fromHex(vector.output.cbor);
      const untagged = vector.title.includes('Remove CBOR Tag');
      const accepted = accepts(() => verifyEs256(parseSign1(bytes, { untagged }), sign.key, aad));
      expect({ name, accepted }).toEqual({ name, accepted: vector.fail !== true });
      if (vector.fail === true) counts['that must fail']++;
      else {
        const { headers, payload } = parseSign1(bytes, { untagged });
        if (payload === null) throw new Error('no payload');
        const input = signatureInput(authenticatedHeader(headers), aad, payload);
        expect(toHex(input).toUpperCase()).toBe(vector.intermediates.ToBeSign_hex);
      }
      if (untagged) expect(accepts(() => parseSign1(bytes).payload !== null)).toBe(false);
      counts.run++;
    }
    report('COSE WG sign1-tests', counts);
    expect(counts).toEqual({ run: 9, 'that must fail': 6 });
  });

  test('EdDSA with Ed25519, in COSE_Sign1 and in COSE_Sign', () => {
    const counts = { run: 0, 'not applicable': 0 };
    for (const { name, vector } of load('eddsa-examples')) {
      if (name in NOT_APPLICABLE) {
        counts['not applicable']++;
        continue;
      }
      const bytes = fromHex(vector.output.cbor);
      if (vector.input.sign0 !== undefined) {
        const publicKey = fromHex(vector.input.sign0.key.x_hex ?? '');
        const payload = verifySign1(parseSign1(bytes), publicKey, new Uint8Array(0));
        expect(new TextDecoder().decode(payload)).toBe(vector.input.plaintext);
        expect(accepts(() => verifySign1(parseSign1(bytes), publicKey, fromHex('00')).length > 0)).toBe(
          false,
        );
      } else {
        // COSE_Sign is not part of this protocol: only the codec and the signature are ours.
        const message = decodeStrict(bytes);
        if (!(message instanceof Tag) || message.tag !== 98) throw new Error('no COSE_Sign');
        const [body, , payload, signers] = message.value as [CborValue, CborValue, CborValue, CborValue[]];
        const [protectedItem, unprotected, signature] = signers[0] as [CborValue, CborValue, Uint8Array];
        const signerHeader = authenticatedHeader(coseHeaders(protectedItem, unprotected));
        const input = encodeDeterministic(['Signature', body, signerHeader, new Uint8Array(0), payload]);
        expect(toHex(input).toUpperCase()).toBe(vector.intermediates.signers?.[0]?.ToBeSign_hex);
        const key = vector.input.sign?.signers[0]?.key.x_hex ?? '';
        expect(verifyEd25519(fromHex(key), input, signature)).toBe(true);
      }
      counts.run++;
    }
    report('COSE WG eddsa-examples', counts);
    expect(counts).toEqual({ run: 2, 'not applicable': 2 });
  });

  test.each([
    ['encrypted-tests', 10, 6, 0],
    ['aes-gcm-examples', 5, 2, 4],
  ])('A128GCM: %s', (folder, run, fail, notApplicable) => {
    const counts = { run: 0, 'that must fail': 0, 'not applicable': 0 };
    for (const { name, vector } of load(folder)) {
      if (name in NOT_APPLICABLE) {
        counts['not applicable']++;
        continue;
      }
      const input = vector.input.encrypted ?? vector.input.enveloped;
      if (input === undefined) throw new Error(`${name} is not encrypted`);
      const bytes = fromHex(vector.output.cbor);
      const key = fromHex(vector.intermediates.CEK_hex ?? '');
      const aad = aadOf(input.external);
      const untagged = vector.title.includes('Remove leading CBOR tag');
      // The base IV is the unsent IV less the Partial IV that is XORed into its end.
      const baseIv = input.unsent && fromHex(input.unsent.IV_hex).fill(0, 10);
      const parse = (): ContentLayer =>
        vector.input.encrypted === undefined
          ? parseEncrypt(bytes, { untagged })
          : parseEncrypt0(bytes, { untagged });
      let opened: Uint8Array | undefined;
      const accepted = accepts(() => (opened = openContent(parse(), key, aad, baseIv)) !== undefined);
      expect({ name, accepted }).toEqual({ name, accepted: vector.fail !== true });
      if (vector.fail === true) counts['that must fail']++;
      else {
        expect(new TextDecoder().decode(opened)).toBe(vector.input.plaintext);
        const layer = parse();
        const structure = encryptAad(layer.context, authenticatedHeader(layer.headers), aad);
        expect(toHex(structure).toUpperCase()).toBe(vector.intermediates.AAD_hex);
      }
      counts.run++;
    }
    report(`COSE WG ${folder}`, counts);
    expect(counts).toEqual({ run, 'that must fail': fail, 'not applicable': notApplicable });
  });
});
