import { publicOf, Witness } from '../../clients/keys/index.js';
import { ModelPush, signPackage, type SealedModel } from '../../clients/publisher/index.js';
import { SealedSystem } from './sealed-system.js';

/** Bytes of a package's segments. */
export const packageSizeOf = ({ segments }: SealedModel): number =>
  segments.reduce((sum, { length }) => sum + length, 0);

/** The whole path, and a publisher beside it. */
export class PushingSystem {
  #sequence = 1;

  private constructor(
    private readonly system: SealedSystem,
    private readonly model: SealedModel,
  ) {}

  static async start(model: SealedModel): Promise<PushingSystem> {
    return new PushingSystem(await SealedSystem.start(model), model);
  }

  async label(): Promise<void> {
    await this.system.label();
  }

  /** Milliseconds of so many frames, one after the other. */
  async latencies(count: number): Promise<number[]> {
    const taken: number[] = [];
    for (let i = 0; i < count; i += 1) taken.push(await this.#one());
    return taken;
  }

  /** The same for as long as a push takes: from its offer until the device has committed the model. */
  async latenciesWhilePushing(): Promise<{ readonly latencies: number[]; readonly took: number }> {
    const { home } = this.system;
    const owner = publicOf(home.ownerKeys);
    const signing = home.publisherKeys.signing;
    const { bytes } = signPackage(this.model, signing, (this.#sequence += 1));
    const push = ModelPush.create({
      link: await home.link(`publisher-${this.#sequence}`),
      key: signing,
      owner: owner.signing,
      witness: Witness.open(undefined, owner.kid),
      packages: [{ bytes, contentKey: this.model.contentKey }],
      prefixes: [this.system.prefix],
    });
    let over = false;
    const result = push.run().finally(() => (over = true));
    const latencies: number[] = [];
    while (!over) latencies.push(await this.#one());
    const { targets, seconds } = await result;
    if (targets[0]?.state !== 'committed')
      throw new Error(`the push did not succeed: ${JSON.stringify(targets)}`);
    return { latencies, took: seconds };
  }

  async stop(): Promise<void> {
    await this.system.stop();
  }

  async #one(): Promise<number> {
    const began = performance.now();
    await this.system.label();
    return performance.now() - began;
  }
}
