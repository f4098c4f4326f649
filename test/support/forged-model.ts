/** Models that are not what their publisher's tools would make, by somebody who has the content key and, for some, the signing key. */
import { sealModelEnvelope, type ModelManifest } from '../../protocol/messages/model-manifest.js';
import { encodeModelPackage } from '../../protocol/messages/model-package.js';
import {
  decodeContainerHeader,
  decodeGoldenTest,
  encodeContainerHeader,
  encodeGoldenTest,
  openSegment,
  sealSegment,
  segmentEntry,
  type ContainerHeader,
  type GoldenTest,
} from '../../protocol/messages/model-container.js';
import type { SigningKey } from '../../protocol/keys.js';
import type { SealedModel, SignedPackage } from '../../clients/publisher/index.js';

export type Sealed = Pick<SealedModel, 'segments' | 'contentKey' | 'memory' | 'target' | 'leastTaVersion'>;

/** Signs a model with a manifest that says what one likes. */
export const signAs = (
  model: Sealed,
  key: SigningKey,
  sequence: number,
  change: Partial<ModelManifest> = {},
): SignedPackage => {
  const header = model.segments[0] ?? new Uint8Array(0);
  const { memory, target, leastTaVersion } = model;
  const { size: headerSize, digest: headerDigest } = segmentEntry(header);
  const manifest = { sequence, headerDigest, headerSize, leastTaVersion, memory, target, ...change };
  const sealed = sealModelEnvelope(manifest, key);
  return { ...sealed, bytes: encodeModelPackage({ envelope: sealed.envelope, segments: model.segments }) };
};

const replaced = (model: Sealed, index: number, segment: Uint8Array): Sealed => ({
  ...model,
  segments: model.segments.map((each, i) => (i === index ? segment : each)),
});

/** Another header, encrypted as the right one would be. */
export const withHeader = (model: Sealed, change: (header: ContainerHeader) => ContainerHeader): Sealed => {
  const header = decodeContainerHeader(
    openSegment(model.contentKey, 0, model.segments[0] ?? new Uint8Array(0)),
  );
  return replaced(model, 0, sealSegment(model.contentKey, 0, encodeContainerHeader(change(header))));
};

/** Another golden test, named by the header. */
export const withGolden = (model: Sealed, change: (golden: GoldenTest) => GoldenTest): Sealed => {
  const last = model.segments.length - 1;
  const golden = decodeGoldenTest(
    openSegment(model.contentKey, last, model.segments[last] ?? new Uint8Array(0)),
  );
  const segment = sealSegment(model.contentKey, last, encodeGoldenTest(change(golden)));
  return withHeader(replaced(model, last, segment), (header) => ({
    ...header,
    golden: segmentEntry(segment),
  }));
};

/** One bit of a ciphertext is another: whoever has no key can do that. */
export const withFlippedBit = (model: Sealed, index: number, at = 40): Sealed => {
  const segment = Uint8Array.from(model.segments[index] ?? []);
  segment[at] = (segment[at] ?? 0) ^ 1;
  return replaced(model, index, segment);
};

/**
 * Another plaintext, correctly encrypted under the content key, which everybody in the fleet has: its tag is right, and only its
 * digest is not the one that the publisher signed.
 */
export const withForgedSegment = (model: Sealed, index: number): Sealed => {
  const plain = openSegment(model.contentKey, index, model.segments[index] ?? new Uint8Array(0));
  plain[plain.length >> 1] = (plain[plain.length >> 1] ?? 0) ^ 0x55;
  const segment = sealSegment(model.contentKey, index, plain);
  openSegment(model.contentKey, index, segment); // it opens: not the tag is wrong
  return replaced(model, index, segment);
};
