import { encodeDeterministic, Float, Tag, type CborValue } from '../../protocol/cbor.js';
import { parseGrammar } from './grammar.js';
import { validate } from './validate.js';

const grammar = parseGrammar(`
; a comment = [ not a rule ]
message = #6.18([ bstr .cbor wrapped<uint>, { ? 1: tstr .size (1..3), -2: 5..7 / nil }, [1*2 bool] ])
wrapped<inner> = [ + inner, 'end' ]
counters = { * tstr => [uint, float] }
`);

const message = (inner: CborValue, map: Map<number, CborValue>, flags: CborValue) =>
  validate(grammar, 'message', encodeDeterministic(new Tag(18, [encodeDeterministic(inner), map, flags])));
const end = new TextEncoder().encode('end');

test('accepts what the grammar describes', () => {
  expect(
    message(
      [1, 2, end],
      new Map<number, CborValue>([
        [1, 'abc'],
        [-2, 6],
      ]),
      [true],
    ),
  ).toBeUndefined();
  expect(message([1, end], new Map([[-2, null]]), [true, false])).toBeUndefined();
  expect(validate(grammar, 'counters', encodeDeterministic(new Map()))).toBeUndefined();
  expect(
    validate(grammar, 'counters', encodeDeterministic(new Map([['x', [1, new Float(2)]]]))),
  ).toBeUndefined();
});

test.each<[string, CborValue, Map<number, CborValue>, CborValue]>([
  ['an empty repetition', [end], new Map([[-2, 6]]), [true]],
  ['a wrong literal', [1, Uint8Array.of(0)], new Map([[-2, 6]]), [true]],
  ['a wrong generic argument', [-1, end], new Map([[-2, 6]]), [true]],
  ['a value outside the range', [1, end], new Map([[-2, 8]]), [true]],
  ['a float in the range', [1, end], new Map([[-2, new Float(6)]]), [true]],
  ['a missing key', [1, end], new Map([[1, 'abc']]), [true]],
  [
    'an unknown key',
    [1, end],
    new Map([
      [-2, 6],
      [3, 0],
    ]),
    [true],
  ],
  [
    'text that is too long',
    [1, end],
    new Map<number, CborValue>([
      [1, 'abcd'],
      [-2, 6],
    ]),
    [true],
  ],
  ['too many items', [1, end], new Map([[-2, 6]]), [true, true, true]],
  ['too few items', [1, end], new Map([[-2, 6]]), []],
  ['an item of the wrong type', [1, end], new Map([[-2, 6]]), [1]],
])('refuses %s', (_what, inner, map, flags) => {
  expect(message(inner, map, flags)).toEqual(expect.any(String));
});

test('refuses a missing tag and a wrong dictionary', () => {
  expect(validate(grammar, 'message', encodeDeterministic([]))).toBe('message: not tag 18');
  expect(validate(grammar, 'counters', encodeDeterministic(new Map([['x', [1, 2]]])))).toBe(
    'counters.x[1]: not float',
  );
});

test('refuses syntax that it does not know', () => {
  expect(() => parseGrammar('a = uint .within int')).toThrow(SyntaxError);
  expect(() => parseGrammar('a = uint a = int')).toThrow('second rule a');
  expect(() => parseGrammar('a = [ uint')).toThrow('ends early');
  expect(() => validate(parseGrammar('a = nothing'), 'a', Uint8Array.of(0))).toThrow('no rule nothing');
});
