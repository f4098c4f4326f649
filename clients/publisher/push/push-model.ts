import { isCodeName, SmartZoneError } from '../../../protocol/errors.js';
import { ModelPush, type PushedPackage, type PushOptions } from './model-push.js';
import type { TargetReport } from './push-target.js';

export interface PushModelOptions extends Pick<
  PushOptions,
  'link' | 'key' | 'owner' | 'witness' | 'timeoutMs'
> {
  /** The model, or the same model packed for several targets: the device gets the one that it runs. */
  readonly packages: readonly PushedPackage[];
  /** What the device's topics start with. */
  readonly prefix: string;
  /**
   * @param fraction 0..1: segments that the device has of those that it needs; 1 once it runs the model
   * @param report how the push stands
   */
  readonly progress?: (fraction: number, report: TargetReport) => void;
  /** Gives up: nothing more is sent. What the device has it keeps, for the next time. */
  readonly signal?: AbortSignal;
}

/**
 * Brings a model to one device; resolves once the device says, signed, that it is its committed model (at once where it was).
 * @throws SmartZoneError with the device's reason: MODEL_SEQUENCE, MODEL_DISK, MODEL_TRIAL, …; TIMED_OUT; ABORT_ERR of the signal
 */
export const pushModel = async (options: PushModelOptions): Promise<TargetReport> => {
  const { prefix, progress, signal, ...rest } = options;
  signal?.throwIfAborted();
  const push = ModelPush.create({ ...rest, prefixes: [prefix] });
  push.on('progress', ([report]) => report && progress?.(fractionOf(report), report));
  const stop = (): void => push.stop();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    const { targets } = await push.run();
    const [report] = targets;
    if (report?.state === 'committed') return report;
    signal?.throwIfAborted();
    const { code = 'TIMED_OUT', state = 'held', reason } = report ?? {};
    throw new SmartZoneError(isCodeName(code) ? code : 'TIMED_OUT', reason ?? `${prefix}: ${state}`);
  } finally {
    signal?.removeEventListener('abort', stop);
  }
};

/** Installing takes as long as the last segment: a bar that is full says that the device runs the model. */
const fractionOf = ({ state, have = 0, total = 0 }: TargetReport): number =>
  state === 'committed' ? 1 : total === 0 ? 0 : have / (total + 1);
