import { openAesGcm } from '../../protocol/aes-gcm.js';
import { fromHex, toHex } from '../../protocol/bytes.js';
import { isSmartZoneError } from '../../protocol/errors.js';
import { hpkeOpen, hpkeReceiverKeys, hpkeSeal } from '../../protocol/hpke.js';
import { AgreementKey } from '../../protocol/keys.js';
import { describeVectors, readVectors, report } from './shared.js';

interface HpkeVector {
  readonly mode: number;
  readonly info: string;
  readonly skEm: string;
  readonly pkRm: string;
  readonly skRm: string;
  readonly enc: string;
  readonly key: string;
  readonly base_nonce: string;
  readonly encryptions: readonly {
    readonly sequence_number: number;
    readonly pt: string;
    readonly aad: string;
    readonly nonce: string;
    readonly ct: string;
  }[];
}

describeVectors('RFC 9180 appendix A.1.1', () => {
  const vector = readVectors<HpkeVector>('hpke/rfc9180-a.1.1.json');
  const recipient = AgreementKey.fromScalar(fromHex(vector.skRm));
  const info = fromHex(vector.info);
  const [first] = vector.encryptions;
  if (first === undefined) throw new Error('no encryptions in the vector');
  const sealed = { enc: fromHex(vector.enc), ciphertext: fromHex(first.ct) };

  test('sealing with the published ephemeral key gives the published bytes', () => {
    expect(toHex(recipient.publicKey)).toBe(vector.pkRm);
    const random = { bytes: () => fromHex(vector.skEm) };
    const result = hpkeSeal(fromHex(vector.pkRm), info, fromHex(first.aad), fromHex(first.pt), random);
    expect(toHex(result.enc)).toBe(vector.enc);
    expect(toHex(result.ciphertext)).toBe(first.ct);
  });

  test('opening the published bytes gives the plaintext', () => {
    const opened = hpkeOpen(recipient, sealed, info, fromHex(first.aad));
    expect(opened && toHex(opened)).toBe(first.pt);
  });

  test('the receiver derives the published key and base nonce, and they open every message of the sequence', () => {
    const keys = hpkeReceiverKeys(recipient, sealed.enc, info);
    expect(toHex(keys.key)).toBe(vector.key);
    expect(toHex(keys.baseNonce)).toBe(vector.base_nonce);
    let run = 0;
    for (const message of vector.encryptions) {
      const opened = openAesGcm(keys.key, fromHex(message.nonce), fromHex(message.aad), fromHex(message.ct));
      expect(opened && toHex(opened)).toBe(message.pt);
      run++;
    }
    report('RFC 9180 A.1.1', { 'messages run': run });
    expect(run).toBe(6);
  });

  test('another info, another aad or a changed ciphertext does not open', () => {
    const aad = fromHex(first.aad);
    const changed = Uint8Array.from(sealed.ciphertext);
    changed[0] = (changed[0] ?? 0) ^ 1;
    expect(hpkeOpen(recipient, sealed, fromHex('00'), aad)).toBeUndefined();
    expect(hpkeOpen(recipient, sealed, info, fromHex('00'))).toBeUndefined();
    expect(hpkeOpen(recipient, { ...sealed, ciphertext: changed }, info, aad)).toBeUndefined();
  });

  test('an encapsulated key of low order is refused', () => {
    for (const enc of ['00'.repeat(32), `01${'00'.repeat(31)}`, `ed${'ff'.repeat(30)}7f`, 'ff'.repeat(16)]) {
      let error: unknown;
      try {
        hpkeOpen(recipient, { ...sealed, enc: fromHex(enc) }, info, fromHex(first.aad));
      } catch (caught) {
        error = caught;
      }
      expect(isSmartZoneError(error, 'BAD_KEY')).toBe(true);
    }
  });
});
