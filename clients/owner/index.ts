/** The owner: claims devices and says who takes part. */
export { Owner, type ClaimCandidate, type ClaimOptions, type OwnerOptions } from './owner.js';
export { OwnerBook, type BookContent, type BookDevice, type BookMember } from './book.js';
export { LEVEL_NAMES, levelMeaning, levelName, parseLevel, type LevelName } from './security-level.js';
export type { Evidence, EvidenceItem } from '../../protocol/messages/evidence.js';
export type { SecurityLevel, VerifiedHello } from '../../protocol/messages/hello.js';
export { isSmartZoneError, SmartZoneError } from '../../protocol/errors.js';
export * from '../keys/index.js';
export * from '../link/index.js';
