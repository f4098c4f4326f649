import { fingerprint } from '../../protocol/kid.js';
import { verifyHello } from '../../protocol/messages/hello.js';
import type { BrokerLink } from '../broker/link.js';
import type { Log } from '../log.js';
import type { TeeClient } from '../tee/client.js';

/** The TA's signed hello, retained: published again whenever it says something new. */
export class Hello {
  #last: Buffer | undefined;
  #shown = '';

  constructor(
    private readonly tee: TeeClient,
    private readonly link: BrokerLink,
    private readonly topic: string,
    private readonly log: Log,
  ) {}

  async refresh(): Promise<void> {
    const hello = Buffer.from(await this.tee.hello());
    if (this.#last?.equals(hello)) return;
    this.#last = hello;
    this.link.retain(this.topic, hello);
    this.#show(hello);
  }

  /** Who claims the device compares this with what the broker shows. */
  #show(hello: Buffer): void {
    const { device, claimNonce } = verifyHello(hello);
    const shown = fingerprint(device);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.log.info('this device', { fingerprint: shown, claimed: claimNonce === undefined });
  }
}
