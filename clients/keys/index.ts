export { writeFileAtomic } from './atomic-file.js';
export { needsPassphrase, parseKeyFile, readKeyFile, writeKeyFile, type KeyFileOptions } from './key-file.js';
export { fingerprint } from '../../protocol/kid.js';
export {
  generateKeys,
  isRole,
  parsePublicLine,
  publicLine,
  publicOf,
  ROLES,
  type PartyKeys,
  type PartyPublic,
  type PartyRole,
} from './party.js';
export { Witness, type SeenDevice } from './witness.js';
