/** The real TA and its specification side by side: every message goes to both, and what comes of it is compared. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SealedModel } from '../../../clients/publisher/index.js';
import { codeName } from '../../../protocol/errors.js';
import { verifyHello } from '../../../protocol/messages/hello.js';
import { TaHost } from '../ta-host.js';
import { presentEpoch } from './channels.js';
import { COMMAND, Maker, shapeName } from './messages.js';
import { Registry, type Made } from './registry.js';
import { agree, Replies } from './replies.js';
import { Specification } from './specification.js';
import { rosterVersion } from './trust.js';
import type { Outcome, Stored } from './state.js';

const NOT_AVAILABLE = 0xf0100003; // TEE_ERROR_STORAGE_NOT_AVAILABLE

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
  /** The device's, in the order in which they were in force. */
  readonly identities: string[] = [];
  /** "COMMAND code" -> how often. */
  readonly reached = new Map<string, number>();
  /** What happened, for whoever has to find out why. */
  readonly log: string[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), 'ta-model-'));
  readonly #replies: Replies;
  #starts = 1;

  private constructor(
    readonly ta: TaHost,
    containers: ReadonlyMap<string, SealedModel>,
  ) {
    this.registry = new Registry(containers);
    this.make = new Maker(this.registry);
    this.#replies = new Replies(this.spec, this.registry, () => this.#starts);
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
    const index = content.kind === 'segment' || content.kind === 'continue' ? content.index : 0;
    const reply = await this.ta.call(COMMAND[content.kind], made.bytes, index);
    agree('TEE result', reply.result, 0);
    const real = reply.a === 0 ? 'OK' : codeName(reply.a);
    this.log.push(`${JSON.stringify(made.message)} -> ${real}`);
    const entry = `${COMMAND[content.kind]} ${real}`;
    this.reached.set(entry, (this.reached.get(entry) ?? 0) + 1);
    agree(COMMAND[content.kind], real, specified.code);
    this.#replies.compare(specified.reply, reply, made);
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
    if (this.identities.at(-1) !== stored.identity) this.identities.push(stored.identity);
  }

  /** The segments of a load that has begun, as long as both want them. */
  async sendSegments(container: string): Promise<void> {
    for (let at: number | 'all' = 0; at !== 'all';) {
      const { code, reply } = await this.send(this.make.segment(container, at));
      if (code !== 'OK' || reply.kind !== 'segment') return;
      at = reply.next;
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
