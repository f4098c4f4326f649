/** The owner: claims devices and says who takes part. */
export { Owner, type OwnerOptions } from './owner.js';
export type { ClaimCandidate, ClaimOptions } from './claim.js';
export type { LostOwner, RecoverOptions } from './recover.js';
export { OwnerBook, type BookContent, type BookDevice, type BookMember, type PendingClaim } from './book.js';
export { acceptInvitation, invite, type AcceptOptions, type Invited, type InviteOptions } from './invite.js';
export {
  invitationLine,
  newInvitation,
  parseInvitationLine,
  type Invitation,
} from '../../protocol/messages/invitation.js';
export type { BookZone } from './zones.js';
export { appraise, uuidText, type Appraisal, type Appraised } from './appraise.js';
export { DEBUG_WORDS, parsePolicy, readPolicy, type Expectation, type Policy } from './policy.js';
export { deviceStates, type DeviceState } from './device-states.js';
export { LEVEL_NAMES, levelMeaning, levelName, parseLevel, type LevelName } from './security-level.js';
export type { Evidence, EvidenceItem } from '../../protocol/messages/evidence.js';
export type { Owners } from '../../protocol/messages/owners.js';
export type { SecurityLevel, VerifiedHello } from '../../protocol/messages/hello.js';
export { isSmartZoneError, SmartZoneError } from '../../protocol/errors.js';
export * from '../keys/index.js';
export * from '../link/index.js';
