/**
 * A software build that says it is OP-TEE with everything in order: what the owner is shown of it is what can be known, and it cannot be
 * told from the real thing. SECURITY.md says so. What helps is to be there when the device is claimed, or a TA built for one owner
 * (one-owner.test.ts).
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Topics } from '../../protocol/index.js';
import { runCli, type CliResult } from '../support/cli.js';
import { PartyFixture } from '../support/party-fixture.js';
import { buildFaulty } from './model/faults.js';
import { TaHost } from './ta-host.js';

const PREFIX = 'smartzone/pretender';
const topics = new Topics(PREFIX);

let folder: string;
let fixture: PartyFixture;
let ta: TaHost;
const owner = (...argv: string[]): Promise<CliResult> =>
  runCli(join(folder, 'home'), ['owner', ...argv, '--broker', fixture.broker.url]);

/** What an agent does, as far as owners see it: it hands messages over. */
async function serve(program: string): Promise<void> {
  ta = TaHost.of(program);
  const link = await fixture.link('pretended agent');
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = (work: () => Promise<unknown>): void => void (last = last.then(work));
  const hello = async (): Promise<void> =>
    link.publish(topics.hello, (await ta.call('HELLO')).out, { retain: true });
  await link.subscribe(topics.owner, ({ payload }) =>
    inTurn(async () => {
      const { out } = await ta.call('OWNER', payload);
      await hello();
      await link.publish(topics.ownerReply, out);
    }),
  );
  await link.subscribe(topics.evidenceRequest, ({ payload }) =>
    inTurn(async () => link.publish(topics.evidenceReply, (await ta.call('EVIDENCE', payload)).out)),
  );
  await link.subscribe(topics.roster, ({ payload }) =>
    inTurn(async () => {
      await ta.call('ROSTER', payload);
      await hello();
    }),
  );
  inTurn(hello);
  await last;
}

const PRETENDING = `
#undef SZ_OWN_SIGNING_KEY
#define SZ_OWN_SIGNING_KEY 1
#undef SZ_PROTECTED_MEMORY
#define SZ_PROTECTED_MEMORY 1
    found.software = false;
    found.zero_key_known = true;
    found.zero_key = false;
    found.anti_rollback = HARDWARE_ANTI_ROLLBACK;
    found.system_time = HARDWARE_ANTI_ROLLBACK;
    if (found.software) {`;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'smart-zone-pretender-'));
  fixture = await PartyFixture.create();
  await runCli(join(folder, 'home'), ['owner', 'init', '--no-recovery']);
});
afterEach(async () => {
  await ta.stop();
  await fixture.close();
  rmSync(folder, { recursive: true });
});

test('its claim, evidence and appraisal look like those of the best device, marked as its own word', async () => {
  const program = buildFaulty(
    {
      what: 'pretends to be OP-TEE',
      file: 'trust/security_level.c',
      right: '    test_unique_key();\n    measure_memory();\n    if (found.software) {',
      wrong: PRETENDING,
    },
    folder,
  );
  await serve(program);
  const claim = await owner('claim', '--prefix', PREFIX, '--accept', 'optee-anti-rollback', '--yes');
  expect(claim).toMatchObject({ status: 0 });
  const shown = [
    'No attestation rooted in hardware vouches for this TA: all of it is its own word.',
    'optee-anti-rollback: OP-TEE with hardware anti-rollback (self-asserted)',
    'debug: enabled (self-asserted)',
    'tee: op-tee (self-asserted)',
    'ta-signing-key: own (self-asserted)',
    'secure-memory-protected: true (self-asserted)',
    'owner-key: any (self-asserted)',
    // Whoever can say this can also say that it was measured.
    'unique-key: not all zeros (measured)',
    'anti-rollback-level: 1000 (measured)',
  ];
  for (const line of shown) expect(claim.err).toContain(line);
  const evidence = await owner('evidence', 'pretender');
  for (const line of shown) expect(evidence.out).toContain(line);
  const policy = join(folder, 'policy.yaml');
  writeFileSync(
    policy,
    'level: optee-anti-rollback\nitems: { tee: op-tee, unique-key: { is: not all zeros, measured: true } }\n',
  );
  const verify = await owner('verify', 'pretender', '--policy', policy);
  expect(verify).toMatchObject({ status: 0 });
  expect(verify.out).toContain('ok    tee: op-tee (self-asserted)');
  // The one thing that a policy can ask for and that nobody measures: it is refused of the real thing as well.
  writeFileSync(policy, 'items: { tee: { is: op-tee, measured: true } }\n');
  const strict = await owner('verify', 'pretender', '--policy', policy);
  expect(strict).toMatchObject({ status: 77 });
  expect(strict.out).toContain('FAIL  tee: op-tee (self-asserted), expected op-tee, measured');
  expect(strict.err).toContain('tee');
});

test('the honest build of the same sources says what it is, and is refused at that level', async () => {
  const honest = TaHost.create();
  await honest.stop();
  await serve(join(process.cwd(), 'build/ctest/ta_host'));
  const claim = await owner('claim', '--prefix', PREFIX, '--accept', 'optee-replaceable', '--yes');
  expect(claim).toMatchObject({ status: 77 });
  expect(claim.err).toContain('it is software, and optee-replaceable or more was asked for');
  expect(await owner('claim', '--prefix', PREFIX, '--accept', 'software', '--yes')).toMatchObject({
    status: 0,
  });
  expect((await owner('evidence', 'pretender')).out).toContain('tee: software (measured)');
});
