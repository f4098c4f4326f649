import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../agent/config.js';
import { Log } from '../../agent/log.js';
import { packageRoot } from '../../agent/package-root.js';
import { TeeClient } from '../../agent/tee/client.js';
import {
  AgreementKey,
  asChannelId,
  encodeFrame,
  encodeModelBegin,
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
  verifyHello,
  verifyLabel,
  verifyOwnerReply,
  type Results,
} from '../../protocol/index.js';
import { decodeModelPackage } from '../../protocol/messages/model-package.js';
import { signPackage, wrapFor, type ReadPackage } from '../publisher/index.js';
import type { InputShape } from '../../protocol/messages/input-shape.js';

const seconds = (): number => Math.floor(Date.now() / 1000);

/** How long the software TEE may take to start. */
const START_MS = 15_000;

/** What a party of the trial is known by. */
const party = () => ({ signing: SigningKey.generate(), agreement: AgreementKey.generate() });

/**
 * A device of its own for a trial: a software TEE in a folder that goes away with it, claimed, with one sensor, one rules host and
 * one publisher, all with keys that nobody else has. Frames go in sealed, labels are opened, as everywhere.
 */
export class SoftwareDevice {
  readonly #folder: string;
  readonly #tee: TeeClient;
  readonly #owner = SigningKey.generate();
  readonly #sensor = party();
  readonly #rules = party();
  readonly #publisher = party();
  #label: ((frame: Uint8Array) => Promise<Results>) | undefined;
  #streamed = 0;
  #sequence = 0;
  #counter = 0;

  private constructor(folder: string, tee: TeeClient) {
    this.#folder = folder;
    this.#tee = tee;
  }

  /** @throws SmartZoneError TEE_UNREACHABLE where the software TEE is not built or does not start */
  static async start(): Promise<SoftwareDevice> {
    const addon = join(packageRoot(), 'build', 'smart_zone_tee.node');
    if (!existsSync(addon))
      throw new SmartZoneError(
        'TEE_UNREACHABLE',
        'the software TEE is not built: run npm run build in the repository',
      );
    // Sockets have short names.
    const folder = mkdtempSync(join(tmpdir(), 'sz-verify-'));
    const said: string[] = [];
    const log = new Log({ write: (line) => void said.push(line) });
    const storageDir = join(folder, 'tee');
    mkdirSync(storageDir, { mode: 0o700 });
    const tee = TeeClient.create({ ...loadConfig().tee, library: 'soft', storageDir }, log);
    const device = new SoftwareDevice(folder, tee);
    try {
      await new Promise<void>((resolve, reject) => {
        const late = (): void =>
          reject(new SmartZoneError('TEE_UNREACHABLE', said.at(-1)?.trim() ?? 'no answer'));
        const timer = setTimeout(late, START_MS);
        tee.once('open', () => (clearTimeout(timer), resolve()));
        tee.start();
      });
      await device.#claim();
      return device;
    } catch (error) {
      await device.stop();
      throw error;
    }
  }

  /** Bytes of weights that each frame streams. */
  get streamed(): number {
    return this.#streamed;
  }

  /**
   * Loads a package, whose self-test the TA runs. The content is the package's, segment for segment; the manifest is signed anew,
   * as the trial's publisher is the only one that this device trusts.
   * @throws what the TA says against it
   */
  async load({ manifest, segments }: ReadPackage, contentKey: Uint8Array, input: InputShape): Promise<void> {
    const hello = verifyHello(await this.#tee.hello());
    const signed = signPackage({ ...manifest, segments }, this.#publisher.signing, ++this.#sequence);
    const offer = wrapFor(
      { kid: hello.device, agreementKey: hello.agreementKey },
      signed,
      contentKey,
      this.#publisher.signing,
    );
    const file = join(this.#folder, 'package');
    writeFileSync(file, signed.bytes);
    const content = decodeModelPackage(signed.bytes);
    const places = content.segments.map((segment) => ({
      at: segment.byteOffset - signed.bytes.byteOffset,
      length: segment.length,
    }));
    await this.#tee.useModel(file, places, false);
    let wanted = await this.#tee.modelBegin(encodeModelBegin(signed.envelope, offer));
    while (wanted !== undefined) {
      const taken = await this.#tee.modelSegment(wanted);
      wanted = taken.wanted;
      this.#streamed = taken.streamed;
    }
    this.#label = await this.#channel(input);
  }

  /** Milliseconds that never repeat: offers are counted by them. */
  #now(): number {
    return (this.#counter = Math.max(this.#counter + 1, Date.now()));
  }

  /** One frame sealed, its label opened. */
  async label(frame: Uint8Array): Promise<Results> {
    if (this.#label === undefined) throw new SmartZoneError('MODEL_UNKNOWN', 'no package is loaded');
    return this.#label(frame);
  }

  async stop(): Promise<void> {
    await this.#tee.stop();
    // The software TEE ends when its folder is gone.
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #claim(): Promise<void> {
    const hello = verifyHello(await this.#tee.hello());
    const statement = signOwnerStatement(
      {
        device: hello.device,
        nonce: hello.claimNonce ?? hello.bootNonce,
        time: seconds(),
        counter: 1,
        action: { type: 'claim', owners: [this.#owner.publicKey] },
      },
      this.#owner,
    );
    verifyOwnerReply((await this.#tee.owner(statement)).reply);
    const member = (role: 'sensor' | 'rules' | 'publisher', keys: ReturnType<typeof party>) => ({
      signingKey: keys.signing.publicKey,
      agreementKey: keys.agreement.publicKey,
      role,
      name: role,
    });
    // Claimed, it has new keys.
    const { signingKey, agreementKey } = verifyHello(await this.#tee.hello());
    const roster = {
      version: 1,
      issued: seconds(),
      members: [
        member('sensor', this.#sensor),
        member('rules', this.#rules),
        member('publisher', this.#publisher),
      ],
      devices: [{ signingKey, agreementKey, securityLevel: 0 as const, name: 'trial' }],
      zones: [],
    };
    await this.#tee.roster(signRoster(roster, this.#owner));
  }

  /** Opens a channel of the sensor and one of the rules host. */
  async #channel(input: InputShape): Promise<(frame: Uint8Array) => Promise<Results>> {
    const hello = verifyHello(await this.#tee.hello());
    const { device, rosterVersion, modelSequence } = hello;
    const channel = asChannelId(randomBytes(8));
    const secret = new Uint8Array(randomBytes(32));
    const sensor = this.#sensor.signing;
    const offer = sealOffer(
      {
        channel,
        secret,
        inputShape: input,
        counter: this.#now(),
        rosterVersion,
        modelSequence,
        time: seconds(),
      },
      sensor,
      [{ id: device, freshness: hello.bootNonce, publicKey: hello.prekey }],
    );
    await this.#tee.offer(offer);
    const writer = new RecordWriter(secret, { purpose: 'frame', device, sender: sensor.kid }, channel);

    const prekey = AgreementKey.generate();
    const freshNonce = new Uint8Array(randomBytes(16));
    const request = {
      device,
      freshNonce,
      prekey: prekey.publicKey,
      time: this.#now(),
      rosterVersion,
      modelSequence,
    };
    const answer = await this.#tee.rulesHello(signRulesHello(request, this.#rules.signing));
    const known = { id: this.#rules.signing.kid, freshness: freshNonce };
    const labels = openLabelOffer(answer.offer, hello.signingKey, known, prekey);
    const context = { purpose: 'label', device, sender: sensor.kid } as const;
    return async (data) => {
      const frame = encodeFrame({ ...input, id: new Uint8Array(randomBytes(8)), time: Date.now(), data });
      const { record } = await this.#tee.frame(writer.seal(frame));
      const sealed = parseRecord(record);
      const plaintext = openRecord(sealed, recordKey(labels.secret, context, labels.epoch), context);
      return verifyLabel(plaintext, hello.signingKey).results;
    };
  }
}
