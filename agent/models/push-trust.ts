import { decodeStrict } from '../../protocol/cbor.js';
import { equalBytes, toHex } from '../../protocol/bytes.js';
import { parseProfiledSign1 } from '../../protocol/cose/sign1.js';
import { SmartZoneError } from '../../protocol/errors.js';
import type { Kid } from '../../protocol/kid.js';
import {
  readModelEnvelope,
  verifyModelAnnouncement,
  verifyModelOffer,
  type ModelAnnouncement,
  type ModelManifest,
} from '../../protocol/messages/model.js';
import { findMember, type Roster } from '../../protocol/messages/roster.js';

/** An announcement of a publisher of the roster, whose parts belong together. */
export interface BelievedAnnouncement extends ModelAnnouncement {
  readonly manifest: ModelManifest;
  /** Manifest digest in hexadecimal. */
  readonly digest: string;
}

/** @throws UNKNOWN_SENDER, WRONG_ROLE */
const publisherKey = (roster: Roster, kid: Kid): Uint8Array => {
  const member = findMember(roster, kid, 'publisher');
  if (member) return member.signingKey;
  throw new SmartZoneError(findMember(roster, kid) ? 'WRONG_ROLE' : 'UNKNOWN_SENDER', 'model publisher');
};

/** The digest of the package that an offer is for. @throws UNKNOWN_SENDER, WRONG_ROLE, BAD_SIGNATURE, MALFORMED */
export const believeOffer = (offer: Uint8Array, roster: Roster): Uint8Array =>
  verifyModelOffer(offer, publisherKey(roster, parseProfiledSign1(offer).kid)).manifestDigest;

/** @throws UNKNOWN_SENDER, WRONG_ROLE, BAD_SIGNATURE, MALFORMED, MODEL_PROFILE, MODEL_DIGEST */
export const believeAnnouncement = (message: Uint8Array, roster: Roster): BelievedAnnouncement => {
  const announcement = verifyModelAnnouncement(message, (kid) => publisherKey(roster, kid));
  const { manifest, digest } = readModelEnvelope(announcement.envelope);
  const [header] = announcement.segments;
  if (header?.[0] !== manifest.headerSize || !equalBytes(header[1], manifest.headerDigest))
    throw new SmartZoneError('MODEL_DIGEST', 'container header');
  return { ...announcement, manifest, digest: toHex(digest) };
};

/** The package that an offer names, in hexadecimal, so that its refusal can name it: not verified. @throws MALFORMED */
export const namedDigest = (offer: Uint8Array): string => {
  const { payload } = parseProfiledSign1(offer);
  const map = payload === null ? null : decodeStrict(payload);
  const digest = map instanceof Map ? (map as ReadonlyMap<unknown, unknown>).get(1) : undefined;
  if (!(digest instanceof Uint8Array)) throw new SmartZoneError('MALFORMED', 'model offer');
  return toHex(digest);
};
