import type { BrokerLink } from '../broker/link.js';
import type { TeeClient } from '../tee/client.js';

/** The TA's signed hello, retained: published again whenever it says something new. */
export class Hello {
  #last: Buffer | undefined;

  constructor(
    private readonly tee: TeeClient,
    private readonly link: BrokerLink,
    private readonly topic: string,
  ) {}

  async refresh(): Promise<void> {
    const hello = Buffer.from(await this.tee.hello());
    if (this.#last?.equals(hello)) return;
    this.#last = hello;
    this.link.retain(this.topic, hello);
  }
}
