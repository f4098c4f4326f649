import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../agent/package-root.js';
import { generateKeys, publicOf, writeKeyFile, type PartyKeys } from '../clients/keys/index.js';
import { BrokerLink, type LinkOptions } from '../clients/link/index.js';
import { Owner } from '../clients/owner/index.js';
import type { BookDevice } from '../clients/owner/index.js';
import {
  automaticPurpose,
  EngineTool,
  importTflite,
  pack,
  readModelFile,
  signPackage,
  wrapFor,
  type PackOptions,
  type SealedModel,
  type SignedPackage,
} from '../clients/publisher/index.js';
import { RulesClient, type RulesOptions } from '../clients/rules/index.js';
import { SensorClient, type SensorOptions } from '../clients/sensor/index.js';

/** What the demo's network calls a person: long enough to be searched for in everything the broker sees. */
export const PERSON = 'person at the door';

const OBJECT_MODEL = join('node_modules', '@mediapipe', 'objectron', 'objectron_solution_packed_assets.data');

/** MediaPipe's SSD-MobileNetV2 for objects of 23 kinds (Apache-2.0), packed and sealed. */
export const packObjectModel = async (
  options: Partial<PackOptions> = {},
  root = packageRoot(),
): Promise<SealedModel> => {
  const network = importTflite(readModelFile(join(root, OBJECT_MODEL)), OBJECT_MODEL);
  const { labels } = automaticPurpose(network);
  return pack(network, {
    name: 'objects',
    preset: 'object-detection-oidv4',
    labels: labels.map((label) => (label === 'Person' ? PERSON : label)),
    target: EngineTool.find().target(), // the device is this machine
    arena: 0, // in the memory of a Pi 3: the front in row bands, weights streamed
    ...options,
  });
};

/** What the face detector calls a face. */
export const FACE = 'face at the door';

const FACE_MODEL = join('node_modules', '@mediapipe', 'face_detection', 'face_detection_short_range.tflite');

/** MediaPipe's BlazeFace (Apache-2.0), packed and sealed. */
export const packFaceModel = async (
  options: Partial<PackOptions> = {},
  root = packageRoot(),
): Promise<SealedModel> => {
  const network = importTflite(new Uint8Array(await readFile(join(root, FACE_MODEL))), FACE_MODEL);
  return pack(network, {
    name: 'faces',
    preset: 'face-detection-short-range',
    labels: [FACE],
    target: EngineTool.find().target(), // the device is this machine
    ...options,
  });
};

export interface HouseholdOptions {
  /** Where keys, the owner's book and what the parties have seen are kept. */
  readonly folder: string;
  /** What the device's topics start with. */
  readonly prefix: string;
  readonly brokerUrl: string;
  readonly protocol?: 4 | 5;
}

/** Everybody in one home who holds keys: owner, camera, rules host, model publisher. */
export class Household {
  readonly ownerKeys: PartyKeys;
  readonly sensorKeys: PartyKeys;
  readonly rulesKeys: PartyKeys;
  readonly publisherKeys: PartyKeys;
  readonly owner: Owner;
  readonly #links: BrokerLink[] = [];
  #device: BookDevice | undefined;

  private constructor(readonly options: HouseholdOptions) {
    const { folder } = options;
    this.ownerKeys = generateKeys('owner', 'you');
    this.sensorKeys = generateKeys('sensor', 'porch camera');
    this.rulesKeys = generateKeys('rules', 'home server');
    this.publisherKeys = generateKeys('publisher', 'model publisher');
    for (const keys of this.parties) writeKeyFile(join(folder, `${keys.role}.key.json`), keys);
    this.owner = Owner.open({ keys: this.ownerKeys, bookPath: join(folder, 'owner.book.json') });
  }

  /** Makes everybody's keys. */
  static create(options: HouseholdOptions): Household {
    return new Household(options);
  }

  get parties(): readonly PartyKeys[] {
    return [this.ownerKeys, this.sensorKeys, this.rulesKeys, this.publisherKeys];
  }

  /** The claimed device, as the owner's book has it. */
  get device(): BookDevice {
    if (this.#device === undefined) throw new Error('the device is not claimed yet');
    return this.#device;
  }

  /** A connection for one of the parties; closed with the household. */
  async link(clientId: string, options: Partial<LinkOptions> = {}): Promise<BrokerLink> {
    const { brokerUrl: url, protocol } = this.options;
    const link = await BrokerLink.connect({
      url,
      clientId,
      backoff: { base: 50, cap: 500 },
      ...(protocol && { protocol }),
      ...options,
    });
    this.#links.push(link);
    return link;
  }

  /** Claims the device, which says of itself that it is the software TEE, and enrols everybody. */
  async claimAndEnrol(link: BrokerLink): Promise<BookDevice> {
    const { prefix } = this.options;
    this.#device = await this.owner.claim({ link, prefix, name: 'porch', accept: 0 });
    for (const keys of [this.sensorKeys, this.rulesKeys, this.publisherKeys])
      await this.owner.enrol(link, publicOf(keys));
    return this.#device;
  }

  /** Signs a model, seals its key to the device, and puts both where the agent looks for them. */
  install(model: SealedModel, sequence: number, modelFolder: string): Promise<SignedPackage> {
    return this.installOn(this.device, model, sequence, modelFolder);
  }

  /** On one of several devices. */
  async installOn(
    { kid, agreement }: BookDevice,
    model: SealedModel,
    sequence: number,
    modelFolder: string,
  ): Promise<SignedPackage> {
    const signing = this.publisherKeys.signing;
    const signed = signPackage(model, signing, sequence);
    const offer = wrapFor({ kid, agreementKey: agreement }, signed, model.contentKey, signing);
    await mkdir(modelFolder, { recursive: true });
    for (const [name, bytes] of [
      ['offer', offer],
      ['package.new', signed.bytes],
    ] as const) {
      const temporary = join(modelFolder, `.${name}`);
      await writeFile(temporary, bytes);
      await rename(temporary, join(modelFolder, name));
    }
    return signed;
  }

  async sensor(options: Partial<SensorOptions> = {}): Promise<SensorClient> {
    return SensorClient.open({
      link: options.link ?? (await this.link('porch-camera')),
      keys: this.sensorKeys,
      owner: publicOf(this.ownerKeys),
      prefix: this.options.prefix,
      fit: 'crop',
      ...options,
    });
  }

  async rules(options: Partial<RulesOptions> = {}): Promise<RulesClient> {
    return RulesClient.open({
      link: options.link ?? (await this.link('home-server')),
      keys: this.rulesKeys,
      owner: publicOf(this.ownerKeys),
      prefix: this.options.prefix,
      ...options,
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#links.map((link) => link.close(500)));
  }
}
