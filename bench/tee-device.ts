import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import type { InvokeReply } from '../agent/tee/messages.js';
import { ModelFile } from '../agent/tee/model-file.js';
import { SegmentFeeder } from '../agent/tee/segment-feeder.js';
import { TeeSession } from '../agent/tee/session.js';
import { signPackage, wrapFor, type SealedModel } from '../clients/publisher/index.js';
import { findTee } from '../demo/processes.js';
import {
  AgreementKey,
  asChannelId,
  BUFFER,
  Command,
  encodeAgentCounters,
  encodeFrame,
  encodeModelBegin,
  inputBytes,
  openLabelOffer,
  openRecord,
  parseRecord,
  recordKey,
  RecordWriter,
  sealOffer,
  signOwnerStatement,
  signRoster,
  signRulesHello,
  SigningKey,
  SmartZoneError,
  TA_UUID,
  verifyHello,
  verifyLabel,
  verifyTelemetry,
  type Label,
  type Role,
  type Telemetry,
  type VerifiedHello,
} from '../protocol/index.js';
import { decodeModelPackage } from '../protocol/messages/model-package.js';
import { ROOT } from './paths.js';
import { runTool } from './peers/run-tool.js';

interface Party {
  readonly role: Role;
  readonly signing: SigningKey;
  readonly agreement: AgreementKey;
}

const party = (role: Role): Party => ({
  role,
  signing: SigningKey.generate(),
  agreement: AgreementKey.generate(),
});

const seconds = (): number => Math.floor(Date.now() / 1000);
const NO_MORE_SEGMENTS = 0xffffffff;

/** What a page table maps, and those that the default budget has. */
const PAGE_TABLE_KIB = 2048;
const PAGE_TABLES = 8;

/** Secure memory other than a Pi 3's 8 MiB, in KiB. */
export interface Budget {
  readonly secureKib: number;
  readonly heapKib: number;
}

/** The TA in a software TEE of its own, called through the TEE client API in this process. */
export class TeeDevice {
  readonly #folder: string;
  readonly #owner = SigningKey.generate();
  readonly #sensor = party('sensor');
  readonly #rules = party('rules');
  readonly #publisher = party('publisher');
  #session: TeeSession | undefined;
  #feeder: SegmentFeeder | undefined;
  #frames: RecordWriter | undefined;
  #shape: SealedModel['header']['input'] | undefined;
  #epoch: { readonly secret: Uint8Array; readonly epoch: number } | undefined;
  #lastLabel: Uint8Array | undefined;

  private constructor() {
    this.#folder = mkdtempSync(join(tmpdir(), 'sz-tee-'));
  }

  /** Starts a TEE, claims the device, enrols everybody. @param core the one processor that the TA may use */
  static async start(core?: number, budget?: Budget): Promise<TeeDevice> {
    const device = new TeeDevice();
    const build = join(ROOT, 'build');
    const environment = {
      SMART_ZONE_TEE_DIR: device.#folder,
      SMART_ZONE_TEE_SPAWN: join(build, 'smart-zone-tee'),
      ...(budget && {
        SMART_ZONE_TEE_SECURE_KIB: String(budget.secureKib),
        SMART_ZONE_TEE_HEAP_KIB: String(budget.heapKib),
        SMART_ZONE_TEE_PAGE_TABLES: String(Math.ceil(budget.secureKib / PAGE_TABLE_KIB) + PAGE_TABLES),
      }),
    };
    Object.assign(process.env, environment);
    device.#session = await TeeSession.create(createRequire(import.meta.url), {
      kind: 'open',
      addon: join(build, 'smart_zone_tee.node'),
      library: join(build, 'libteec-soft.so'),
      uuid: TA_UUID,
      bufferSize: 2 * BUFFER.in + BUFFER.out,
    });
    // An agent that a later suite starts inherits the environment, and shall have a TEE of its own.
    for (const name of Object.keys(environment)) Reflect.deleteProperty(process.env, name);
    device.#feeder = new SegmentFeeder(device.#session, () => undefined);
    if (core !== undefined)
      runTool([
        'taskset',
        '--cpu-list',
        '--pid',
        String(core),
        String(findTee(device.#folder, undefined).ta),
      ]);
    await device.#enrol();
    return device;
  }

  async #enrol(): Promise<void> {
    const hello = await this.#hello();
    const claim = signOwnerStatement(
      {
        device: hello.device,
        nonce: hello.claimNonce ?? hello.bootNonce,
        time: seconds(),
        counter: 1,
        action: { type: 'claim', owners: [this.#owner.publicKey] },
      },
      this.#owner,
    );
    await this.#call(Command.OWNER, claim);
    const { signingKey, agreementKey } = await this.#hello(); // claiming gave it new keys
    const roster = signRoster(
      {
        version: 1,
        issued: seconds(),
        members: [this.#sensor, this.#rules, this.#publisher].map(({ role, signing, agreement }) => ({
          signingKey: signing.publicKey,
          agreementKey: agreement.publicKey,
          role,
          name: role,
        })),
        devices: [{ signingKey, agreementKey, securityLevel: 0, name: 'device' }],
        zones: [],
      },
      this.#owner,
    );
    await this.#call(Command.ROSTER, roster);
  }

  /**
   * Loads a model and opens the channels of the sensor and the rules host.
   * @returns bytes of weights that it streams for each frame
   * @throws SmartZoneError as the TA refuses it
   */
  async install(model: SealedModel): Promise<number> {
    let hello = await this.#hello();
    const { signing } = this.#publisher;
    const signed = signPackage(model, signing, 1);
    const receiver = { kid: hello.device, agreementKey: hello.agreementKey };
    const offer = wrapFor(receiver, signed, model.contentKey, signing);
    const { envelope, segments } = decodeModelPackage(signed.bytes);
    let reply = await this.#call(Command.MODEL_BEGIN, encodeModelBegin(envelope, offer));
    while (reply.b !== NO_MORE_SEGMENTS)
      reply = await this.#call(Command.MODEL_SEGMENT, segments[reply.b], reply.b);
    this.#feeder?.useModel(this.#packageFile(signed.bytes, segments));
    hello = await this.#hello();
    this.#shape = model.header.input;
    await this.#openFrames(hello);
    await this.#openLabels(hello);
    return reply.d;
  }

  #packageFile(bytes: Uint8Array, segments: readonly Uint8Array[]): ModelFile {
    const path = join(this.#folder, 'package');
    writeFileSync(path, bytes);
    return ModelFile.open(
      path,
      segments.map((segment) => ({ at: segment.byteOffset - bytes.byteOffset, length: segment.length })),
    );
  }

  async #openFrames(hello: VerifiedHello): Promise<void> {
    const channel = asChannelId(randomBytes(8));
    const secret = new Uint8Array(randomBytes(32));
    const { signing } = this.#sensor;
    const { device, bootNonce, prekey, rosterVersion, modelSequence } = hello;
    if (!this.#shape) throw new Error('no model');
    const offer = sealOffer(
      {
        channel,
        secret,
        inputShape: this.#shape,
        counter: Date.now(),
        rosterVersion,
        modelSequence,
        time: seconds(),
      },
      signing,
      [{ id: device, freshness: bootNonce, publicKey: prekey }],
    );
    await this.#call(Command.OFFER, offer);
    this.#frames = new RecordWriter(secret, { purpose: 'frame', device, sender: signing.kid }, channel);
  }

  async #openLabels(hello: VerifiedHello): Promise<void> {
    const prekey = AgreementKey.generate();
    const freshNonce = new Uint8Array(randomBytes(16));
    const { device, rosterVersion, modelSequence, signingKey } = hello;
    const { signing } = this.#rules;
    const message = signRulesHello(
      { device, freshNonce, prekey: prekey.publicKey, time: Date.now(), rosterVersion, modelSequence },
      signing,
    );
    const { output } = await this.#call(Command.RULES_HELLO, message);
    this.#epoch = openLabelOffer(output, signingKey, { id: signing.kid, freshness: freshNonce }, prekey);
  }

  /**
   * Sealed frame to sealed label, with as many invokes as it takes; a noise frame each time. The frame lies in the shared memory when
   * the clock starts, as an input of the network lies in an engine's in process: the agent's reading of it belongs to `e2e`.
   * @returns milliseconds of each
   */
  async run(count: number): Promise<number[]> {
    // Sealed before the first is timed: the sensor is another machine.
    const records = Array.from({ length: count }, () => this.#sealedFrame());
    const times: number[] = [];
    for (const record of records) {
      const shared = this.#session?.half(0).subarray(0, record.length) ?? record;
      shared.set(record);
      const began = performance.now();
      const reply = await this.#feeder?.frame(shared);
      times.push(performance.now() - began);
      this.#lastLabel = accepted(reply).output;
    }
    return times;
  }

  #sealedFrame(): Uint8Array {
    if (!this.#shape || !this.#frames) throw new Error('no model');
    const data = new Uint8Array(randomBytes(inputBytes(this.#shape)));
    const id = new Uint8Array(randomBytes(8));
    return this.#frames.seal(encodeFrame({ ...this.#shape, id, time: Date.now(), data }));
  }

  /** Opens the last label as the rules host does. */
  async label(): Promise<Label> {
    const hello = await this.#hello();
    if (!this.#lastLabel || !this.#epoch) throw new Error('no label yet');
    const context = { purpose: 'label', device: hello.device, sender: this.#sensor.signing.kid } as const;
    const { secret, epoch } = this.#epoch;
    const key = recordKey(secret, context, epoch);
    return verifyLabel(openRecord(parseRecord(this.#lastLabel), key, context), hello.signingKey);
  }

  /** What the TA says of its memory and stages. */
  async telemetry(): Promise<Telemetry> {
    const hello = await this.#hello();
    if (!this.#epoch) throw new Error('no model');
    const { output } = await this.#call(Command.TELEMETRY, encodeAgentCounters(new Map()));
    const context = { purpose: 'telemetry', device: hello.device, sender: hello.device } as const;
    const { secret, epoch } = this.#epoch;
    const key = recordKey(secret, context, epoch);
    return verifyTelemetry(openRecord(parseRecord(output), key, context), hello.signingKey);
  }

  /** Closes the session and ends the TEE. */
  async stop(): Promise<void> {
    await this.#session?.close();
    rmSync(this.#folder, { recursive: true, force: true }); // which ends the supervisor
  }

  async #hello(): Promise<VerifiedHello> {
    return verifyHello((await this.#call(Command.HELLO)).output);
  }

  async #call(command: number, input: Uint8Array = new Uint8Array(0), value = 0): Promise<InvokeReply> {
    return accepted(await this.#session?.invoke(command, input, value));
  }
}

const accepted = (reply: InvokeReply | undefined): InvokeReply => {
  if (reply === undefined) throw new Error('no session');
  if (reply.status !== 0) throw SmartZoneError.fromNumber(reply.status);
  return reply;
};
