/** MQTT 5, section 3.14.2.1. Few brokers say it: most just close the connection, as before MQTT 5. */
const SESSION_TAKEN_OVER = 0x8e;
/** Closed so soon after connecting, so often in a row, without a word: most likely the same. */
const SHORT_MS = 10_000;
const SUSPICIOUS = 3;
const TAKEN_OVER =
  'most likely another client uses the same identifier: give each agent a device.name (or broker.clientId) of its own';

/** Why a connection ended or was not made. */
export interface Refusal {
  readonly reason: string;
  /** MQTT's reason or return code. */
  readonly code: number | undefined;
}

/** What a DISCONNECT says that the log could not say better; undefined: nothing. */
export const takeover = (reasonCode: number | undefined): Refusal | undefined =>
  reasonCode === SESSION_TAKEN_OVER ? { reason: TAKEN_OVER, code: reasonCode } : undefined;

/** Recognises another client with our identifier by connections that end soon, one after the other. */
export class TakeoverWatch {
  #since = 0;
  #short = 0;

  online(): void {
    this.#since = performance.now();
  }

  /** The connection was closed, and nobody said why. @returns what to tell */
  closed(wasOnline: boolean): string {
    const short = wasOnline && performance.now() - this.#since < SHORT_MS;
    this.#short = short ? this.#short + 1 : 0;
    return this.#short < SUSPICIOUS ? 'connection closed' : `closed ${this.#short} times: ${TAKEN_OVER}`;
  }
}
