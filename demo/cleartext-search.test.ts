import { randomBytes } from 'node:crypto';
import { CleartextSearch } from './cleartext-search.js';

const frame = randomBytes(5000);
const key = randomBytes(32);

const search = (): CleartextSearch => {
  const made = new CleartextSearch();
  made.addFrame('frame', frame);
  made.addExact('key', key);
  return made;
};

test('finds 16 bytes of a frame wherever they begin, in both', () => {
  for (let from = 100; from < 116; from += 1) {
    for (let at = 1000; at < 1008; at += 1) {
      const haystack = randomBytes(3000);
      frame.copy(haystack, at, from, from + 16);
      expect(search().find(haystack)).toMatchObject({ secret: 'frame' });
    }
  }
});

test('finds the beginning and the end of a frame at the edges of the bytes', () => {
  expect(search().find(frame.subarray(0, 16))).toMatchObject({ secret: 'frame', at: 0 });
  expect(search().find(frame.subarray(-16))).toMatchObject({ secret: 'frame' });
  expect(search().find(Buffer.concat([randomBytes(77), frame.subarray(-16)]))).toMatchObject({
    secret: 'frame',
  });
});

test('15 bytes are not enough, nor are 16 of fewer than 12 kinds', () => {
  const haystack = Buffer.concat([randomBytes(64), frame.subarray(8, 23), Buffer.alloc(9), randomBytes(64)]);
  if (haystack[64 + 15] === frame[23]) haystack[64 + 15] = 1;
  expect(search().find(haystack)).toBeUndefined();
  const flat = Buffer.from(Array.from({ length: 2000 }, (_, i) => Math.floor(i / 7) % 256));
  const flatSearch = new CleartextSearch();
  flatSearch.addFrame('flat', flat);
  expect(flatSearch.find(flat)).toBeUndefined();
});

test('finds a key as bytes, hexadecimal and base64', () => {
  for (const text of [key, key.toString('hex'), key.toString('base64'), key.toString('base64url')]) {
    const haystack = Buffer.concat([randomBytes(500), Buffer.from(text), randomBytes(500)]);
    expect(search().find(haystack)).toMatchObject({ secret: 'key', at: 500 });
  }
  expect(search().find(Buffer.concat([key.subarray(0, 31), randomBytes(500)]))).toBeUndefined();
});

test('finds nothing in a megabyte of noise', () => {
  expect(search().find(randomBytes(1 << 20))).toBeUndefined();
});

test('finds a key inside a longer base64 text, whatever stands before and behind it', () => {
  for (let i = 0; i < 60; i += 1) {
    const whole = Buffer.concat([randomBytes(i % 5), key, randomBytes(32)]);
    for (const form of ['base64', 'base64url'] as const)
      expect(search().find(Buffer.from(`{"secret":"${whole.toString(form)}"}`))).toMatchObject({
        secret: 'key',
      });
  }
});
