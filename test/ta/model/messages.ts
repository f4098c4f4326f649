/** Makes the real message of what the specification is told about it. */
import { createHash, randomBytes } from 'node:crypto';
import { signPackage, wrapFor } from '../../../clients/publisher/index.js';
import { encodeDeterministic } from '../../../protocol/cbor.js';
import type { Command } from '../../../protocol/codes.js';
import { AgreementKey } from '../../../protocol/keys.js';
import type { InputShape } from '../../../protocol/messages/input-shape.js';
import { encodeFrame } from '../../../protocol/messages/frame.js';
import { encodeModelBegin } from '../../../protocol/messages/model-begin.js';
import { sealOffer, type Offer } from '../../../protocol/messages/offer.js';
import { signOwnerStatement } from '../../../protocol/messages/owner.js';
import { signOwners } from '../../../protocol/messages/owners.js';
import { signRoster } from '../../../protocol/messages/roster.js';
import { signRulesHello } from '../../../protocol/messages/rules-hello.js';
import { encodeAgentCounters } from '../../../protocol/messages/telemetry.js';
import { sealZoneOffer } from '../../../protocol/messages/zone-offer.js';
import { known, keysOf, type Made, type Registry, type SensorEnd } from './registry.js';
import type {
  Content,
  ContinueContent,
  FrameContent,
  ModelBeginContent,
  OfferContent,
  OwnerContent,
  RosterContent,
  RulesHelloContent,
  Seen,
  SegmentContent,
  ZoneOfferContent,
} from './state.js';

export const COMMAND: Readonly<Record<Content['kind'], keyof typeof Command>> = {
  owner: 'OWNER',
  roster: 'ROSTER',
  offer: 'OFFER',
  'zone-offer': 'ZONE_OFFER',
  'rules-hello': 'RULES_HELLO',
  frame: 'FRAME',
  receipt: 'RECEIPT',
  evidence: 'EVIDENCE',
  telemetry: 'TELEMETRY',
  'model-begin': 'MODEL_BEGIN',
  segment: 'MODEL_SEGMENT',
  'model-status': 'MODEL_STATUS',
  continue: 'CONTINUE',
};

/** As the specification names shapes. */
export const shapeName = ({ format, dims }: InputShape): string => `${format} ${dims.join('x')}`;
const shapeOf = (name: string): InputShape => {
  const [format, dims] = name.split(' ');
  return { format: format as InputShape['format'], dims: (dims ?? '').split('x').map(Number) };
};

const publicKeys = (names: readonly string[]): Uint8Array[] =>
  names.map((name) => known(keysOf, name).signing.publicKey);

/** The last byte is the signature's, or the tag's. */
const spoilt = (bytes: Uint8Array, spoil: boolean): Uint8Array => {
  const copy = Uint8Array.from(bytes);
  if (spoil) copy[copy.length - 1] = (copy.at(-1) ?? 0) ^ 1;
  return copy;
};

const seenOf = ({ rosterVersion, modelSequence, ownerGeneration }: Seen): Seen => ({
  rosterVersion,
  modelSequence,
  ...(ownerGeneration !== undefined && { ownerGeneration }),
});

export class Maker {
  constructor(readonly registry: Registry) {}

  /** Numbers a message and remembers it, so that it can come again. The same said twice can be the same bytes (Ed25519). */
  #made(content: Content, bytes: Uint8Array, more: Partial<Made> = {}): Made {
    const { made, ids } = this.registry;
    const digest = createHash('sha256').update(bytes).digest('hex');
    const id = ids.get(digest) ?? made.length + 1;
    ids.set(digest, id);
    const it: Made = { message: { id, content }, bytes, ...more };
    made.push(it);
    return it;
  }

  owner(content: OwnerContent): Made {
    const { identities, nonces } = this.registry;
    const { action } = content;
    const bytes = signOwnerStatement(
      {
        device: known(identities, content.device).kid,
        counter: content.counter,
        nonce: known(nonces, content.nonce).bytes,
        time: content.time,
        action: action.type === 'claim' ? { ...action, owners: publicKeys(action.owners) } : action,
      },
      known(keysOf, content.signer).signing,
    );
    return this.#made(content, spoilt(bytes, content.forged));
  }

  roster(content: RosterContent): Made {
    const bytes = signRoster(
      {
        version: content.version,
        issued: content.issued,
        members: content.members.map(({ party, role, notAfter }) => ({
          signingKey: known(keysOf, party).signing.publicKey,
          agreementKey: known(keysOf, party).agreement.publicKey,
          role,
          name: party,
          ...(notAfter !== undefined && { notAfter }),
        })),
        devices: content.devices.map((name) => {
          const { signingKey, agreementKey } = known(this.registry.identities, name);
          return { signingKey, agreementKey, securityLevel: 0, name };
        }),
        zones: content.zones.map(({ zone, devices }) => ({
          id: known(this.registry.zones, zone),
          devices: devices.map((name) => known(this.registry.identities, name).kid),
          name: zone,
        })),
        ...(content.lease !== undefined && { lease: content.lease }),
        ...(content.succession && {
          succession: content.succession.map(({ generation, keys, signer, forged }) =>
            spoilt(signOwners({ generation, keys: publicKeys(keys) }, known(keysOf, signer).signing), forged),
          ),
        }),
      },
      known(keysOf, content.signer).signing,
    );
    return this.#made(content, spoilt(bytes, content.forged));
  }

  offer(content: OfferContent): Made {
    const { boots, identities } = this.registry;
    const bytes = sealOffer(this.#terms(content), known(keysOf, content.signer).signing, [
      {
        id: known(identities, content.device).kid,
        freshness: known(boots, content.bootNonce).bootNonce,
        publicKey: known(boots, content.prekey).prekey,
      },
    ]);
    return this.#made(content, spoilt(bytes, content.forged));
  }

  zoneOffer(content: ZoneOfferContent): Made {
    const { boots, zones } = this.registry;
    const bytes = sealZoneOffer(
      this.#terms(content),
      known(zones, content.zone),
      known(keysOf, content.signer).signing,
      content.recipients.map(({ prekey, bootNonce }) => ({
        prekey: known(boots, prekey).prekey,
        bootNonce: known(boots, bootNonce).bootNonce,
      })),
    );
    return this.#made(content, spoilt(bytes, content.forged));
  }

  #terms(content: OfferContent | ZoneOfferContent): Offer {
    const { id, secret } = known(this.registry.channels, content.channel);
    const { counter, time } = content;
    return { channel: id, secret, inputShape: shapeOf(content.shape), counter, ...seenOf(content), time };
  }

  rulesHello(content: RulesHelloContent): Made {
    const prekey = AgreementKey.generate();
    const nonce = new Uint8Array(randomBytes(16));
    const bytes = signRulesHello(
      {
        device: known(this.registry.identities, content.device).kid,
        freshNonce: nonce,
        prekey: content.lowOrder ? new Uint8Array(32) : prekey.publicKey,
        time: content.time,
        ...seenOf(content),
      },
      known(keysOf, content.signer).signing,
    );
    return this.#made(content, spoilt(bytes, content.forged), { answer: { nonce, prekey } });
  }

  /** Seals the channel's next frame. */
  frame(end: SensorEnd, change: Pick<FrameContent, 'authentic' | 'wellFormed'>): Made {
    const shape = shapeOf(end.shape);
    const size = 4 * shape.dims.reduce((a, b) => a * b, 1);
    const frame = {
      ...shape,
      id: new Uint8Array(randomBytes(8)),
      time: 1,
      data: new Uint8Array(size).fill(1),
    };
    const bytes = end.writer.seal(change.wellFormed ? encodeFrame(frame) : encodeDeterministic(7));
    const { name: channel, sensor, audience, writer } = end;
    const content: FrameContent = {
      kind: 'frame',
      channel,
      number: writer.lastNumber,
      sensor,
      audience,
      ...change,
    };
    return this.#made(content, spoilt(bytes, !change.authentic));
  }

  /** A frame that was made before, with another tag. */
  alteredFrame({ message, bytes }: Made): Made {
    return this.#made({ ...(message.content as FrameContent), authentic: false }, spoilt(bytes, true));
  }

  modelBegin(draft: Omit<ModelBeginContent, 'model'>, container: string, sequence: number): Made {
    const { registry } = this;
    const model = known(registry.containers, container);
    const signed = signPackage(
      { ...model, ...(!draft.versionFits && { leastTaVersion: 0xff0000 }) },
      known(keysOf, draft.signer).signing,
      sequence,
    );
    const digest = Buffer.from(signed.digest).toString('hex');
    const offer = draft.offer && {
      ...draft.offer,
      digest: draft.offer.digest === '' ? digest : draft.offer.digest,
    };
    const content: ModelBeginContent = {
      ...draft,
      ...(offer && { offer }),
      model: {
        sequence,
        digest,
        container,
        input: shapeName(model.header.input),
        weights: model.header.weights.length,
      },
    };
    const envelope = spoiltEnvelope(signed.envelope, draft.forged);
    if (!draft.forged) registry.packages.set(digest, { envelope, content });
    const wrapped =
      offer &&
      spoilt(
        wrapFor(
          {
            kid: known(registry.identities, offer.device).kid,
            agreementKey: known(registry.identities, offer.sealedTo).agreementKey,
          },
          { digest: new Uint8Array(Buffer.from(offer.digest, 'hex')) },
          offer.rightKey ? model.contentKey : new Uint8Array(16),
          known(keysOf, offer.signer).signing,
          offer,
        ),
        offer.forged,
      );
    return this.#made(content, encodeModelBegin(envelope, wrapped ?? null));
  }

  /** To load again what is committed. */
  modelLoad(digest: string): Made {
    const { envelope, content } = known(this.registry.packages, digest);
    const { kind, signer, forged, model, versionFits } = content;
    const load: ModelBeginContent = { kind, signer, forged, model, versionFits };
    return this.#made(load, encodeModelBegin(envelope, null));
  }

  segment(container: string, place: number, change: { index?: number; intact?: boolean } = {}): Made {
    const { index = place, intact = true } = change;
    const bytes = known(this.registry.containers, container).segments[place] ?? new Uint8Array(0);
    const content: SegmentContent = { kind: 'segment', index, container, place, intact };
    return this.#made(content, spoilt(bytes, !intact));
  }

  receipt(end: SensorEnd): Made {
    return this.#made({ kind: 'receipt', channel: end.name }, end.id);
  }

  evidence(nonceLength: number): Made {
    return this.#made({ kind: 'evidence', nonceLength }, new Uint8Array(randomBytes(nonceLength)));
  }

  telemetry(wellFormed: boolean): Made {
    const counters = encodeAgentCounters(new Map([['queue', 1]]));
    return this.#made({ kind: 'telemetry', wellFormed }, wellFormed ? counters : counters.subarray(1));
  }

  modelStatus(): Made {
    return this.#made({ kind: 'model-status' }, new Uint8Array(0));
  }

  /** Segments of a container, one behind the other. */
  continue(container: string, { index, parts, extra }: Omit<ContinueContent, 'kind'>): Made {
    const { segments } = known(this.registry.containers, container);
    const joined = Buffer.concat(
      parts.map(({ place, intact }) => spoilt(segments[place] ?? new Uint8Array(0), !intact)),
    );
    const bytes = extra < 0 ? joined.subarray(0, extra) : Buffer.concat([joined, new Uint8Array(extra)]);
    return this.#made({ kind: 'continue', index, parts, extra }, new Uint8Array(bytes));
  }
}

/** The envelope's signature is not at its end: the manifest is. 64 bytes before the manifest begin its signature. */
const spoiltEnvelope = (envelope: Uint8Array, spoil: boolean): Uint8Array => {
  const copy = Uint8Array.from(envelope);
  if (!spoil) return copy;
  const marker = Buffer.from(copy).indexOf(Buffer.from([0xf6, 0x58, 0x40])); // nil (detached payload), then 64 bytes
  if (marker < 0) throw new Error('no signature in the envelope');
  copy[marker + 3] = (copy[marker + 3] ?? 0) ^ 1;
  return copy;
};
