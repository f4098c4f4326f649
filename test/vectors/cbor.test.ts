import { fromHex, toHex } from '../../protocol/bytes.js';
import { CborError, decodeStrict, encodeDeterministic, Float, type CborValue } from '../../protocol/cbor.js';
import { describeVectors, readVectors, report } from './shared.js';

interface AppendixAVector {
  readonly hex: string;
  readonly roundtrip: boolean;
  readonly decoded?: unknown;
  readonly diagnostic?: string;
}

/** What the strict decoder refuses of appendix A, and why: legal CBOR, but not deterministic or not of the profile. */
const REFUSED: Readonly<Record<string, string>> = {
  fa7f800000: 'not the shortest float',
  fa7fc00000: 'not the shortest float',
  faff800000: 'not the shortest float',
  fb7ff0000000000000: 'not the shortest float',
  fb7ff8000000000000: 'not the shortest float',
  fbfff0000000000000: 'not the shortest float',
  f7: 'simple value outside the profile',
  f0: 'simple value outside the profile',
  f818: 'simple value outside the profile',
  f8ff: 'simple value outside the profile',
  '5f42010243030405ff': 'indefinite length',
  '7f657374726561646d696e67ff': 'indefinite length',
  '9fff': 'indefinite length',
  '9f018202039f0405ffff': 'indefinite length',
  '9f01820203820405ff': 'indefinite length',
  '83018202039f0405ff': 'indefinite length',
  '83019f0203ff820405': 'indefinite length',
  '9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff': 'indefinite length',
  bf61610161629f0203ffff: 'indefinite length',
  '826161bf61626163ff': 'indefinite length',
  bf6346756ef563416d7421ff: 'indefinite length',
};

describeVectors('RFC 8949 appendix A', () => {
  const vectors = readVectors<readonly AppendixAVector[]>('cbor/appendix_a.json');

  test('deterministic items decode to the published value and encode to the same bytes', () => {
    let run = 0;
    let compared = 0;
    for (const vector of vectors.filter((each) => !(each.hex in REFUSED))) {
      run++;
      const value = decodeStrict(fromHex(vector.hex));
      expect(toHex(encodeDeterministic(value))).toBe(vector.hex);
      // The file gives bignums (tags 2 and 3), which this protocol leaves uninterpreted, as rounded numbers.
      if (vector.decoded === undefined || /^c[23]/.test(vector.hex)) continue;
      compared++;
      expect({ hex: vector.hex, value: plain(value) }).toEqual({ hex: vector.hex, value: vector.decoded });
    }
    report('RFC 8949 appendix A', { accepted: run, 'compared as values': compared });
    expect(run).toBe(61);
    expect(compared).toBeGreaterThan(40);
  });

  test('everything else is refused for the listed reason', () => {
    const refused: Record<string, string> = {};
    for (const vector of vectors) {
      try {
        decodeStrict(fromHex(vector.hex));
      } catch (error) {
        if (!(error instanceof CborError)) throw error;
        expect(error.code).toBe('MALFORMED');
        refused[vector.hex] = error.reason;
      }
    }
    report('RFC 8949 appendix A', { refused: Object.keys(refused).length });
    expect(refused).toEqual(REFUSED);
  });
});

/** As JSON has it: floats are numbers, maps are objects, big integers are rounded. */
function plain(value: CborValue): unknown {
  if (value instanceof Float) return value.value;
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return (value as readonly CborValue[]).map(plain);
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([key, item]) => [String(key), plain(item as CborValue)]));
  return value;
}
