import { equalBytes } from '../../protocol/bytes.js';
import { isSmartZoneError, SmartZoneError } from '../../protocol/errors.js';
import { signingKid } from '../../protocol/kid.js';
import {
  invitationTopics,
  inviteRequestDigest,
  openInviteReply,
  openInviteRequest,
  sealInviteReply,
  sealInviteRequest,
  type Invitation,
  type InviteReply,
  type InviteRequest,
} from '../../protocol/messages/invitation.js';
import type { PartyKeys, PartyPublic } from '../keys/index.js';
import type { BrokerLink } from '../link/index.js';
import { firstMessage } from './first-message.js';
import type { Owner } from './owner.js';

export interface InviteOptions {
  readonly link: BrokerLink;
  readonly invitation: Invitation;
  /** Until when the party takes part, as Unix time in seconds; default for ever. */
  readonly notAfter?: number;
  /** Called once an answer cannot be missed any more: now the line may be handed over. */
  readonly ready?: () => void;
}

export interface Invited {
  readonly party: PartyPublic;
  /** The roster that lists it. */
  readonly rosterVersion: number;
}

/**
 * Waits for the party that an invitation was given to, and enrols it. Nothing is kept of the invitation: it is worth nothing once this
 * has ended, one way or the other. Messages without its secret are passed over, so all that the broker can do is to deny.
 * @throws INVITATION_INVALID where it ends unused, NAME_TAKEN
 */
export async function invite(
  owner: Owner,
  { link, invitation, notAfter, ready }: InviteOptions,
): Promise<Invited> {
  const { secret, end, role, name } = invitation;
  const topics = invitationTopics(invitation);
  let request: InviteRequest | undefined;
  const message = await untilEnd(end, (timeout) =>
    firstMessage(
      link,
      topics.request,
      (payload) => {
        request = readable(() => openInviteRequest(payload, secret));
        return request !== undefined;
      },
      timeout,
      () => Promise.resolve(ready?.()),
    ),
  );
  if (request === undefined) throw new SmartZoneError('INVITATION_INVALID', 'nobody has used it');
  const { signingKey, agreementKey } = request;
  const party = { role, name, kid: signingKid(signingKey), signing: signingKey, agreement: agreementKey };
  const reply = async (status: number, rosterVersion: number): Promise<void> => {
    const body = { request: inviteRequestDigest(message), status, rosterVersion };
    // Retained for a while: the party may have lost its connection in between.
    await link.publish(topics.reply, sealInviteReply(body, secret), { retain: true, expiry: 3600 });
  };
  try {
    const rosterVersion = await owner.enrol(link, party, notAfter === undefined ? {} : { notAfter });
    await reply(0, rosterVersion);
    return { party, rosterVersion };
  } catch (error) {
    if (isSmartZoneError(error)) await reply(error.number, 0);
    throw error;
  }
}

export interface AcceptOptions {
  /** To the invitation's broker. */
  readonly link: BrokerLink;
  readonly invitation: Invitation;
  /** The party's keys, of the invitation's role. Their name does not count: the invitation's is in the roster. */
  readonly keys: PartyKeys;
}

/**
 * Takes part by an invitation: sends the public keys, and waits until the owner has enrolled them.
 * @returns the version of the roster that lists the party
 * @throws INVITATION_INVALID where it has ended or is used, WRONG_ROLE, or what the owner's tool refused it with
 */
export async function acceptInvitation({ link, invitation, keys }: AcceptOptions): Promise<number> {
  const { secret, end, role } = invitation;
  if (keys.role !== role || keys.agreement === undefined)
    throw new SmartZoneError('WRONG_ROLE', `keys of a ${keys.role}, for a ${role}`);
  const topics = invitationTopics(invitation);
  const agreementKey = keys.agreement.publicKey;
  const request = sealInviteRequest({ signingKey: keys.signing.publicKey, agreementKey }, secret);
  const digest = inviteRequestDigest(request);
  let reply: InviteReply | undefined;
  await untilEnd(end, (timeout) =>
    firstMessage(
      link,
      topics.reply,
      (payload) => {
        reply = readable(() => openInviteReply(payload, secret));
        return reply !== undefined;
      },
      timeout,
      () => link.publish(topics.request, request),
    ),
  );
  if (reply === undefined || !equalBytes(reply.request, digest))
    throw new SmartZoneError('INVITATION_INVALID', 'somebody else has used it: tell the owner');
  if (reply.status !== 0) throw SmartZoneError.fromNumber(reply.status, 'the owner did not enrol it');
  await link.publish(topics.reply, new Uint8Array(0), { retain: true });
  return reply.rosterVersion;
}

/** What can be read, or undefined: others write to these topics as well. */
function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!isSmartZoneError(error)) throw error;
    return undefined;
  }
}

async function untilEnd<T>(end: number, wait: (timeout: number) => Promise<T>): Promise<T> {
  const left = end * 1000 - Date.now();
  if (left <= 0) throw new SmartZoneError('INVITATION_INVALID', 'it has ended');
  try {
    return await wait(Math.min(left, LONGEST_TIMER));
  } catch (error) {
    if (isSmartZoneError(error) && error.code === 'TIMED_OUT')
      throw new SmartZoneError('INVITATION_INVALID', 'it has ended without an answer', { cause: error });
    throw error;
  }
}

/** Milliseconds that setTimeout takes. */
const LONGEST_TIMER = 2 ** 31 - 1;
