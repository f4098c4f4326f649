/** The real TA and its specification side by side: every message goes to both, and what comes of it is compared. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SealedModel } from '../../../clients/publisher/index.js';
import { equalBytes } from '../../../protocol/bytes.js';
import { Code } from '../../../protocol/codes.js';
import { codeName } from '../../../protocol/errors.js';
import { verifyEvidence } from '../../../protocol/messages/evidence.js';
import { verifyHello } from '../../../protocol/messages/hello.js';
import { openLabelOffer } from '../../../protocol/messages/label-offer.js';
import { verifyLabel } from '../../../protocol/messages/label.js';
import { verifyModelStatus } from '../../../protocol/messages/model-status.js';
import { answers, verifyOwnerReply } from '../../../protocol/messages/owner.js';
import { receiptCovers, RECEIPT_WINDOW, verifyReceipt } from '../../../protocol/messages/receipt.js';
import { openRecord, parseRecord, recordKey, type RecordPurpose } from '../../../protocol/messages/record.js';
import { verifyTelemetry } from '../../../protocol/messages/telemetry.js';
import { TaHost, type TaReply } from '../ta-host.js';
import { presentEpoch } from './channels.js';
import { COMMAND, Maker, shapeName } from './messages.js';
import { trialLabels } from './models.js';
import { keysOf, known, Mismatch, Registry, type Made } from './registry.js';
import { Specification } from './specification.js';
import { rosterVersion } from './trust.js';
import type { Committed, Outcome, Reply, Stored } from './state.js';

const ALL = 0xffffffff;
const NOT_AVAILABLE = 0xf0100003; // TEE_ERROR_STORAGE_NOT_AVAILABLE

const agree = (what: string, real: unknown, specified: unknown): void => {
  const text = (value: unknown): string => JSON.stringify(value) ?? 'nothing';
  if (text(real) !== text(specified))
    throw new Mismatch(`${what}: the TA says ${text(real)}, the specification ${text(specified)}`);
};

const bitsIn = (bytes: Uint8Array): number =>
  bytes.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);

interface Snapshot {
  readonly folder: string;
  readonly stored: Stored;
}

export class Machine {
  readonly spec = new Specification();
  readonly registry: Registry;
  readonly make: Maker;
  /** Of trusted storage, the first one from before any claim. */
  readonly snapshots: Snapshot[] = [];
  /** "COMMAND code" -> how often. */
  readonly reached = new Map<string, number>();
  /** What happened, for whoever has to find out why. */
  readonly log: string[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), 'ta-model-'));
  #starts = 1;

  private constructor(
    readonly ta: TaHost,
    containers: ReadonlyMap<string, SealedModel>,
  ) {
    this.registry = new Registry(containers);
    this.make = new Maker(this.registry);
  }

  static async start(program: string, containers: ReadonlyMap<string, SealedModel>): Promise<Machine> {
    const { clock } = new Specification().device;
    const machine = new Machine(TaHost.of(program, { clock }), containers);
    await machine.observe();
    machine.takeSnapshot();
    return machine;
  }

  async stop(): Promise<void> {
    if (!this.spec.device.storageAvailable) renameSync(this.#away, this.ta.storage);
    rmSync(this.#folder, { recursive: true, force: true });
    await this.ta.stop();
  }

  get #away(): string {
    return `${this.ta.storage}-away`;
  }

  /** Sends a message to both. */
  async send(made: Made): Promise<Outcome> {
    const { content } = made.message;
    const specified = this.spec.receive(made.message);
    const index = content.kind === 'segment' ? content.index : 0;
    const reply = await this.ta.call(COMMAND[content.kind], made.bytes, index);
    agree('TEE result', reply.result, 0);
    const real = reply.a === 0 ? 'OK' : codeName(reply.a);
    this.log.push(`${JSON.stringify(made.message)} -> ${real}`);
    const entry = `${COMMAND[content.kind]} ${real}`;
    this.reached.set(entry, (this.reached.get(entry) ?? 0) + 1);
    agree(COMMAND[content.kind], real, specified.code);
    this.#compare(specified.reply, reply, made);
    return specified;
  }

  /** What anybody can see of the device at any time. */
  async observe(): Promise<void> {
    const { spec, registry } = this;
    const { stored, memory } = spec.device;
    const ping = await this.ta.call('PING');
    const hello = verifyHello((await this.ta.call('HELLO')).out);
    agree('epoch', ping.b, presentEpoch(spec.device));
    agree(
      'ping',
      ping.c,
      (stored.owners.keys.length > 0 ? 1 : 0) + (memory.running ? 2 : 0) + (memory.job ? 4 : 0),
    );
    agree('boot in ping', ping.d, Buffer.from(hello.bootNonce).readUInt32LE());
    agree('roster version', hello.rosterVersion, rosterVersion(spec.device));
    agree('owner generation', hello.ownerGeneration ?? 0, stored.owners.generation);
    agree('model sequence', hello.modelSequence, stored.model?.sequence ?? 0);
    agree('model floor', hello.modelFloor ?? hello.modelSequence, stored.modelFloor);
    agree('claimed', hello.claimNonce === undefined, stored.owners.keys.length > 0);
    agree('input', hello.inputShape && shapeName(hello.inputShape), memory.running?.input);
    registry.meetHello(stored.identity, memory.boot, hello);
  }

  get #deviceKey(): Uint8Array {
    return known(this.registry.identities, this.spec.device.stored.identity).signingKey;
  }

  #compare(specified: Reply, reply: TaReply, made: Made): void {
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
        this.#compareLabel(specified, reply, made);
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
      case 'segment':
        agree('next segment', reply.b === ALL ? 'all' : reply.b, specified.next);
        agree('active', reply.c === 1, specified.active);
        break;
    }
  }

  get #epochName(): string {
    return `${this.#starts}/${this.spec.device.memory.epoch}`;
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

  #compareLabel(specified: Reply & { kind: 'label' }, reply: TaReply, made: Made): void {
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
    const facts: [Uint8Array, Uint8Array | undefined][] = [
      [said.frameChannel, end.id],
      [said.frameTag, made.bytes.subarray(-16)],
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

  /** The segments of a load that has begun, as long as both want them. */
  async sendSegments(container: string): Promise<void> {
    for (let at = 0; at < known(this.registry.containers, container).segments.length; at++) {
      const { code, reply } = await this.send(this.make.segment(container, at));
      if (code !== 'OK' || reply.kind !== 'segment' || reply.next === 'all') return;
    }
  }

  async restart(): Promise<void> {
    const { device } = this.spec;
    this.log.push('restart');
    if (!device.storageAvailable) {
      agree('start without storage', (await this.ta.restart()).result, NOT_AVAILABLE);
      this.storage(true);
    }
    agree('start', (await this.ta.restart()).result, 0);
    this.spec.restart();
    device.session = 1;
    this.#starts += 1;
  }

  storage(available: boolean): void {
    const { device } = this.spec;
    if (device.storageAvailable === available) return;
    this.log.push(available ? 'storage is back' : 'storage is away');
    if (available) renameSync(this.#away, this.ta.storage);
    else renameSync(this.ta.storage, this.#away);
    device.storageAvailable = available;
  }

  takeSnapshot(): void {
    const { device } = this.spec;
    if (!device.storageAvailable) return;
    const folder = join(this.#folder, String(this.snapshots.length));
    cpSync(this.ta.storage, folder, { recursive: true });
    this.snapshots.push({ folder, stored: device.stored });
    this.log.push(`copy ${this.snapshots.length - 1} of the storage`);
  }

  /** An older copy of trusted storage is put back, or, without one, everything is erased. */
  async putBack(which: number | undefined): Promise<void> {
    const { device } = this.spec;
    this.storage(true);
    this.log.push(which === undefined ? 'storage erased' : `copy ${which} put back`);
    rmSync(this.ta.storage, { recursive: true });
    mkdirSync(this.ta.storage);
    const snapshot = which === undefined ? undefined : this.snapshots[which];
    if (snapshot) {
      for (const name of readdirSync(snapshot.folder))
        cpSync(join(snapshot.folder, name), join(this.ta.storage, name));
      device.stored = snapshot.stored;
    } else this.spec.erase();
    await this.restart();
  }

  async clock(seconds: number): Promise<void> {
    const { device } = this.spec;
    device.clock += seconds;
    this.log.push(`${seconds} s later`);
    await this.ta.clock(device.clock);
  }

  async session(number: number): Promise<void> {
    this.spec.device.session = number;
    this.log.push(`session ${number}`);
    await this.ta.session(number);
  }

  async endSession(number: number): Promise<void> {
    this.spec.endSession(number);
    this.log.push(`session ${number} ends`);
    await this.ta.endSession(number);
  }
}
