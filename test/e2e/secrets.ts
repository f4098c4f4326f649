import type { PartyKeys } from '../../clients/keys/index.js';
import { CleartextSearch } from '../../demo/cleartext-search.js';
import { equalBytes, toHex } from '../../protocol/bytes.js';
import { AgreementKey } from '../../protocol/keys.js';
import { openLabelOffer } from '../../protocol/messages/label-offer.js';
import { recordKey } from '../../protocol/messages/record.js';
import { verifyRulesHello } from '../../protocol/messages/rules-hello.js';
import { systemRandomness, type Randomness } from '../../protocol/randomness.js';
import type { World } from './world.js';

/** The system's randomness, which remembers what it gave for keys: 32 bytes, channel secrets and private keys. */
export class RememberedRandomness implements Randomness {
  readonly keys: Uint8Array[] = [];

  bytes(length: number): Uint8Array {
    const bytes = systemRandomness.bytes(length);
    if (length === 32) this.keys.push(Uint8Array.from(bytes));
    return bytes;
  }
}

export const privateKeys = (parties: readonly PartyKeys[]): [string, Uint8Array][] =>
  parties.flatMap(({ role, signing, agreement }): [string, Uint8Array][] => [
    [`signing key of the ${role}`, signing.exportSeed()],
    ...(agreement
      ? [[`agreement key of the ${role}`, agreement.exportScalar()] as [string, Uint8Array]]
      : []),
  ]);

/** Everything that nobody but its holders may learn in a run: parties' keys, channels, epochs, the model's key. */
export const secretsOf = (
  world: World,
  sensor: RememberedRandomness,
  rules: RememberedRandomness,
): [string, Uint8Array][] => {
  const { home, model } = world;
  const device = home.device.kid;
  const sender = home.sensorKeys.signing.kid;
  return [
    ...privateKeys(home.parties),
    ['content key of the model', model.contentKey],
    ...sensor.keys.flatMap((key, i): [string, Uint8Array][] => [
      [`secret ${i} that the sensor drew`, key],
      [`frame key of secret ${i}`, recordKey(key, { purpose: 'frame', device, sender }, 0)],
    ]),
    ...rules.keys.map((key, i): [string, Uint8Array] => [`secret ${i} that the rules host drew`, key]),
    ...epochSecrets(world, rules).flatMap(({ epoch, secret }): [string, Uint8Array][] => [
      [`secret of epoch ${epoch}`, secret],
      [`label key of epoch ${epoch}`, recordKey(secret, { purpose: 'label', device, sender }, epoch)],
    ]),
  ];
};

/** Epoch secrets, opened from the recorded offers with the private keys that the rules host drew. */
const epochSecrets = (
  { recorder, topics, home }: World,
  rules: RememberedRandomness,
): { epoch: number; secret: Uint8Array }[] => {
  const { kid, publicKey } = home.rulesKeys.signing;
  const hellos = recorder
    .of(topics.rulesHello(kid))
    .map(({ payload }) => verifyRulesHello(payload, publicKey));
  const found = new Map<string, { epoch: number; secret: Uint8Array }>();
  for (const { payload } of recorder.of(topics.rulesOffer(kid)))
    for (const { freshNonce, prekey } of hellos)
      for (const scalar of rules.keys) {
        const key = AgreementKey.fromScalar(scalar);
        if (!equalBytes(key.publicKey, prekey)) continue;
        try {
          const offer = openLabelOffer(payload, home.device.signing, { id: kid, freshness: freshNonce }, key);
          found.set(toHex(offer.secret), { epoch: offer.epoch, secret: Uint8Array.from(offer.secret) });
        } catch {
          // Made for the hello before or after this one.
        }
      }
  return [...found.values()];
};

export const searchFor = (
  secrets: readonly (readonly [string, Uint8Array])[],
  frames: readonly Uint8Array[],
): CleartextSearch => {
  const search = new CleartextSearch();
  for (const [name, bytes] of secrets) search.addExact(name, bytes);
  frames.forEach((frame, i) => search.addFrame(`frame ${i}`, frame));
  return search;
};
