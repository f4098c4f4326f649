/**
 * Acknowledgements that may be decided in any order and leave in the order of arrival, as MQTT demands of PUBACK
 * (MQTT 5, section 4.6 [MQTT-4.6.0-2]). One instance per network connection: packet identifiers mean nothing on the next.
 */
export class OrderedAcks {
  readonly #slots: { decided: boolean; readonly send: () => void }[] = [];

  /** Registers a received message. The returned function releases its acknowledgement; more calls do nothing. */
  receive(send: () => void): () => void {
    const slot = { decided: false, send };
    this.#slots.push(slot);
    return () => {
      slot.decided = true;
      while (this.#slots[0]?.decided) this.#slots.shift()?.send();
    };
  }

  /** Received and not yet acknowledged to the broker. */
  get outstanding(): number {
    return this.#slots.length;
  }
}
