import { SmartZoneError } from '../../protocol/errors.js';
import type { SecurityLevel } from '../../protocol/messages/hello.js';

/** The words for security levels that people type and read. */
export const LEVEL_NAMES = ['software', 'optee-replaceable', 'optee', 'optee-anti-rollback'] as const;
export type LevelName = (typeof LEVEL_NAMES)[number];

const MEANING: Readonly<Record<LevelName, string>> = {
  software: 'software TEE: protects nobody from root on that machine',
  'optee-replaceable':
    'OP-TEE with public keys or without secure memory: whoever has the board can replace the TA or read its keys',
  optee: 'OP-TEE: stored state can be put back by root',
  'optee-anti-rollback': 'OP-TEE with hardware anti-rollback',
};

export function levelName(level: SecurityLevel): LevelName {
  return LEVEL_NAMES[level];
}

/** One line on what a level is worth. */
export function levelMeaning(level: SecurityLevel): string {
  return MEANING[LEVEL_NAMES[level]];
}

/** @throws LEVEL_TOO_LOW on a word that is no level */
export function parseLevel(word: string): SecurityLevel {
  const level = (LEVEL_NAMES as readonly string[]).indexOf(word);
  if (level < 0) throw new SmartZoneError('LEVEL_TOO_LOW', `${word} is not one of ${LEVEL_NAMES.join(', ')}`);
  return level as SecurityLevel;
}
