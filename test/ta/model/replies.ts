/** Whether what the real TA replied is what the specification says, as far as anybody can see. */
import { equalBytes, toHex } from '../../../protocol/bytes.js';
import { decodeStrict } from '../../../protocol/cbor.js';
import { Code } from '../../../protocol/codes.js';
import { codeName } from '../../../protocol/errors.js';
import { verifyEvidence } from '../../../protocol/messages/evidence.js';
import { openLabelOffer } from '../../../protocol/messages/label-offer.js';
import { verifyLabel } from '../../../protocol/messages/label.js';
import { verifyModelStatus } from '../../../protocol/messages/model-status.js';
import { answers, verifyOwnerReply } from '../../../protocol/messages/owner.js';
import { receiptCovers, RECEIPT_WINDOW, verifyReceipt } from '../../../protocol/messages/receipt.js';
import { openRecord, parseRecord, recordKey, type RecordPurpose } from '../../../protocol/messages/record.js';
import { verifyTelemetry } from '../../../protocol/messages/telemetry.js';
import type { TaReply } from '../ta-host.js';
import { trialLabels } from './models.js';
import { keysOf, known, Mismatch, Registry, type Made } from './registry.js';
import type { Specification } from './specification.js';
import { rosterVersion } from './trust.js';
import type { Committed, Reply } from './state.js';

const ALL = 0xffffffff;

export const agree = (what: string, real: unknown, specified: unknown): void => {
  const text = (value: unknown): string => JSON.stringify(value) ?? 'nothing';
  if (text(real) !== text(specified))
    throw new Mismatch(`${what}: the TA says ${text(real)}, the specification ${text(specified)}`);
};

const bitsIn = (bytes: Uint8Array): number =>
  bytes.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);

export class Replies {
  /** @param starts how often the TA was started: epochs of different boots have the same numbers */
  constructor(
    private readonly spec: Specification,
    private readonly registry: Registry,
    private readonly starts: () => number,
  ) {}

  get #deviceKey(): Uint8Array {
    return known(this.registry.identities, this.spec.device.stored.identity).signingKey;
  }

  /** Throws a Mismatch where the TA's reply is not what is specified. */
  compare(specified: Reply, reply: TaReply, made: Made): void {
    const { spec, registry } = this;
    const { stored, memory } = spec.device;
    const { boots, identities } = registry;
    switch (specified.kind) {
      case 'none':
        agree('reply', reply.out.length, 0);
        break;
      case 'owner-reply': {
        const said = verifyOwnerReply(reply.out);
        const { statement } = specified;
        agree('reply to', said.counter, statement.counter);
        agree('reply for', Buffer.from(said.device), Buffer.from(known(identities, statement.device).kid));
        agree('status', said.status === 0 ? 'OK' : codeName(said.status), specified.status);
        agree('reply to that statement', answers(said, made.bytes), true);
        registry.meetDevice(stored.identity, said.signingKey, said.agreementKey);
        agree('next keys', said.next !== undefined, stored.next !== undefined);
        if (said.next && stored.next !== undefined) registry.meetDevice(stored.next, ...said.next);
        break;
      }
      case 'label-offer':
        this.#compareLabelOffer(reply, made);
        break;
      case 'label':
        agree('epoch of the label', reply.b, memory.epoch);
        this.#compareLabel(specified, reply);
        break;
      case 'receipt': {
        const said = verifyReceipt(reply.out, this.#deviceKey);
        agree('receipt', said.lastNumber, specified.last);
        const told = Array.from({ length: RECEIPT_WINDOW + 2 }, (_, i) => said.lastNumber - i).reverse();
        agree(
          'numbers of the receipt',
          told.filter((number) => receiptCovers(said, number)),
          specified.taken,
        );
        agree('bits of the receipt', bitsIn(said.window), specified.taken.length);
        agree('channel', equalBytes(said.channel, known(registry.channels, specified.channel).id), true);
        agree('boot', equalBytes(said.bootNonce, known(boots, memory.boot).bootNonce), true);
        break;
      }
      case 'evidence': {
        const said = verifyEvidence(reply.out, this.#deviceKey, made.bytes);
        agree(
          'evidence',
          [said.rosterVersion, said.ownerGeneration, said.modelSequence, said.securityLevel],
          [
            rosterVersion(spec.device),
            stored.owners.generation > 0 ? stored.owners.generation : undefined,
            stored.model?.sequence ?? 0,
            0,
          ],
        );
        agree('boot', equalBytes(said.bootNonce, known(boots, memory.boot).bootNonce), true);
        break;
      }
      case 'telemetry': {
        agree('epoch of the telemetry', reply.b, memory.epoch);
        const plaintext = this.#open(reply.out, 'telemetry', known(identities, stored.identity).kid);
        if (plaintext === undefined) break;
        const said = verifyTelemetry(plaintext, this.#deviceKey);
        agree('counters', Object.fromEntries(said.counters), memory.counters);
        agree('agent', [...said.agent], [['queue', 1]]);
        break;
      }
      case 'model-status':
        this.#compareModelStatus(reply);
        break;
      case 'wanted':
        agree('segments wanted', decodeStrict(reply.out), specified.segments);
        agree('first of them', reply.b, specified.segments[0]);
        break;
      case 'segment':
        agree('next segment', reply.b === ALL ? 'all' : reply.b, specified.next);
        agree('active', reply.c === 1, specified.active);
        break;
    }
  }

  get #epochName(): string {
    return `${this.starts()}/${this.spec.device.memory.epoch}`;
  }

  #compareLabelOffer(reply: TaReply, { message, answer }: Made): void {
    const { spec, registry } = this;
    const { stored, memory } = spec.device;
    const { content } = message;
    if (content.kind !== 'rules-hello' || answer === undefined) throw new Error('no rules hello');
    const host = { id: known(keysOf, content.signer).signing.kid, freshness: answer.nonce };
    const said = openLabelOffer(reply.out, this.#deviceKey, host, answer.prekey);
    agree(
      'label offer',
      [said.epoch, said.rosterVersion, said.modelSequence],
      [memory.epoch, rosterVersion(spec.device), stored.model?.sequence ?? 0],
    );
    agree('boot', equalBytes(said.bootNonce, known(registry.boots, memory.boot).bootNonce), true);
    const { channel, secret } = said;
    Registry.meet(registry.epochs, this.#epochName, { channel, secret }, 'epoch');
  }

  /** The plaintext, where some rules host has been given the epoch's secret. */
  #open(bytes: Uint8Array, purpose: RecordPurpose, sender: Uint8Array): Uint8Array | undefined {
    const { spec, registry } = this;
    const epoch = registry.epochs.get(this.#epochName);
    if (epoch === undefined) return undefined;
    const device = known(registry.identities, spec.device.stored.identity).kid;
    const context = { purpose, device, sender: sender as typeof device };
    const record = parseRecord(bytes);
    agree('epoch channel', equalBytes(record.channel, epoch.channel), true);
    return openRecord(record, recordKey(epoch.secret, context, spec.device.memory.epoch), context);
  }

  #compareLabel(specified: Reply & { kind: 'label' }, reply: TaReply): void {
    const { registry, spec } = this;
    const { id, content } = specified.frame;
    const before = registry.labels.get(id);
    if (specified.again) {
      agree('the identical label', before !== undefined && equalBytes(before, reply.out), true);
      return;
    }
    agree('a label of its own', before === undefined || !equalBytes(before, reply.out), true);
    registry.labels.set(id, reply.out);
    const end = known(registry.channels, content.channel);
    const sensor = known(keysOf, end.sensor).signing.kid;
    const plaintext = this.#open(reply.out, 'label', sensor);
    if (plaintext === undefined) return;
    const said = verifyLabel(plaintext, this.#deviceKey);
    agree('label for', said.frameNumber, content.number);
    const zone = registry.zones.get(end.audience);
    agree('label of the zone', said.zone && toHex(said.zone), zone && toHex(zone));
    const facts: [Uint8Array, Uint8Array | undefined][] = [
      [said.frameChannel, end.id],
      [said.frameTag, registry.made[id - 1]?.bytes.subarray(-16)],
      [said.sensor, sensor],
      [said.bootNonce, known(registry.boots, spec.device.memory.boot).bootNonce],
      [said.model, Buffer.from(spec.device.memory.running?.digest ?? '', 'hex')],
    ];
    for (const [real, due] of facts) agree('label', Buffer.from(real), due && Buffer.from(due));
  }

  #compareModelStatus(reply: TaReply): void {
    const { stored, memory } = this.spec.device;
    const said = verifyModelStatus(reply.out, this.#deviceKey);
    const named = (model: Committed | undefined): unknown =>
      model && [model.sequence, Buffer.from(model.digest, 'hex').toString('hex')];
    const hex = (pair: readonly [number, Uint8Array] | undefined): unknown =>
      pair && [pair[0], Buffer.from(pair[1]).toString('hex')];
    const { refusedModel } = memory;
    agree(
      'model status',
      [said.floor, said.loaded, hex(said.committed), said.trial, hex(said.previous), said.refused],
      [
        stored.modelFloor,
        memory.running !== undefined,
        named(stored.model),
        stored.trialStarts > 0 ? [trialLabels(this.spec.device), stored.trialStarts] : undefined,
        named(stored.previous),
        refusedModel && [refusedModel.sequence, Code[refusedModel.code]],
      ],
    );
    agree('on trial', reply.c === 1, stored.trialStarts > 0);
  }
}
