import { createCipheriv, createDecipheriv, scryptSync } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { AgreementKey, SigningKey } from '../../protocol/keys.js';
import { SmartZoneError } from '../../protocol/errors.js';
import { systemRandomness, type Randomness } from '../../protocol/randomness.js';
import { writeFileAtomic } from './atomic-file.js';
import { isRole, publicLine, publicOf, type PartyKeys } from './party.js';

const FORMAT = 1;

/** scrypt (RFC 7914) at 128 MiB and about half a second on a desktop: what OWASP's password storage guidance asks for. */
const SCRYPT = { N: 2 ** 17, r: 8, p: 1 } as const;
/** A file that asks for more than this is not one of ours, and would only exhaust memory. */
const SCRYPT_MOST = { N: 2 ** 20, r: 16, p: 4 } as const;

interface SealedSecret {
  readonly kdf: 'scrypt';
  readonly N: number;
  readonly r: number;
  readonly p: number;
  readonly salt: string;
  readonly iv: string;
  /** AES-256-GCM, ciphertext and tag; the additional data is the file's `public` line. */
  readonly data: string;
}

interface KeyFile {
  readonly 'smart-zone-key': typeof FORMAT;
  readonly role: string;
  readonly name: string;
  /** The line that enrol takes. */
  readonly public: string;
  /** base64url of the Ed25519 seed, then the X25519 scalar unless the role is owner; or the same, sealed. */
  readonly secret: string | SealedSecret;
}

export interface KeyFileOptions {
  /** Seals the private keys; asked for again by `readKeyFile`. */
  readonly passphrase?: string;
  readonly random?: Randomness;
  /** Cheaper key derivation than the default, for tests. */
  readonly scrypt?: { readonly N: number; readonly r: number; readonly p: number };
}

/** Writes a new key file with mode 0600. @throws KEY_FILE when there is a file already: keys are not overwritten. */
export function writeKeyFile(path: string, keys: PartyKeys, options: KeyFileOptions = {}): void {
  if (existsSync(path))
    throw new SmartZoneError('KEY_FILE', `${path} exists already: keys are never overwritten`);
  const secret = Buffer.concat([
    keys.signing.exportSeed(),
    keys.agreement?.exportScalar() ?? new Uint8Array(0),
  ]);
  const line = publicLine(publicOf(keys));
  const file: KeyFile = {
    'smart-zone-key': FORMAT,
    role: keys.role,
    name: keys.name,
    public: line,
    secret:
      options.passphrase === undefined
        ? secret.toString('base64url')
        : seal(secret, line, options.passphrase, options),
  };
  secret.fill(0);
  writeFileAtomic(path, `${JSON.stringify(file, null, 2)}\n`);
}

/** Whether reading the file takes a passphrase. @throws KEY_FILE when it is not a key file. */
export function needsPassphrase(path: string): boolean {
  return typeof parse(readPrivate(path), path).secret !== 'string';
}

/** @throws KEY_FILE when the file is missing, others can read it, it is damaged, or the passphrase is missing or wrong. */
export function readKeyFile(path: string, options: Pick<KeyFileOptions, 'passphrase'> = {}): PartyKeys {
  return keysOf(parse(readPrivate(path), path), path, options);
}

/**
 * The keys in the content of a key file, where it is kept elsewhere than in a file, as in Node-RED's credentials.
 * @throws KEY_FILE
 */
export function parseKeyFile(
  content: string,
  options: Pick<KeyFileOptions, 'passphrase'> = {},
  where = 'the key',
): PartyKeys {
  return keysOf(parse(content, where), where, options);
}

function keysOf(file: KeyFile, path: string, options: Pick<KeyFileOptions, 'passphrase'>): PartyKeys {
  const { role, name } = file;
  if (!isRole(role)) throw new SmartZoneError('KEY_FILE', `${path}: no such role: ${role}`);
  const secret =
    typeof file.secret === 'string'
      ? Buffer.from(file.secret, 'base64url')
      : unseal(path, file.secret, file.public, options.passphrase);
  if (secret.length !== (role === 'owner' ? 32 : 64))
    throw new SmartZoneError('KEY_FILE', `${path}: damaged`);
  const signing = SigningKey.fromSeed(secret.subarray(0, 32));
  const keys: PartyKeys =
    role === 'owner'
      ? { role, name, signing }
      : { role, name, signing, agreement: AgreementKey.fromScalar(secret.subarray(32, 64)) };
  secret.fill(0);
  if (publicLine(publicOf(keys)) !== file.public)
    throw new SmartZoneError('KEY_FILE', `${path}: its public line does not belong to its private keys`);
  return keys;
}

function readPrivate(path: string): string {
  try {
    // Modes mean nothing on Windows: there the folder's access list protects the file.
    if (process.platform !== 'win32') {
      const mode = statSync(path).mode & 0o777;
      if ((mode & 0o077) !== 0)
        throw new SmartZoneError(
          'KEY_FILE',
          `${path}: others can read it (mode 0${mode.toString(8)}): run chmod 600`,
        );
    }
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof SmartZoneError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw new SmartZoneError('KEY_FILE', code === 'ENOENT' ? `there is no ${path}` : message, {
      cause: error,
    });
  }
}

function parse(text: string, path: string): KeyFile {
  let value: Partial<KeyFile> | null;
  try {
    value = JSON.parse(text) as Partial<KeyFile> | null;
  } catch {
    throw new SmartZoneError('KEY_FILE', `${path}: not JSON`);
  }
  const { secret } = value ?? {};
  if (
    value === null ||
    value['smart-zone-key'] !== FORMAT ||
    typeof value.role !== 'string' ||
    typeof value.name !== 'string' ||
    typeof value.public !== 'string' ||
    !(typeof secret === 'string' || (typeof secret === 'object' && isSealed(secret)))
  )
    throw new SmartZoneError('KEY_FILE', `${path}: not a key file of this release`);
  return value as KeyFile;
}

function isSealed(value: object | null): value is SealedSecret {
  if (value === null) return false;
  const { kdf, N, r, p, salt, iv, data } = value as Partial<Record<keyof SealedSecret, unknown>>;
  const within = (x: unknown, most: number): boolean =>
    Number.isInteger(x) && (x as number) >= 1 && (x as number) <= most;
  return (
    kdf === 'scrypt' &&
    within(N, SCRYPT_MOST.N) &&
    within(r, SCRYPT_MOST.r) &&
    within(p, SCRYPT_MOST.p) &&
    [salt, iv, data].every((x) => typeof x === 'string')
  );
}

function derive(
  passphrase: string,
  salt: Uint8Array,
  { N, r, p }: { N: number; r: number; p: number },
): Buffer {
  // The same characters give the same key however the keyboard composed them.
  return scryptSync(passphrase.normalize('NFC'), salt, 32, { N, r, p, maxmem: 128 * N * r * 2 });
}

function seal(secret: Uint8Array, line: string, passphrase: string, options: KeyFileOptions): SealedSecret {
  const random = options.random ?? systemRandomness;
  const cost = options.scrypt ?? SCRYPT;
  const salt = random.bytes(16);
  const iv = random.bytes(12);
  const cipher = createCipheriv('aes-256-gcm', derive(passphrase, salt, cost), iv).setAAD(Buffer.from(line));
  const data = Buffer.concat([cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
  return { kdf: 'scrypt', ...cost, salt: text(salt), iv: text(iv), data: text(data) };
}

function unseal(path: string, sealed: SealedSecret, line: string, passphrase: string | undefined): Buffer {
  if (passphrase === undefined)
    throw new SmartZoneError('KEY_FILE', `${path}: it is sealed with a passphrase`);
  const bytes = (text: string): Buffer => Buffer.from(text, 'base64url');
  const data = bytes(sealed.data);
  const iv = bytes(sealed.iv);
  try {
    const key = derive(passphrase, bytes(sealed.salt), sealed);
    const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: 16 })
      .setAAD(Buffer.from(line))
      .setAuthTag(data.subarray(-16));
    return Buffer.concat([decipher.update(data.subarray(0, -16)), decipher.final()]);
  } catch {
    throw new SmartZoneError('KEY_FILE', `${path}: wrong passphrase, or damaged`);
  }
}
