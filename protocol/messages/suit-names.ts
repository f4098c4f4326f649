/** Names of SUIT's elements (draft-ietf-suit-manifest-34, appendix A): so that what is outside our profile is refused by its name. */

const ENVELOPE: ReadonlyMap<number, string> = new Map([
  [2, 'suit-authentication-wrapper'],
  [3, 'suit-manifest'],
  [16, 'suit-payload-fetch'],
  [20, 'suit-install'],
  [23, 'suit-text'],
]);

const MANIFEST: ReadonlyMap<number, string> = new Map([
  [1, 'suit-manifest-version'],
  [2, 'suit-manifest-sequence-number'],
  [3, 'suit-common'],
  [4, 'suit-reference-uri'],
  [5, 'suit-manifest-component-id'],
  [7, 'suit-validate'],
  [8, 'suit-load'],
  [9, 'suit-invoke'],
  [16, 'suit-payload-fetch'],
  [20, 'suit-install'],
  [23, 'suit-text'],
]);

const COMMON: ReadonlyMap<number, string> = new Map([
  [2, 'suit-components'],
  [4, 'suit-shared-sequence'],
]);

/** By the name of a map: what its members are called, and which of them the profile has. */
const PROFILES: ReadonlyMap<
  string,
  { readonly names: ReadonlyMap<number, string>; readonly allowed: readonly number[] }
> = new Map([
  ['envelope', { names: ENVELOPE, allowed: [2, 3] }],
  ['manifest', { names: MANIFEST, allowed: [1, 2, 3, 7] }],
  ['common', { names: COMMON, allowed: [2, 4] }],
]);

/** The first member of a SUIT map that the profile has no place for, in the order in which the map has them; undefined: none. */
export const outsideProfile = (map: ReadonlyMap<unknown, unknown>, kind: string): string | undefined => {
  const profile = PROFILES.get(kind);
  if (profile === undefined) return undefined;
  for (const key of map.keys())
    if (typeof key !== 'number' || !profile.allowed.includes(key))
      return (
        (typeof key === 'number' ? profile.names.get(key) : undefined) ?? `${kind} element ${String(key)}`
      );
  return undefined;
};
