import { SmartZoneError } from '../../protocol/errors.js';
import type { InputShape } from '../../protocol/messages/input-shape.js';
import {
  checkSegment,
  decodeContainerHeader,
  decodeGoldenTest,
  openSegment,
  type ContainerHeader,
  type GoldenTest,
} from '../../protocol/messages/model-container.js';
import { verifyModelEnvelope, type ModelEnvelope } from '../../protocol/messages/model-manifest.js';
import { decodeModelPackage, type ModelPackage } from '../../protocol/messages/model-package.js';
import { frameShapeOf } from './frame.js';
import { elementCount, type Network } from './network.js';
import { readPlan, type PlanOverTime } from './plan-lives.js';
import { preview, type Preview, type PreviewOptions } from './preview.js';
import { simplify } from './simplify.js';

export type ReadPackage = ModelPackage & ModelEnvelope;

/**
 * Reads a package file: manifest and header segment are checked against each other, and with the publisher's Ed25519 key the
 * signature too. The other segments are checked when they are opened: only the holder of the content key knows their digests.
 */
export const readPackage = (bytes: Uint8Array, publisherKey?: Uint8Array): ReadPackage => {
  const content = decodeModelPackage(bytes);
  if (publisherKey !== undefined) verifyModelEnvelope(content.envelope, publisherKey);
  return content;
};

export interface OpenedPackage {
  readonly header: ContainerHeader;
  /** Plaintext weight segments. */
  readonly weights: readonly Uint8Array[];
  readonly golden: GoldenTest;
}

/** What a device with the content key sees: all segments opened and checked against the header. Throws MODEL_DIGEST. */
export const openPackage = ({ segments }: ModelPackage, contentKey: Uint8Array): OpenedPackage => {
  const [first = new Uint8Array(0), ...rest] = segments;
  const header = decodeContainerHeader(openSegment(contentKey, 0, first));
  const entries = [...header.weights, header.golden];
  if (rest.length !== entries.length)
    throw new SmartZoneError('MODEL_DIGEST', `${rest.length} segments, the header lists ${entries.length}`);
  const plaintexts = entries.map((entry, i) => {
    const ciphertext = rest[i] ?? new Uint8Array(0);
    checkSegment(entry, ciphertext, i + 1);
    return openSegment(contentKey, i + 1, ciphertext);
  });
  const golden = plaintexts.pop() ?? new Uint8Array(0);
  return { header, weights: plaintexts, golden: decodeGoldenTest(golden) };
};

/** Facts about a network before it is packed; sizes in bytes. */
export interface NetworkReport {
  readonly frame: InputShape;
  readonly outputs: readonly {
    readonly name: string;
    readonly dtype: string;
    readonly dims: readonly number[];
  }[];
  /** Operator and type -> how many. */
  readonly operators: Readonly<Record<string, number>>;
  /** Multiply-accumulates of one inference. */
  readonly macs: number;
  readonly weights: number;
  readonly arena: number;
  /** The least arena for this order of operators; `arena` equals it unless placing left gaps. */
  readonly arenaLowerBound: number;
  /** Activations without a plan, each in its own place. */
  readonly unplanned: number;
  /** The plan in time, as the device will see it; drawPlan() draws it. */
  readonly plan: PlanOverTime;
}

/** @throws SmartZoneError MODEL_IMPORT where it cannot be packed in this way */
export const inspect = (source: Network, options: PreviewOptions = {}): NetworkReport =>
  reportOf(simplify(source), options);

/** inspect() of a network that is simplified already. */
export const reportOf = (
  network: Network,
  options: PreviewOptions = {},
  { graph: { bytes, plan } }: Preview = preview(network, options),
): NetworkReport => {
  const operators: Record<string, number> = {};
  for (const { code, output } of network.operations) {
    const key = `${code} ${output.dtype}`;
    operators[key] = (operators[key] ?? 0) + 1;
  }
  return {
    frame: frameShapeOf(network),
    outputs: network.outputs.map(({ name, dtype, dims }) => ({ name, dtype, dims })),
    operators,
    macs: countMacs(network),
    weights: plan.weights,
    arena: plan.arena,
    arenaLowerBound: plan.lowerBound,
    unplanned: plan.unplanned,
    plan: readPlan(bytes),
  };
};

/** Products that convolutions and fully connected layers sum, borders counted as inside. */
const countMacs = (network: Network): number => {
  let total = 0;
  for (const { code, inputs, output } of network.operations) {
    const weights = inputs[1];
    if (!weights || (code !== 'CONV_2D' && code !== 'DEPTHWISE_2D' && code !== 'FULLY_CONNECTED')) continue;
    const channels = output.dims.at(-1) ?? 1;
    total += elementCount(output) * (elementCount(weights) / channels);
  }
  return total;
};
