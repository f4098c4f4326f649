/**
 * The CBOR data model of this protocol (RFC 8949 section 2, less `undefined` and unassigned simple values).
 *
 * Integers and floats stay apart: JavaScript's one number type would lose whether 1 arrived as an integer or as
 * a float, and the grammar (smart-zone.cddl) tells them apart. So a decoded float is always a `Float`.
 */
export type CborValue =
  number | bigint | string | boolean | null | Uint8Array | Float | Tag | readonly CborValue[] | CborMap;

/** Keys are integers or text: what COSE and this protocol use. A decoded integer key is a number where it is safe. */
export type CborKey = number | bigint | string;
export type CborMap = ReadonlyMap<CborKey, CborValue>;

/** A floating-point number, written in the shortest of 16, 32 and 64 bits that keeps its value. */
export class Float {
  constructor(readonly value: number) {}
}

/** A tagged value (RFC 8949 section 3.4). Tags are not interpreted: a bignum or a date stays what it is. */
export class Tag {
  constructor(
    readonly tag: number,
    readonly value: CborValue,
  ) {}
}

/** A map from entries; entries whose value is `undefined` are left out, which is how optional fields are written. */
export function cborMap(entries: readonly (readonly [CborKey, CborValue | undefined])[]): CborMap {
  const map = new Map<CborKey, CborValue>();
  for (const [key, value] of entries) if (value !== undefined) map.set(key, value);
  return map;
}
