import { signedTa } from '../../../test/support/signed-ta.js';
import { TA_UUID } from '../../../protocol/codes.js';
import { readTaFile, TaFileError } from './ta-file.js';

test('UUID, version and memory: stack and segment in whole pages', () => {
  expect(readTaFile(signedTa(256))).toEqual({ uuid: TA_UUID, version: 256, memory: 65_536 + 8192 });
});

test('each byte counts, whatever it is', () => {
  const good = signedTa(256);
  for (let at = 0; at < good.length; at++) {
    // The signature is only OP-TEE's to judge.
    if (at >= 52 && at < 308) continue;
    const bad = Buffer.from(good);
    bad[at] = (bad[at] ?? 0) ^ 0x10;
    expect(() => readTaFile(bad)).toThrow(TaFileError);
  }
});

test('a file that was cut off, at every length', () => {
  const good = signedTa(256);
  for (let length = 0; length < good.length; length++)
    expect(() => readTaFile(good.subarray(0, length))).toThrow(TaFileError);
});
