import { createHash } from 'node:crypto';
import { encodeDeterministic } from '../cbor.js';
import { openMac0, sealMac0 } from '../cose/mac0.js';
import { SmartZoneError } from '../errors.js';
import { hkdf } from '../hkdf.js';
import { systemRandomness, type Randomness } from '../randomness.js';
import {
  bytes,
  decodeWith,
  digest,
  encodeWith,
  enumeration,
  field,
  name,
  publicKey,
  struct,
  text,
  uint,
  type Codec,
} from '../schema.js';
import { PROTOCOL_VERSION, purposeAad } from '../signed.js';
import { InvitationTopics } from '../topics.js';
import { ROLE_NUMBER, type Role } from './roster.js';

const SECRET_LENGTH = 16;
const ID_LENGTH = 8;
const LINE = 'szi1.';

/** One place in the roster, for whoever has this first; and what that party needs to know. */
export interface Invitation {
  readonly secret: Uint8Array;
  /** The owner's Ed25519 key. */
  readonly owner: Uint8Array;
  readonly role: Role;
  readonly name: string;
  /** Unix time in seconds at which it ends. */
  readonly end: number;
  readonly broker: string;
  /** The device's topic prefix. */
  readonly prefix: string;
}

export interface InviteRequest {
  /** Ed25519. */
  readonly signingKey: Uint8Array;
  /** X25519. */
  readonly agreementKey: Uint8Array;
}

export interface InviteReply {
  /** SHA-256 of the request that it answers. */
  readonly request: Uint8Array;
  /** 0, or an error's number. */
  readonly status: number;
  /** 0: none lists the party. */
  readonly rosterVersion: number;
}

const invitationCodec = struct<Invitation>({
  secret: field(1, bytes(SECRET_LENGTH, SECRET_LENGTH)),
  owner: field(2, publicKey),
  role: field(3, enumeration(ROLE_NUMBER)),
  name: field(4, name),
  end: field(5, uint),
  broker: field(6, text(1, 500)),
  prefix: field(7, text(1, 500)),
});
const requestCodec = struct<InviteRequest>({
  signingKey: field(1, publicKey),
  agreementKey: field(2, publicKey),
});
const replyCodec = struct<InviteReply>({
  request: field(1, digest),
  status: field(2, uint),
  rosterVersion: field(3, uint),
});

export function newInvitation(
  invitation: Omit<Invitation, 'secret'>,
  random: Randomness = systemRandomness,
): Invitation {
  return { ...invitation, secret: random.bytes(SECRET_LENGTH) };
}

/** The bytes inside the line. */
export function encodeInvitation(invitation: Invitation): Uint8Array {
  return encodeWith(invitationCodec, invitation);
}

/** One word that survives shells and chat windows. It is as good as the place that it stands for: hand it over in confidence. */
export function invitationLine(invitation: Invitation): string {
  return LINE + Buffer.from(encodeInvitation(invitation)).toString('base64url');
}

/** Reads what `invitationLine` wrote. @throws INVITATION_INVALID */
export function parseInvitationLine(line: string): Invitation {
  const word = line.trim();
  const raw = new Uint8Array(Buffer.from(word.slice(LINE.length), 'base64url'));
  if (!word.startsWith(LINE) || Buffer.from(raw).toString('base64url') !== word.slice(LINE.length))
    throw new SmartZoneError('INVITATION_INVALID', `not one line of the form ${LINE}…`);
  try {
    return decodeWith(invitationCodec, raw, 'invitation');
  } catch (error) {
    throw new SmartZoneError('INVITATION_INVALID', 'the line is not complete', { cause: error });
  }
}

const derive = (secret: Uint8Array, what: string, length: number): Uint8Array =>
  hkdf(new Uint8Array(0), secret, encodeDeterministic([PROTOCOL_VERSION, what]), length);

/** Where owner and party meet: known to those who have the secret, and to the broker. */
export function invitationTopics({ secret }: Pick<Invitation, 'secret'>): InvitationTopics {
  return new InvitationTopics(derive(secret, 'invite-id', ID_LENGTH));
}

type Purpose = 'invite-request' | 'invite-reply';
const seal = <T>(codec: Codec<T>, purpose: Purpose, body: T, secret: Uint8Array): Uint8Array =>
  sealMac0(encodeWith(codec, body), derive(secret, purpose, 32), purposeAad(purpose));
const open = <T>(codec: Codec<T>, purpose: Purpose, message: Uint8Array, secret: Uint8Array): T =>
  decodeWith(codec, openMac0(message, derive(secret, purpose, 32), purposeAad(purpose)), purpose);

export function sealInviteRequest(request: InviteRequest, secret: Uint8Array): Uint8Array {
  return seal(requestCodec, 'invite-request', request, secret);
}

/** @throws BAD_TAG where it was made without the secret, and the form's */
export function openInviteRequest(message: Uint8Array, secret: Uint8Array): InviteRequest {
  return open(requestCodec, 'invite-request', message, secret);
}

export function sealInviteReply(reply: InviteReply, secret: Uint8Array): Uint8Array {
  return seal(replyCodec, 'invite-reply', reply, secret);
}

/** @throws BAD_TAG where it was made without the secret, and the form's */
export function openInviteReply(message: Uint8Array, secret: Uint8Array): InviteReply {
  return open(replyCodec, 'invite-reply', message, secret);
}

/** What a reply names a request by. */
export function inviteRequestDigest(request: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(request).digest());
}
