import { createHash } from 'node:crypto';
import { fromHex, toHex, utf8 } from './bytes.js';
import { isSmartZoneError } from './errors.js';
import { AgreementKey, SigningKey, verifyEd25519 } from './keys.js';
import { agreementKid, asKid, kidFromHex, kidToHex, signingKid } from './kid.js';
import { acceptX25519PublicKey } from './x25519-public.js';

const P = 2n ** 255n - 19n;
const littleEndian = (value: bigint) =>
  new Uint8Array(Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse());

/** The points of low order, as in Bernstein's list: each also with p added and with bit 255 set where that fits. */
const LOW_ORDER = [
  0n,
  1n,
  P - 1n,
  P,
  P + 1n,
  325606250916557431795983626356110631294008115727848805560023387167927233504n,
  39382357235489614581723060781553021112529911719440698176882885853963445705823n,
];

function isRefused(publicKey: Uint8Array): boolean {
  try {
    acceptX25519PublicKey(publicKey);
  } catch (error) {
    return isSmartZoneError(error, 'BAD_KEY');
  }
  return false;
}

test('RFC 8032 section 7.1, test 2', () => {
  const key = SigningKey.fromSeed(
    fromHex('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb'),
  );
  expect(toHex(key.publicKey)).toBe('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c');
  const signature = key.sign(Uint8Array.of(0x72));
  expect(toHex(signature)).toBe(
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da' +
      '085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  );
  expect(verifyEd25519(key.publicKey, Uint8Array.of(0x72), signature)).toBe(true);
  expect(verifyEd25519(key.publicKey, Uint8Array.of(0x73), signature)).toBe(false);
  expect(verifyEd25519(key.publicKey, Uint8Array.of(0x72), signature.subarray(1))).toBe(false);
});

test('RFC 7748 section 6.1', () => {
  const a = AgreementKey.fromScalar(
    fromHex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a'),
  );
  const b = AgreementKey.fromScalar(
    fromHex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb'),
  );
  expect(toHex(a.publicKey)).toBe('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a');
  expect(toHex(a.agree(b.publicKey))).toBe(
    '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742',
  );
  expect(toHex(b.agree(a.publicKey))).toBe(
    '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742',
  );
});

test('X25519 points of low order are refused in every encoding, ordinary keys accepted', () => {
  for (const u of LOW_ORDER) {
    const encoded = littleEndian(u);
    expect(isRefused(encoded)).toBe(true);
    encoded[31] = (encoded[31] ?? 0) | 0x80;
    expect(isRefused(encoded)).toBe(true);
  }
  expect(isRefused(littleEndian(9n))).toBe(false);
  expect(isRefused(littleEndian(2n))).toBe(false);
  expect(isRefused(new Uint8Array(31))).toBe(true);
  expect(isRefused(AgreementKey.generate().publicKey)).toBe(false);
});

test('a kid is the start of the SHA-256 of the deterministic COSE key', () => {
  const publicKey = new Uint8Array(32).fill(7);
  const thumbprint = (curve: string) =>
    createHash('sha256')
      .update(fromHex(`a3010120${curve}215820${toHex(publicKey)}`))
      .digest('hex')
      .slice(0, 16);
  expect(kidToHex(signingKid(publicKey))).toBe(thumbprint('06'));
  expect(kidToHex(agreementKid(publicKey))).toBe(thumbprint('04'));
  expect(kidFromHex('0011223344556677')).toEqual(asKid(fromHex('0011223344556677')));
  expect(() => kidFromHex('00112233445566')).toThrow(RangeError);
  expect(() => asKid(utf8('too long a kid'))).toThrow(RangeError);
});

test('generation uses the injected randomness, and exports give the same key again', () => {
  const random = { bytes: (length: number) => new Uint8Array(length).fill(5) };
  const signing = SigningKey.generate(random);
  const agreement = AgreementKey.generate(random);
  expect(SigningKey.fromSeed(signing.exportSeed()).publicKey).toEqual(signing.publicKey);
  expect(AgreementKey.fromScalar(agreement.exportScalar()).publicKey).toEqual(agreement.publicKey);
  expect(signing.exportSeed()).toEqual(random.bytes(32));
  expect(SigningKey.generate().kid).not.toEqual(signing.kid);
  expect(() => SigningKey.fromSeed(new Uint8Array(31))).toThrow('Ed25519 private key of 31 bytes');
});
