import { equalBytes } from '../../protocol/bytes.js';
import { isSmartZoneError, SmartZoneError } from '../../protocol/errors.js';
import { signingKid } from '../../protocol/kid.js';
import type { SigningKey } from '../../protocol/keys.js';
import type { Evidence } from '../../protocol/messages/evidence.js';
import type { SecurityLevel, VerifiedHello } from '../../protocol/messages/hello.js';
import { signOwnerStatement } from '../../protocol/messages/owner.js';
import type { Randomness } from '../../protocol/randomness.js';
import { fingerprint } from '../keys/index.js';
import type { BrokerLink } from '../link/index.js';
import type { BookDevice, OwnerBook, PendingClaim } from './book.js';
import { askDevice, askEvidence, DEFAULT_TIMEOUT, readHello } from './conversation.js';
import { levelName } from './security-level.js';

export interface ClaimOptions {
  readonly link: BrokerLink;
  /** What the device's topics start with. */
  readonly prefix: string;
  /** How people know the device; in the roster. */
  readonly name: string;
  /** The least security level that is acceptable, chosen on purpose: the roster asks clients for the same. */
  readonly accept: SecurityLevel;
  /**
   * Asked with what the device says of itself before anything is sent: people compare the fingerprint with the one on the device's
   * own screen or log. False gives up.
   */
  readonly confirm?: (device: ClaimCandidate) => boolean | Promise<boolean>;
  /** Milliseconds to wait for each of hello, evidence and reply. Default 15 000. */
  readonly timeout?: number;
}

/** An unclaimed device, as it describes itself: nothing vouches for it. */
export interface ClaimCandidate {
  readonly fingerprint: string;
  readonly hello: VerifiedHello;
  /** Over a nonce of ours, signed by the hello's key. */
  readonly evidence: Evidence;
  /** The lower of what hello and evidence say. */
  readonly securityLevel: SecurityLevel;
}

interface ClaimWork {
  readonly book: OwnerBook;
  readonly signer: SigningKey;
  readonly random: Randomness;
  /** Unix time in seconds. */
  readonly seconds: number;
}

/**
 * Makes an unclaimed device ours, by a statement that lies in the book before it is sent: where the answer was lost, claiming again
 * asks for it again.
 * @returns the device, not in the book yet
 * @throws ALREADY_CLAIMED, LEVEL_TOO_LOW, UNTRUSTED_DEVICE (not confirmed, or the key is no new one), TIMED_OUT, or the code that
 *   the device answered with
 */
export async function claimDevice(work: ClaimWork, options: ClaimOptions): Promise<BookDevice> {
  const { link, prefix, name, accept, confirm, timeout = DEFAULT_TIMEOUT } = options;
  const { book, signer, random, seconds } = work;
  const hello = await readHello(link, prefix, timeout);
  const { claimNonce } = hello;
  if (claimNonce === undefined) return finishClaim(book, link, prefix, timeout);
  const evidence = await askEvidence(link, prefix, hello.signingKey, random, timeout);
  const securityLevel = Math.min(hello.securityLevel, evidence.securityLevel) as SecurityLevel;
  if (securityLevel < accept)
    throw new SmartZoneError(
      'LEVEL_TOO_LOW',
      `it is ${levelName(securityLevel)}, and ${levelName(accept)} or more was asked for`,
    );
  const candidate = { fingerprint: fingerprint(hello.device), hello, evidence, securityLevel };
  if (confirm !== undefined && !(await confirm(candidate)))
    throw new SmartZoneError('UNTRUSTED_DEVICE', `${candidate.fingerprint} was not confirmed`);
  const { keys: owners, generation } = book.content.owners;
  const statement = signOwnerStatement(
    {
      device: hello.device,
      counter: FIRST_COUNTER,
      nonce: claimNonce,
      time: seconds,
      action: { type: 'claim', owners, generation },
    },
    signer,
  );
  const claim: PendingClaim = { prefix, name, level: accept, device: hello.device, statement };
  book.update({ claim });
  return finishClaim(book, link, prefix, timeout);
}

const FIRST_COUNTER = 1;

async function finishClaim(
  book: OwnerBook,
  link: BrokerLink,
  prefix: string,
  timeout: number,
): Promise<BookDevice> {
  const { claim } = book.content;
  if (claim?.prefix !== prefix) throw new SmartZoneError('ALREADY_CLAIMED', prefix);
  let reply;
  try {
    reply = await askDevice(link, prefix, claim.statement, timeout);
  } catch (error) {
    // A refusal is final; without an answer it may have taken effect.
    if (isSmartZoneError(error) && error.code !== 'TIMED_OUT') book.update({ claim: undefined });
    throw error;
  }
  const kid = signingKid(reply.signingKey);
  if (equalBytes(kid, claim.device))
    throw new SmartZoneError('UNTRUSTED_DEVICE', 'the device kept its old key, which a snapshot may hold');
  return {
    name: claim.name,
    prefix,
    signing: reply.signingKey,
    kid,
    agreement: reply.agreementKey,
    level: claim.level,
    counter: FIRST_COUNTER,
  };
}
