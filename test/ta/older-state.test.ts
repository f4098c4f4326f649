/** The state that the TA of an earlier release has stored is read by this one, and written in its own form with the next change. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { equalBytes, signOwners, SigningKey, verifyOwnerReply } from '../../protocol/index.js';
import { DeviceUnderTest, expectOk, party } from './device-under-test.js';
import { TaHost } from './ta-host.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What versions 1 and 2 wrote: they end earlier. */
const EARLIER: Readonly<Record<number, { items: number; leftOut: RegExp }>> = {
  1: { items: 14, leftOut: / {4}put_commitment\(&w, &s->previous\);[\s\S]*?put_rotation\(&w, s\);\n/ },
  2: {
    items: 19,
    leftOut: / {4}sz_cbor_put_uint\(&w, s->owners\.generation\);[\s\S]*?put_rotation\(&w, s\);\n/,
  },
};

/** Builds a TA that stores as that version did. @returns the program */
function build(version: number, folder: string): string {
  const { items, leftOut } = EARLIER[version]!;
  const source = readFileSync(join(root, 'ta/trust/state.c'), 'utf8');
  const changed = source
    .replace('sz_cbor_put_array(&w, STATE_ITEMS);', `sz_cbor_put_array(&w, ${items});`)
    .replace('sz_cbor_put_uint(&w, STATE_VERSION);', `sz_cbor_put_uint(&w, ${version});`)
    .replace(leftOut, '');
  expect(changed.length).toBeLessThan(source.length - 50);
  const copy = join(folder, 'state.c');
  const program = join(folder, 'ta_host');
  writeFileSync(copy, changed);
  const argv = ['FAULTY=trust/state.c', `FAULTY_COPY=${copy}`, `FAULTY_HOST=${program}`, program];
  const { status, stderr } = spawnSync('make', ['-s', '-C', 'ta/test', ...argv], { cwd: root });
  // Functions that it uses no more are warnings.
  if (status !== 0) throw new Error(stderr.toString());
  return program;
}

test.each([1, 2])('version %i', async (version) => {
  const folder = mkdtempSync(join(tmpdir(), 'older-state-'));
  const earlier = new DeviceUnderTest(TaHost.of(build(version, folder)));
  expectOk(await earlier.claim());
  await earlier.enrol(party('sensor'));
  const before = await earlier.hello();

  const now = TaHost.create();
  rmSync(now.storage, { recursive: true });
  cpSync(earlier.ta.storage, now.storage, { recursive: true });
  await earlier.stop();
  expect((await now.restart()).result).toBe(0);
  const device = Object.assign(new DeviceUnderTest(now), {
    owner: earlier.owner,
    ownerCounter: earlier.ownerCounter,
    members: earlier.members,
  });
  const after = await device.hello();
  for (const key of ['signingKey', 'agreementKey'] as const)
    expect(equalBytes(after[key], before[key])).toBe(true);
  expect(after.rosterVersion).toBe(1);

  // What is new since then works, and is stored: its owners are of generation 1.
  const successor = SigningKey.generate();
  const succession = [signOwners({ generation: 2, keys: [successor.publicKey] }, device.owner)];
  const roster = await device.signedRoster(device.members, 2, undefined, { key: successor, succession });
  expectOk(await now.call('ROSTER', roster));
  const rotate = await device.statement({ type: 'rotate' }, {}, successor);
  const { next } = verifyOwnerReply(expectOk(await now.call('OWNER', rotate)).out);
  expect((await now.restart()).result).toBe(0);
  expect(verifyOwnerReply(expectOk(await now.call('OWNER', rotate)).out).next).toEqual(next);
  await device.stop();
  rmSync(folder, { recursive: true });
});
