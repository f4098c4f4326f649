import { publicOf, Witness } from '../../clients/keys/index.js';
import { ModelPush, type PushOptions, type SignedPackage } from '../../clients/publisher/index.js';
import type { World } from './world.js';
import { PREFIX } from './world.js';

let links = 0;

/** A push of the world's publisher to its device, not begun yet. */
export const preparePush = async (
  { home }: Pick<World, 'home'>,
  signed: Pick<SignedPackage, 'bytes'>,
  contentKey: Uint8Array,
  options: Partial<PushOptions> = {},
): Promise<ModelPush> => {
  const owner = publicOf(home.ownerKeys);
  return ModelPush.create({
    link: options.link ?? (await home.link(`publisher-${(links += 1)}`)),
    key: home.publisherKeys.signing,
    owner: owner.signing,
    witness: Witness.open(undefined, owner.kid),
    packages: [{ bytes: signed.bytes, contentKey }],
    prefixes: [PREFIX],
    timeoutMs: 20_000,
    ...options,
  });
};
