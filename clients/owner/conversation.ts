/** What the owner asks a device over the broker, and which of the answers count. */
import { equalBytes } from '../../protocol/bytes.js';
import { SmartZoneError } from '../../protocol/errors.js';
import { verifyEvidence, type Evidence } from '../../protocol/messages/evidence.js';
import { verifyHello, type VerifiedHello } from '../../protocol/messages/hello.js';
import { answers, verifyOwnerReply, type OwnerReply } from '../../protocol/messages/owner.js';
import type { Randomness } from '../../protocol/randomness.js';
import { Topics } from '../../protocol/topics.js';
import type { BrokerLink } from '../link/index.js';
import { firstMessage } from './first-message.js';

/** Milliseconds to wait for a device. */
export const DEFAULT_TIMEOUT = 15_000;
/** Milliseconds between requests for evidence: a device answers few in a second, whoever asks, and passes over the others. */
const EVIDENCE_AGAIN = 500;

/** The hello that lies retained at a prefix, verified with its own key. @throws TIMED_OUT, BAD_SIGNATURE */
export async function readHello(
  link: BrokerLink,
  prefix: string,
  timeout = DEFAULT_TIMEOUT,
): Promise<VerifiedHello> {
  const { hello } = new Topics(prefix);
  return verifyHello(await firstMessage(link, hello, (payload) => payload.length > 0, timeout));
}

/**
 * Sends a statement and waits for the answer that names it; what else comes over the reply topic is passed over.
 * @param key Ed25519 key that must have signed the answer; a claim makes a new one
 * @throws TIMED_OUT, or the code that the device answered with
 */
export async function askDevice(
  link: BrokerLink,
  prefix: string,
  statement: Uint8Array,
  timeout: number,
  key?: Uint8Array,
): Promise<OwnerReply> {
  const topics = new Topics(prefix);
  const reply = await firstAccepted(
    link,
    topics.ownerReply,
    (payload) => {
      const read = verifyOwnerReply(payload);
      return answers(read, statement) && (key === undefined || equalBytes(read.signingKey, key))
        ? read
        : undefined;
    },
    timeout,
    () => link.publish(topics.owner, statement),
  );
  if (reply.status !== 0) throw SmartZoneError.fromNumber(reply.status, 'the device refused');
  return reply;
}

/** Asks for evidence over a fresh nonce, until it is answered. @param key the device's Ed25519 key @throws TIMED_OUT */
export async function askEvidence(
  link: BrokerLink,
  prefix: string,
  key: Uint8Array,
  random: Randomness,
  timeout: number,
): Promise<Evidence> {
  const topics = new Topics(prefix);
  const nonce = random.bytes(32);
  const ask = (): Promise<void> => link.publish(topics.evidenceRequest, nonce);
  const again = setInterval(() => void ask().catch(() => undefined), EVIDENCE_AGAIN);
  try {
    return await firstAccepted(
      link,
      topics.evidenceReply,
      (payload) => verifyEvidence(payload, key, nonce),
      timeout,
      ask,
    );
  } finally {
    clearInterval(again);
  }
}

/** The first message that `read` makes something of. What throws is another's, or a forgery: ours may still come. */
async function firstAccepted<T>(
  link: BrokerLink,
  topic: string,
  read: (payload: Uint8Array) => T | undefined,
  timeout: number,
  ask: () => Promise<void>,
): Promise<T> {
  let found: T | undefined;
  const accept = (payload: Uint8Array): boolean => {
    try {
      found = read(payload);
    } catch {
      return false;
    }
    return found !== undefined;
  };
  await firstMessage(link, topic, accept, timeout, ask);
  if (found === undefined) throw new SmartZoneError('TIMED_OUT', topic);
  return found;
}
