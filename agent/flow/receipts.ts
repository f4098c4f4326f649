import type { BrokerLink } from '../broker/link.js';
import type { Config } from '../config.js';
import { parseRecord } from '../../protocol/messages/record.js';
import type { LabelWindow } from '../intake/label-window.js';
import type { Log } from '../log.js';
import type { TeeClient } from '../tee/client.js';

interface Due {
  readonly channel: Uint8Array;
  readonly topic: string;
  frames: number;
}

/**
 * Receipts tell a sensor which frames it need not keep any more. One goes out after some frames or some time, and only when
 * the labels of all those frames are with the broker.
 */
export class Receipts {
  readonly #due = new Map<string, Due>();
  #timer: NodeJS.Timeout | undefined;
  #issuing: Promise<void> = Promise.resolve();

  constructor(
    private readonly tee: TeeClient,
    private readonly link: BrokerLink,
    private readonly labels: LabelWindow,
    private readonly config: () => Config,
    private readonly log: Log,
  ) {}

  /** A frame has its label, and the broker has that. @param topic of its sensor's receipts */
  labelled(record: Uint8Array, topic: string): void {
    // The TA took it: it is a record.
    const { channel } = parseRecord(record);
    const key = Buffer.from(channel).toString('hex');
    const due = this.#due.get(key) ?? { channel: Uint8Array.from(channel), topic, frames: 0 };
    due.frames += 1;
    this.#due.set(key, due);
    const { frames, intervalMs } = this.config().receipts;
    if (due.frames >= frames) void this.flush();
    else this.#timer ??= setTimeout(() => void this.flush(), intervalMs);
  }

  /** Sends all receipts that are due. Does not reject. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const due = [...this.#due.values()];
    this.#due.clear();
    this.#issuing = this.#issuing.then(async () => {
      for (const { channel, topic } of due) await this.#issue(channel, topic);
    });
    return this.#issuing;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  async #issue(channel: Uint8Array, topic: string): Promise<void> {
    try {
      const receipt = await this.tee.receipt(channel);
      // It may name frames that were accepted just now: their labels first.
      await this.labels.settled();
      this.link.retain(topic, Buffer.from(receipt));
    } catch (error) {
      // The channel went with an earlier life of the TA; the sensor makes another one.
      this.log.debug('no receipt', { topic, reason: (error as Error).message });
    }
  }
}
