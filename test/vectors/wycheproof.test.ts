import { openAesGcm, sealAesGcm } from '../../protocol/aes-gcm.js';
import { fromHex, toHex } from '../../protocol/bytes.js';
import { isSmartZoneError } from '../../protocol/errors.js';
import { hkdf, hmacSha256 } from '../../protocol/hkdf.js';
import { AgreementKey, verifyEd25519 } from '../../protocol/keys.js';
import { describeVectors, readVectors, report, type Wycheproof } from './shared.js';

describeVectors('Wycheproof', () => {
  test('AES-GCM: 128-bit keys, 96-bit nonces, 128-bit tags', () => {
    const file = readVectors<
      Wycheproof<
        { keySize: number; ivSize: number; tagSize: number },
        { key: string; iv: string; aad: string; msg: string; ct: string; tag: string }
      >
    >('wycheproof/aes_gcm_test.json');
    const counts = {
      run: 0,
      'valid among them': 0,
      'not applicable: key size': 0,
      'not applicable: nonce size': 0,
    };
    for (const group of file.testGroups) {
      if (group.keySize !== 128) {
        counts['not applicable: key size'] += group.tests.length;
        continue;
      }
      if (group.ivSize !== 96) {
        counts['not applicable: nonce size'] += group.tests.length;
        continue;
      }
      expect(group.tagSize).toBe(128);
      for (const vector of group.tests) {
        const [key, iv, aad, message] = [vector.key, vector.iv, vector.aad, vector.msg].map(fromHex) as [
          Uint8Array,
          Uint8Array,
          Uint8Array,
          Uint8Array,
        ];
        const sealed = vector.ct + vector.tag;
        const opened = openAesGcm(key, iv, aad, fromHex(sealed));
        counts.run++;
        if (vector.result === 'valid') {
          counts['valid among them']++;
          expect({ id: vector.tcId, opened: opened && toHex(opened) }).toEqual({
            id: vector.tcId,
            opened: vector.msg,
          });
          expect({ id: vector.tcId, sealed: toHex(sealAesGcm(key, iv, aad, message)) }).toEqual({
            id: vector.tcId,
            sealed,
          });
        } else expect({ id: vector.tcId, opened }).toEqual({ id: vector.tcId, opened: undefined });
      }
    }
    report('Wycheproof AES-GCM', counts);
    expect(counts.run).toBe(67);
    expect(counts['valid among them']).toBeGreaterThan(30);
  });

  test('X25519: the shared secret, or BAD_KEY for points of low order', () => {
    const file = readVectors<
      Wycheproof<{ curve: string }, { public: string; private: string; shared: string }>
    >('wycheproof/x25519_test.json');
    const counts = { run: 0, 'refused, all-zero secret': 0 };
    for (const vector of file.testGroups.flatMap((group) => group.tests)) {
      counts.run++;
      const key = AgreementKey.fromScalar(fromHex(vector.private));
      let shared: string;
      try {
        shared = toHex(key.agree(fromHex(vector.public)));
      } catch (error) {
        if (!isSmartZoneError(error, 'BAD_KEY')) throw error;
        counts['refused, all-zero secret']++;
        shared = '00'.repeat(32);
      }
      expect({ id: vector.tcId, shared }).toEqual({ id: vector.tcId, shared: vector.shared });
    }
    report('Wycheproof X25519', counts);
    expect(counts.run).toBe(518);
    expect(counts['refused, all-zero secret']).toBeGreaterThan(0);
  });

  test('Ed25519: verification accepts exactly the valid signatures', () => {
    const file = readVectors<Wycheproof<{ publicKey: { pk: string } }, { msg: string; sig: string }>>(
      'wycheproof/ed25519_test.json',
    );
    const counts = { run: 0, 'valid among them': 0 };
    for (const group of file.testGroups)
      for (const vector of group.tests) {
        counts.run++;
        const valid = verifyEd25519(fromHex(group.publicKey.pk), fromHex(vector.msg), fromHex(vector.sig));
        expect({ id: vector.tcId, valid }).toEqual({ id: vector.tcId, valid: vector.result === 'valid' });
        if (valid) counts['valid among them']++;
      }
    report('Wycheproof Ed25519', counts);
    expect(counts.run).toBe(151);
    expect(counts['valid among them']).toBeGreaterThan(50);
  });

  test('HMAC-SHA256', () => {
    const file = readVectors<Wycheproof<{ tagSize: number }, { key: string; msg: string; tag: string }>>(
      'wycheproof/hmac_sha256_test.json',
    );
    const counts = { run: 0, 'invalid among them': 0 };
    for (const group of file.testGroups)
      for (const vector of group.tests) {
        counts.run++;
        const tag = toHex(hmacSha256(fromHex(vector.key), fromHex(vector.msg))).slice(0, group.tagSize / 4);
        if (vector.result !== 'valid') counts['invalid among them']++;
        expect({ id: vector.tcId, match: tag === vector.tag }).toEqual({
          id: vector.tcId,
          match: vector.result === 'valid',
        });
      }
    report('Wycheproof HMAC-SHA256', counts);
    expect(counts.run).toBe(174);
    expect(counts['invalid among them']).toBeGreaterThan(0);
  });

  test('HKDF-SHA256', () => {
    const file = readVectors<
      Wycheproof<object, { ikm: string; salt: string; info: string; size: number; okm: string }>
    >('wycheproof/hkdf_sha256_test.json');
    const counts = { run: 0, 'refused, too long': 0 };
    for (const vector of file.testGroups.flatMap((group) => group.tests)) {
      counts.run++;
      const derive = () => hkdf(fromHex(vector.salt), fromHex(vector.ikm), fromHex(vector.info), vector.size);
      if (vector.result === 'valid')
        expect({ id: vector.tcId, okm: toHex(derive()) }).toEqual({ id: vector.tcId, okm: vector.okm });
      else {
        counts['refused, too long']++;
        expect(derive).toThrow(RangeError);
      }
    }
    report('Wycheproof HKDF-SHA256', counts);
    expect(counts.run).toBe(86);
    expect(counts['refused, too long']).toBeGreaterThan(0);
  });
});
