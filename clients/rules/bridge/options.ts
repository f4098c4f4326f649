import type { BrokerLink } from '../../link/index.js';
import type { Rules } from '../rules.js';

/** Puts a newer model on a device: what stands behind the button of the update entity. */
export interface ModelInstaller {
  /** Sequence number of the package that would be installed; 0 while there is none. `modelsChanged` tells of another one. */
  readonly sequence: number;
  /**
   * Resolves when the device runs it.
   * @param device what its topics start with
   * @param progress 0..1
   * @param signal aborted when the bridge is closed
   */
  install(device: string, progress: (fraction: number) => void, signal: AbortSignal): Promise<unknown>;
}

export interface BridgeOptions {
  /** Where the labels come from; the caller closes it, after the bridge. */
  readonly rules: Rules;
  /**
   * Where they go, readable. Opened with `bridgeWill(base)`, so that the broker says it when the bridge dies, and without a kept
   * session: an install command from yesterday must not be delivered today. The caller closes it, after the bridge.
   */
  readonly to: BrokerLink;
  /** Topics of the bridge start with it. */
  readonly base: string;
  /** Home Assistant's discovery prefix. Default `homeassistant`. */
  readonly discovery?: string;
  /** Classes that become binary sensors. Default: each that is seen, up to 32 per sensor. */
  readonly classes?: readonly string[];
  readonly installer?: ModelInstaller;
  /** Milliseconds to wait for what the broker retains of an earlier run. Default 300. */
  readonly settle?: number;
  /** At most so many milliseconds, at random, between Home Assistant's birth and the answer to it. Default 500. */
  readonly birthDelay?: number;
}

export interface BridgeEvents {
  /** Home Assistant came up; everything is announced again. */
  birth: [];
  /** Entities of this device or sensor were announced or taken away. */
  announced: [{ readonly id: string; readonly entities: number }];
  removed: [{ readonly id: string }];
  /** An install that Home Assistant asked for did not succeed. */
  failed: [Error];
}
