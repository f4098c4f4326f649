import type { BrokerConfig } from '../config.js';
import type { MqttVersion } from './connect-options.js';

/** 1: 3.1.1's "unacceptable protocol version"; 129, 130, 132: 5's malformed, protocol error, unsupported version. */
const MAY_BE_VERSION: ReadonlySet<number> = new Set([1, 129, 130, 132]);

/** Which MQTT is spoken. Unless configured, 5 and 3.1.1 are tried in turn until a broker accepts one; that one stays. */
export class VersionChoice {
  #version: MqttVersion;
  #agreed: boolean;

  constructor(protocol: BrokerConfig['protocol']) {
    this.#version = protocol === '3.1.1' ? 4 : 5;
    this.#agreed = protocol !== 'auto';
  }

  /** To be tried next, or agreed on. */
  get version(): MqttVersion {
    return this.#version;
  }

  /** A broker has accepted it. */
  accepted(): void {
    this.#agreed = true;
  }

  /**
   * A broker that was reached closed the connection.
   * @param code its reason, if it gave one: a broker of 3.1.1 answers 1, 132, or just closes
   * @returns whether it should be asked at once with 3.1.1
   */
  refused(code: number | undefined): boolean {
    if (this.#agreed || (code !== undefined && !MAY_BE_VERSION.has(code))) return false;
    this.#version = this.#version === 5 ? 4 : 5;
    return this.#version === 4;
  }
}
