import { AgreementKey, SigningKey } from '../../protocol/keys.js';
import { type Kid, signingKid } from '../../protocol/kid.js';
import { SmartZoneError } from '../../protocol/errors.js';
import { systemRandomness, type Randomness } from '../../protocol/randomness.js';

export const ROLES = ['owner', 'sensor', 'rules', 'publisher'] as const;
export type PartyRole = (typeof ROLES)[number];

export function isRole(text: unknown): text is PartyRole {
  return (ROLES as readonly unknown[]).includes(text);
}

/** What others may know of a party: what the owner enrols, and what clients pin of the owner. */
export interface PartyPublic {
  readonly role: PartyRole;
  readonly name: string;
  readonly kid: Kid;
  /** Ed25519. */
  readonly signing: Uint8Array;
  /** X25519; an owner has none. */
  readonly agreement?: Uint8Array;
}

/** A party's private keys, in memory. */
export interface PartyKeys {
  readonly role: PartyRole;
  /** 1 to 64 bytes of UTF-8: how people know it; in the roster that everyone can read. */
  readonly name: string;
  readonly signing: SigningKey;
  /** Absent for an owner. */
  readonly agreement?: AgreementKey;
}

/** Fresh keys. @throws KEY_FILE on a name that the roster cannot hold. */
export function generateKeys(
  role: PartyRole,
  name: string,
  random: Randomness = systemRandomness,
): PartyKeys {
  checkName(name);
  const signing = SigningKey.generate(random);
  return role === 'owner'
    ? { role, name, signing }
    : { role, name, signing, agreement: AgreementKey.generate(random) };
}

export function publicOf(keys: PartyKeys): PartyPublic {
  const { role, name, signing, agreement } = keys;
  return {
    role,
    name,
    kid: signing.kid,
    signing: signing.publicKey,
    ...(agreement === undefined ? {} : { agreement: agreement.publicKey }),
  };
}

/**
 * The public half as one word that survives shells and chat windows: sz1.<role>.<keys, base64url>.<name, percent-encoded>.
 * Not secret, but it must arrive unchanged: whoever swaps it is enrolled instead.
 */
export function publicLine(party: PartyPublic): string {
  const keys = Buffer.concat([party.signing, party.agreement ?? new Uint8Array(0)]).toString('base64url');
  // encodeURIComponent leaves dots, which separate the parts.
  return `sz1.${party.role}.${keys}.${encodeURIComponent(party.name).replaceAll('.', '%2E')}`;
}

/** Reads what `publicLine` wrote. @throws KEY_FILE on anything else. */
export function parsePublicLine(line: string): PartyPublic {
  const parts = line.trim().split('.');
  const [version, role, encoded = '', encodedName = ''] = parts;
  const bad = (what: string): SmartZoneError =>
    new SmartZoneError('KEY_FILE', `not a public key line: ${what}`);
  if (version !== 'sz1' || parts.length !== 4) throw bad('it has the form sz1.role.keys.name');
  if (!isRole(role)) throw bad(`no such role: ${role ?? ''}`);
  const keys = new Uint8Array(Buffer.from(encoded, 'base64url'));
  if (keys.length !== (role === 'owner' ? 32 : 64) || Buffer.from(keys).toString('base64url') !== encoded)
    throw bad('the keys are not complete');
  let name: string;
  try {
    name = decodeURIComponent(encodedName);
  } catch {
    throw bad('the name is not percent-encoded');
  }
  checkName(name);
  const signing = keys.slice(0, 32);
  return {
    role,
    name,
    kid: signingKid(signing),
    signing,
    ...(role === 'owner' ? {} : { agreement: keys.slice(32) }),
  };
}

function checkName(name: string): void {
  // eslint-disable-next-line no-control-regex -- control characters would let a name rewrite a terminal
  if (name === '' || Buffer.byteLength(name) > 64 || /[\u0000-\u001f\u007f-\u009f]/.test(name))
    throw new SmartZoneError('KEY_FILE', 'a name has 1 to 64 bytes of UTF-8, no control characters');
}
