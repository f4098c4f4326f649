/**
 * Codecs between CBOR values and typed objects, closed like the grammar in smart-zone.cddl: a missing, additional or
 * ill-typed member is refused with MALFORMED, when reading and when writing.
 */
import { cborMap, CborError, decodeStrict, encodeDeterministic, Float, type CborValue } from './cbor.js';
import { asChannelId, asKid, KID_LENGTH, type ChannelId, type Kid } from './kid.js';

export interface Codec<T> {
  encode(value: T): CborValue;
  /** @param where the member's name, for the error message. */
  decode(value: CborValue, where: string): T;
}

export function refuse(where: string, reason: string): never {
  throw new CborError('MALFORMED', `${where}: ${reason}`, 0);
}

/** A codec whose CBOR value and typed value are the same, once `check` (a type guard) has let it through. */
function checked<T extends CborValue>(expected: string, check: (value: CborValue) => value is T): Codec<T> {
  const pass = (value: CborValue, where: string): T =>
    check(value) ? value : refuse(where, `not ${expected}`);
  return { encode: (value) => pass(value, 'value to encode'), decode: pass };
}

/** An unsigned integer that JavaScript holds exactly: the 64-bit values above are never reached here. */
export const uint: Codec<number> = checked(
  'an unsigned integer',
  (value): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0,
);

export const boolean: Codec<boolean> = checked('a boolean', (value) => typeof value === 'boolean');

export const float: Codec<number> = {
  encode: (value) => new Float(value),
  decode: (value, where) => (value instanceof Float ? value.value : refuse(where, 'not a float')),
};

/** A byte string of `least` to `most` bytes. */
export function bytes(least = 0, most = Infinity): Codec<Uint8Array> {
  return checked(
    least === most ? `${least} bytes` : `a byte string of ${least} to ${most} bytes`,
    (value): value is Uint8Array =>
      value instanceof Uint8Array && value.length >= least && value.length <= most,
  );
}

/** Text of `least` to `most` bytes in UTF-8. */
export function text(least = 0, most = Infinity): Codec<string> {
  return checked(`text of ${least} to ${most} bytes`, (value): value is string => {
    if (typeof value !== 'string') return false;
    const length = Buffer.byteLength(value);
    return length >= least && length <= most;
  });
}

export const kid: Codec<Kid> = branded(asKid);
export const channelId: Codec<ChannelId> = branded(asChannelId);

function branded<T extends Uint8Array>(brand: (raw: Uint8Array) => T): Codec<T> {
  const raw = bytes(KID_LENGTH, KID_LENGTH);
  return { encode: (value) => raw.encode(value), decode: (value, where) => brand(raw.decode(value, where)) };
}

export const publicKey = bytes(32, 32);
export const nonce = bytes(16, 16);
export const digest = bytes(32, 32);
export const name = text(1, 64);

/** One of a few integers or texts. */
export function oneOf<const T extends number | string>(...values: readonly T[]): Codec<T> {
  return checked(`one of ${values.join(', ')}`, (value): value is T =>
    (values as readonly CborValue[]).includes(value),
  );
}

/** Words here, numbers on the wire. */
export function enumeration<const T extends Readonly<Record<string, number>>>(
  numbers: T,
): Codec<keyof T & string> {
  const words = new Map<unknown, string>(Object.entries(numbers).map(([word, number]) => [number, word]));
  return {
    encode: (word) => numbers[word] ?? refuse(word, 'unknown word'),
    decode: (value, where) =>
      words.get(value) ?? refuse(where, `not one of ${Object.values(numbers).join(', ')}`),
  };
}

export function array<T>(item: Codec<T>, least = 0, most = Infinity): Codec<readonly T[]> {
  const check = <V>(items: readonly V[], where: string): readonly V[] =>
    items.length >= least && items.length <= most ? items : refuse(where, `${items.length} items`);
  return {
    encode: (items) => check(items, 'array to encode').map((each) => item.encode(each)),
    decode: (value, where) => {
      if (!Array.isArray(value)) return refuse(where, 'not an array');
      return check(value as readonly CborValue[], where).map((each, i) =>
        item.decode(each, `${where}[${i}]`),
      );
    },
  };
}

/** An array of fixed length, each place with its own codec. */
export function tuple<T extends readonly unknown[]>(
  ...codecs: { readonly [K in keyof T]: Codec<T[K]> }
): Codec<T> {
  const each = codecs as unknown as readonly Codec<unknown>[];
  return {
    encode: (values) => each.map((codec, i) => codec.encode(values[i])),
    decode: (value, where) => {
      if (!Array.isArray(value) || value.length !== each.length)
        return refuse(where, `not an array of ${each.length}`);
      const items = value as readonly CborValue[];
      return each.map((codec, i) => codec.decode(items[i] ?? null, `${where}[${i}]`)) as unknown as T;
    },
  };
}

/** A map from texts, such as counters by their names. */
export function dictionary<T>(item: Codec<T>): Codec<ReadonlyMap<string, T>> {
  return {
    encode: (map) => new Map([...map].map(([key, value]) => [key, item.encode(value)])),
    decode: (value, where) => {
      if (!(value instanceof Map)) return refuse(where, 'not a map');
      const result = new Map<string, T>();
      for (const [key, each] of value as ReadonlyMap<unknown, CborValue>) {
        if (typeof key !== 'string') return refuse(where, 'a key is not text');
        result.set(key, item.decode(each, `${where}.${key}`));
      }
      return result;
    },
  };
}

interface Field<T> {
  readonly key: number;
  readonly codec: Codec<T>;
  readonly optional: boolean;
}

export function field<T>(key: number, codec: Codec<T>): Field<T> {
  return { key, codec, optional: false };
}

export function optional<T>(key: number, codec: Codec<T>): Field<T> {
  return { key, codec, optional: true };
}

type Fields<T> = { readonly [K in keyof T]-?: Field<Exclude<T[K], undefined>> };

/**
 * A closed map with integer keys, as an object with names.
 * @param fixed members that always have the same value: written and required, not part of the object.
 */
export function struct<T extends object>(
  fields: Fields<T>,
  fixed: readonly (readonly [number, number | string])[] = [],
): Codec<T> {
  const list = Object.entries(fields) as [keyof T & string, Field<unknown>][];
  return {
    encode: (value) =>
      cborMap([
        ...fixed,
        ...list.map(([property, { key, codec, optional: may }]): readonly [number, CborValue | undefined] => {
          const member: unknown = value[property];
          if (member === undefined) return may ? [key, undefined] : refuse(property, 'missing');
          return [key, codec.encode(member)];
        }),
      ]),
    decode: (value, where) => {
      if (!(value instanceof Map)) return refuse(where, 'not a map');
      const map = value as ReadonlyMap<unknown, CborValue>;
      const result: Partial<Record<string, unknown>> = {};
      let seen = fixed.length;
      for (const [key, due] of fixed) if (map.get(key) !== due) return refuse(where, `${key} is not ${due}`);
      for (const [property, { key, codec, optional: may }] of list) {
        const member = map.get(key);
        if (member === undefined) {
          if (!may) return refuse(`${where}.${property}`, 'missing');
          continue;
        }
        seen++;
        result[property] = codec.decode(member, `${where}.${property}`);
      }
      if (seen !== map.size) return refuse(where, 'a key outside the grammar');
      return result as T;
    },
  };
}

/** The bytes of a message. */
export function encodeWith<T>(codec: Codec<T>, value: T): Uint8Array {
  return encodeDeterministic(codec.encode(value));
}

/** A message from its bytes. Throws a CborError. */
export function decodeWith<T>(codec: Codec<T>, raw: Uint8Array, where: string): T {
  return codec.decode(decodeStrict(raw), where);
}
