import { SmartZoneError } from '../../protocol/errors.js';
import type { BrokerLink } from '../link/index.js';

/**
 * The first message on a topic that `accept` takes.
 * @param ask done once the subscription stands: what is answered cannot be missed then
 * @throws TIMED_OUT
 */
export async function firstMessage(
  link: BrokerLink,
  topic: string,
  accept: (payload: Uint8Array) => boolean,
  timeout: number,
  ask: () => Promise<void> = () => Promise.resolve(),
): Promise<Uint8Array> {
  let found: (payload: Uint8Array) => void = () => undefined;
  const message = new Promise<Uint8Array>((resolve) => (found = resolve));
  const unsubscribe = await link.subscribe(topic, ({ payload }) => {
    if (accept(payload)) found(payload);
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new SmartZoneError('TIMED_OUT', `nothing on ${topic}`)), timeout);
  });
  try {
    return await Promise.race([Promise.all([message, ask()]).then(([payload]) => payload), late]);
  } finally {
    clearTimeout(timer);
    await unsubscribe();
  }
}
