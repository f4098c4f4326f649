/** What the specification's names stand for on the real thing: keys, nonces, messages. */
import { randomBytes } from 'node:crypto';
import type { SealedModel } from '../../../clients/publisher/index.js';
import { equalBytes } from '../../../protocol/bytes.js';
import { AgreementKey, SigningKey } from '../../../protocol/keys.js';
import { asChannelId, asKid, signingKid, type ChannelId, type Kid } from '../../../protocol/kid.js';
import type { VerifiedHello } from '../../../protocol/messages/hello.js';
import { RecordWriter } from '../../../protocol/messages/record.js';
import type { Message, ModelBeginContent } from './state.js';

export interface Keys {
  readonly signing: SigningKey;
  readonly agreement: AgreementKey;
}

export interface Identity {
  readonly kid: Kid;
  readonly signingKey: Uint8Array;
  readonly agreementKey: Uint8Array;
}

export interface Boot {
  readonly bootNonce: Uint8Array;
  readonly prekey: Uint8Array;
}

/** A sensor's end of a channel. */
export interface SensorEnd {
  readonly name: string;
  readonly id: ChannelId;
  readonly secret: Uint8Array;
  readonly sensor: string;
  readonly shape: string;
  /** The device or the zone that it is for. */
  readonly audience: string;
  readonly writer: RecordWriter;
}

export interface Made {
  readonly message: Message;
  readonly bytes: Uint8Array;
  /** What opens the reply to a rules hello. */
  readonly answer?: { readonly nonce: Uint8Array; readonly prekey: AgreementKey };
}

export class Mismatch extends Error {}

/** Other devices, which nobody here runs. */
export const ELSEWHERE = 'elsewhere';
export const NEIGHBOUR = 'neighbour';

export const PARTIES = {
  owners: ['owner 1', 'owner 2', 'owner 3'],
  sensors: ['sensor 1', 'sensor 2', 'sensor 3'],
  rules: ['rules 1', 'rules 2'],
  publishers: ['publisher 1', 'publisher 2'],
  zones: ['zone 1', 'zone 2'],
  stranger: 'stranger',
} as const;

export const keysOf = new Map<string, Keys>(
  [...PARTIES.owners, ...PARTIES.sensors, ...PARTIES.rules, ...PARTIES.publishers, PARTIES.stranger].map(
    (name) => [name, { signing: SigningKey.generate(), agreement: AgreementKey.generate() }],
  ),
);

export const known = <K, V>(map: ReadonlyMap<K, V>, key: K): V => {
  const value = map.get(key);
  if (value === undefined) throw new Error(`nothing is known of ${String(key)}`);
  return value;
};

export class Registry {
  readonly identities = new Map<string, Identity>();
  readonly boots = new Map<string, Boot>();
  /** "boot nonce of ..." and "claim nonce of ...". */
  readonly nonces = new Map<string, { readonly bytes: Uint8Array }>();
  readonly channels = new Map<string, SensorEnd>();
  readonly made: Made[] = [];
  /** Of messages, by the digest of their bytes. */
  readonly ids = new Map<string, number>();
  /** Made and kept back: they come later than others, or never. */
  readonly held: Made[] = [];
  /** By digest. */
  readonly packages = new Map<
    string,
    { readonly envelope: Uint8Array; readonly content: ModelBeginContent }
  >();
  /** The labels that went out, by the frame's message. */
  readonly labels = new Map<number, Uint8Array>();
  readonly zones = new Map<string, Kid>(
    PARTIES.zones.map((name) => [name, asKid(new Uint8Array(randomBytes(8)))]),
  );
  readonly epochs = new Map<string, { readonly channel: ChannelId; readonly secret: Uint8Array }>();

  constructor(readonly containers: ReadonlyMap<string, SealedModel>) {
    for (const name of [ELSEWHERE, NEIGHBOUR]) {
      const keys: Keys = { signing: SigningKey.generate(), agreement: AgreementKey.generate() };
      const signingKey = keys.signing.publicKey;
      const kid = signingKid(signingKey);
      this.identities.set(name, { kid, signingKey, agreementKey: keys.agreement.publicKey });
      this.boots.set(name, { bootNonce: randomBytes(16), prekey: AgreementKey.generate().publicKey });
    }
    this.nonces.set(ELSEWHERE, { bytes: randomBytes(16) });
  }

  /** A name is met: the first time it must be unlike all others, from then on the same. */
  static meet<V extends object>(map: Map<string, V>, name: string, value: V, what: string): void {
    const before = map.get(name);
    const parts = Object.entries(value) as [keyof V & string, unknown][];
    const same = (a: unknown, b: unknown): boolean =>
      a instanceof Uint8Array && b instanceof Uint8Array ? equalBytes(a, b) : a === b;
    if (before !== undefined) {
      for (const [part, bytes] of parts)
        if (!same(before[part], bytes)) throw new Mismatch(`${what} ${name}: another ${part} than before`);
      return;
    }
    for (const [other, known] of map)
      for (const [part, bytes] of parts)
        if (same(known[part], bytes)) throw new Mismatch(`${what} ${name}: the ${part} of ${other}`);
    map.set(name, value);
  }

  meetDevice(identity: string, signingKey: Uint8Array, agreementKey: Uint8Array): void {
    const value = { kid: signingKid(signingKey), signingKey, agreementKey };
    Registry.meet(this.identities, identity, value, 'device');
  }

  meetHello(identity: string, boot: string, hello: VerifiedHello): void {
    this.meetDevice(identity, hello.signingKey, hello.agreementKey);
    Registry.meet(this.boots, boot, { bootNonce: hello.bootNonce, prekey: hello.prekey }, 'boot');
    Registry.meet(this.nonces, `boot nonce of ${boot}`, { bytes: hello.bootNonce }, 'nonce');
    if (hello.claimNonce !== undefined)
      Registry.meet(this.nonces, `claim nonce of ${boot}`, { bytes: hello.claimNonce }, 'nonce');
  }

  newChannel(sensor: string, shape: string, audience: string): SensorEnd {
    const id = asChannelId(randomBytes(8));
    const secret = new Uint8Array(randomBytes(32));
    const end: SensorEnd = {
      name: `channel ${this.channels.size + 1}`,
      id,
      secret,
      sensor,
      shape,
      audience,
      writer: new RecordWriter(
        secret,
        {
          purpose: 'frame',
          device: this.identities.get(audience)?.kid ?? known(this.zones, audience),
          sender: known(keysOf, sensor).signing.kid,
        },
        id,
      ),
    };
    this.channels.set(end.name, end);
    return end;
  }
}
