import { Encoder } from 'cbor-x';
import { fromHex, toHex } from './bytes.js';
import { CborError, cborMap, decodeStrict, encodeDeterministic, Float, Tag, type CborValue } from './cbor.js';

function refusal(hex: string, limits?: Parameters<typeof decodeStrict>[1]): string {
  try {
    decodeStrict(fromHex(hex), limits);
  } catch (error) {
    if (error instanceof CborError) return `${error.code}: ${error.reason}`;
    throw error;
  }
  return 'accepted';
}

describe('decodeStrict refuses', () => {
  test.each([
    ['', 'TRUNCATED: input ends early', 'nothing'],
    ['18', 'TRUNCATED: input ends early', 'a missing argument'],
    ['430102', 'TRUNCATED: input ends early', 'a short byte string'],
    ['5bffffffffffffffff', 'TRUNCATED: input ends early', 'a byte string longer than memory'],
    ['9affffffff', 'TRUNCATED: input ends early', 'an array longer than its bytes'],
    ['bb001fffffffffffff', 'TRUNCATED: input ends early', 'a map longer than its bytes'],
    ['0000', 'TRAILING_BYTES: bytes after the item', 'trailing bytes'],
    ['a201000100', 'DUPLICATE_KEY: duplicate map key', 'duplicate integer keys'],
    ['a2616100616100', 'DUPLICATE_KEY: duplicate map key', 'duplicate text keys'],
    ['a202000100', 'MALFORMED: map keys out of order', 'unsorted keys'],
    ['a220000100', 'MALFORMED: map keys out of order', 'negative before positive'],
    ['a141ff00', 'MALFORMED: map key is neither an integer nor text', 'a byte string as a key'],
    ['1817', 'MALFORMED: not the shortest form', '23 in two bytes'],
    ['1900ff', 'MALFORMED: not the shortest form', '255 in three'],
    ['1a0000ffff', 'MALFORMED: not the shortest form', '65535 in five'],
    ['1b00000000ffffffff', 'MALFORMED: not the shortest form', '2^32 - 1 in nine'],
    ['3817', 'MALFORMED: not the shortest form', 'a long negative'],
    ['580100', 'MALFORMED: not the shortest form', 'a long length'],
    ['d81201', 'MALFORMED: not the shortest form', 'a long tag'],
    ['fa3f800000', 'MALFORMED: not the shortest float', '1.0 in four bytes'],
    ['fb3ff0000000000000', 'MALFORMED: not the shortest float', '1.0 in eight'],
    ['f97e01', 'MALFORMED: not the canonical NaN', 'a NaN with a payload'],
    ['fe', 'MALFORMED: reserved additional information', 'additional information 30'],
    ['1c', 'MALFORMED: reserved additional information', 'additional information 28'],
    ['f7', 'MALFORMED: simple value outside the profile', 'undefined'],
    ['ff', 'MALFORMED: break outside an indefinite length', 'a lone break'],
    ['62c328', 'MALFORMED: invalid UTF-8', 'invalid UTF-8'],
    ['63eda080', 'MALFORMED: invalid UTF-8', 'an encoded surrogate'],
  ])('%s as %s (%s)', (hex, expected) => {
    expect(refusal(hex)).toBe(expected);
  });

  test('deep nesting and long input, at the given limits', () => {
    expect(refusal('81'.repeat(16) + '00')).toBe('accepted');
    expect(refusal('81'.repeat(17) + '00')).toBe('MALFORMED: nested too deeply');
    expect(refusal('c1'.repeat(17) + '00')).toBe('MALFORMED: nested too deeply');
    expect(refusal('430102ff', { maxBytes: 4 })).toBe('accepted');
    expect(refusal('430102ff', { maxBytes: 3 })).toBe('TOO_LONG: 4 bytes');
  });

  test('every truncation and every appended byte of a message', () => {
    const hex = 'd28443a10126a10442313154546869732069732074686520636f6e74656e742ef93e00';
    expect(refusal(hex)).toBe('accepted');
    for (let end = 0; end < hex.length; end += 2)
      expect(refusal(hex.slice(0, end))).toBe('TRUNCATED: input ends early');
    expect(refusal(`${hex}00`)).toBe('TRAILING_BYTES: bytes after the item');
  });
});

describe('encodeDeterministic', () => {
  test('sorts keys by their encoded bytes, whatever the order of insertion', () => {
    const map = cborMap([
      ['a', 1],
      [-1, 2],
      [1000, 3],
      [24, 4],
      [1, 5],
      [3, undefined],
    ]);
    expect(toHex(encodeDeterministic(map))).toBe('a5010518180419 03e803 2002 616101'.replaceAll(' ', ''));
  });

  test.each<[CborValue, string]>([
    [new Float(1), 'f93c00'],
    [0.5, 'f93800'],
    [-0, 'f98000'],
    [0.1, 'fb3fb999999999999a'],
    [Math.fround(0.1), 'fa3dcccccd'],
    [new Float(2 ** -24), 'f90001'],
    [new Float(2 ** -14 - 2 ** -24), 'f903ff'],
    [new Float(2 ** -25), 'fa33000000'],
    [new Float(65504), 'f97bff'],
    [new Float(65520), 'fa477ff000'],
    [new Float(2049), 'fa45001000'],
    [new Float(NaN), 'f97e00'],
    [2 ** 33, '1b0000000200000000'],
    [Number.MIN_SAFE_INTEGER, '3b001ffffffffffffe'],
    [-(2n ** 53n), '3b001fffffffffffff'],
    [5n, '05'],
    [new Tag(107, null), 'd86bf6'],
  ])('writes %p as %s, which decodes and encodes to itself', (value, hex) => {
    expect(toHex(encodeDeterministic(value))).toBe(hex);
    expect(toHex(encodeDeterministic(decodeStrict(fromHex(hex))))).toBe(hex);
  });

  test('keeps integers and floats apart', () => {
    expect(decodeStrict(fromHex('01'))).toBe(1);
    expect(decodeStrict(fromHex('f93c00'))).toEqual(new Float(1));
  });

  test('every half-precision value but the NaNs keeps its bits', () => {
    let run = 0;
    for (let bits = 0; bits < 0x10000; bits++) {
      if ((bits & 0x7c00) === 0x7c00 && (bits & 0x3ff) !== 0) continue;
      const bytes = Uint8Array.of(0xf9, bits >> 8, bits & 0xff);
      if (toHex(encodeDeterministic(decodeStrict(bytes))) !== toHex(bytes)) throw new Error(toHex(bytes));
      run++;
    }
    expect(run).toBe(0x10000 - 2 * 0x3ff);
  });

  test('refuses what CBOR cannot hold', () => {
    expect(() => encodeDeterministic(2 ** 53)).toThrow(RangeError);
    expect(() => encodeDeterministic(2n ** 64n)).toThrow(RangeError);
    expect(() => encodeDeterministic('\ud800')).toThrow(RangeError);
    expect(() => encodeDeterministic(new Map([[1.5, 0]]))).toThrow(RangeError);
    expect(() =>
      encodeDeterministic(
        new Map<number | bigint, number>([
          [1, 0],
          [1n, 0],
        ]),
      ),
    ).toThrow(RangeError);
  });
});

test('cbor-x reads what is written here', () => {
  const peer = new Encoder({ mapsAsObjects: false, useRecords: false });
  const value: CborValue = [
    1,
    -70001,
    'zone',
    Uint8Array.of(1, 2, 3),
    true,
    null,
    new Float(1.5),
    cborMap([
      [1, [0.1]],
      ['x', new Map()],
    ]),
  ];
  expect(peer.decode(encodeDeterministic(value))).toEqual([
    1,
    -70001,
    'zone',
    Buffer.from([1, 2, 3]),
    true,
    null,
    1.5,
    new Map<unknown, unknown>([
      [1, [0.1]],
      ['x', new Map()],
    ]),
  ]);
});
