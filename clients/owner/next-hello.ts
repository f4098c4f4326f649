import { equalBytes } from '../../protocol/bytes.js';
import { verifyHello } from '../../protocol/messages/hello.js';
import { Topics } from '../../protocol/topics.js';
import type { BrokerLink } from '../link/index.js';
import type { DeviceKeys } from './book.js';
import { firstMessage } from './first-message.js';

/** Waits for the hello of a device that speaks with these keys. @throws TIMED_OUT */
export async function nextHello(
  link: BrokerLink,
  prefix: string,
  keys: DeviceKeys,
  timeout: number,
): Promise<void> {
  const accept = (payload: Uint8Array): boolean => {
    try {
      const { signingKey, agreementKey } = verifyHello(payload);
      return equalBytes(signingKey, keys.signing) && equalBytes(agreementKey, keys.agreement);
    } catch {
      return false; // the hello of before, or no hello: the one that counts may still come
    }
  };
  await firstMessage(link, new Topics(prefix).hello, accept, timeout);
}
