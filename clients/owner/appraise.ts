import type { Evidence, EvidenceValue } from '../../protocol/messages/evidence.js';
import { isOlderRoster, type RosterOrder } from '../../protocol/messages/roster.js';
import { DEBUG_WORDS, type Expectation, type Policy } from './policy.js';
import { levelName } from './security-level.js';

/** One thing that a policy asks for, and what the device says of it. */
export interface Appraised {
  readonly item: string;
  readonly expected: string;
  readonly got: string;
  /** False: the TA only asserts it, and so would one that lies. */
  readonly measured: boolean;
  readonly passed: boolean;
}

export interface Appraisal {
  readonly passed: boolean;
  /** In the order: what every evidence has, then the policy's items. */
  readonly checks: readonly Appraised[];
}

/**
 * Compares evidence, verified before (`verifyEvidence`, `Owner.evidence`), with the reference values of a policy.
 * @param newest the roster that a policy means by "newest"; one of earlier owner keys is older whatever its version
 */
export function appraise(evidence: Evidence, policy: Policy, newest: RosterOrder): Appraisal {
  const checks: Appraised[] = [];
  const check = (item: string, expected: string, got: string, passed: boolean, measured = false): void => {
    checks.push({ item, expected, got, measured, passed });
  };
  const { level, uuid, version, debug, roster, model } = policy;
  if (level !== undefined) {
    const got = evidence.securityLevel;
    check('level', `${levelName(level)} or more`, levelName(got), got >= level);
  }
  if (uuid !== undefined) {
    const got = uuidText(evidence.taUuid);
    check('uuid', uuid.join(' or '), got, uuid.includes(got));
  }
  if (version !== undefined) {
    const got = evidence.softwareVersion.join(' ');
    check('version', version.join(' or '), got, version.includes(got));
  }
  if (debug !== undefined)
    check(
      'debug',
      `${DEBUG_WORDS[debug] ?? debug} or more`,
      DEBUG_WORDS[evidence.debug],
      evidence.debug >= debug,
    );
  if (roster !== undefined) {
    const least = { ...newest, ...(roster !== 'newest' && { version: roster }) };
    const got = { generation: evidence.ownerGeneration ?? 0, version: evidence.rosterVersion };
    const earlier = got.generation > 0 && got.generation < least.generation;
    check(
      'roster',
      `${least.version} or more`,
      `${got.version}${earlier ? ' of earlier owner keys' : ''}`,
      !isOlderRoster(got, least),
    );
  }
  if (model !== undefined)
    check('model', `${model} or more`, String(evidence.modelSequence), evidence.modelSequence >= model);
  for (const [name, expectation] of policy.items) {
    const item = evidence.items.get(name);
    const got = item === undefined ? 'absent' : String(item.value);
    check(name, expected(expectation), got, meets(item, expectation), item?.measured === true);
  }
  return { passed: checks.every(({ passed }) => passed), checks };
}

/** In the form that people know. */
export function uuidText(uuid: Uint8Array): string {
  return Buffer.from(uuid)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function meets(
  item: { readonly value: EvidenceValue; readonly measured: boolean } | undefined,
  { oneOf, least, measured }: Expectation,
): boolean {
  return (
    item !== undefined &&
    (oneOf === undefined || oneOf.includes(item.value)) &&
    (least === undefined || (typeof item.value === 'number' && item.value >= least)) &&
    (measured === undefined || item.measured)
  );
}

function expected({ oneOf, least, measured }: Expectation): string {
  return [
    ...(oneOf === undefined ? [] : [oneOf.join(' or ')]),
    ...(least === undefined ? [] : [`${least} or more`]),
    ...(measured === undefined ? [] : ['measured']),
  ].join(', ');
}
