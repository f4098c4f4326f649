import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SigningKey, AgreementKey } from '../../protocol/keys.js';
import { asKid } from '../../protocol/kid.js';
import { signOwnerReply, statementDigest, verifyOwnerStatement } from '../../protocol/messages/owner.js';
import type { Offer } from '../../protocol/messages/offer.js';
import { Topics } from '../../protocol/topics.js';
import { runCli } from '../../test/support/cli.js';
import { MessageDevice } from '../../test/support/message-device.js';
import { PartyFixture, topics, until } from '../../test/support/party-fixture.js';
import { parsePublicLine, publicLine, publicOf, readKeyFile, writeKeyFile } from '../keys/index.js';
import { problemOf } from './exit-codes.js';
import { printable, toJson } from './output.js';

let home: string;
beforeEach(() => (home = mkdtempSync(join(tmpdir(), 'smart-zone-cli-'))));
afterEach(() => rmSync(home, { recursive: true }));

const cli = (...argv: string[]): ReturnType<typeof runCli> => runCli(home, argv);
const parsed = (line: string): Record<string, unknown> => JSON.parse(line) as Record<string, unknown>;

describe('keys', () => {
  test('key new prints the line that enrol takes, and key show prints it again', async () => {
    const made = await cli('key', 'new', 'sensor', '--name', 'porch');
    expect(made.status).toBe(0);
    expect(parsePublicLine(made.out)).toMatchObject({ role: 'sensor', name: 'porch' });
    const shown = await cli('--json', 'key', 'show', 'sensor');
    expect(parsed(shown.out)).toMatchObject({ role: 'sensor', name: 'porch', public: made.out.trim() });
    if (process.platform !== 'win32')
      expect(statSync(join(home, 'sensor.key.json')).mode & 0o777).toBe(0o600);
  });

  test('a passphrase from a file', async () => {
    const passphraseFile = join(home, 'passphrase');
    writeFileSync(passphraseFile, 'correct horse\n');
    const path = join(home, 'rules.key.json');
    expect((await cli('key', 'new', 'rules', '--passphrase-file', passphraseFile)).status).toBe(0);
    expect(() => readKeyFile(path)).toThrow('passphrase');
    expect((await cli('key', 'show', 'rules', '--passphrase-file', passphraseFile)).status).toBe(0);
    writeFileSync(passphraseFile, 'wrong\n');
    expect(await cli('key', 'show', 'rules', '--passphrase-file', passphraseFile)).toMatchObject({
      status: 78,
    });
  });

  test('owner init also writes the line that the others pin', async () => {
    const made = await cli('owner', 'init', '--name', 'me');
    expect(readFileSync(join(home, 'owner.pub'), 'utf8')).toBe(made.out);
    expect(await cli('owner', 'init')).toMatchObject({ status: 78 });
  });
});

describe('exit statuses and errors', () => {
  test.each([
    ['an unknown command', ['bogus'], 64],
    ['an unknown option', ['status', '--bogus'], 64],
    ['a group without a command', ['owner'], 64],
    ['no such role', ['key', 'new', 'king'], 64],
    ['no device named', ['status'], 64],
    ['a bad number', ['status', '--device', 'x', '--timeout', 'soon'], 64],
    ['a missing picture', ['sensor', 'send', '--device', 'x', '/no/such/picture.png'], 66],
    ['a missing model', ['model', 'import', '/no/such/model.tflite'], 66],
    ['a missing rule file', ['rules', 'run', '--device', 'x', '/no/such/rules.json'], 78],
    ['no broker', ['status', '--device', 'x', '--broker', 'http://x'], 69],
  ])('%s', async (_what, argv, status) => {
    if (argv[0] === 'sensor') await cli('key', 'new', 'sensor');
    const result = await cli(...argv);
    expect(result.status).toBe(status);
    expect(result.out).toBe('');
    expect(result.err).not.toBe('');
  });

  test('what happened, and what to do', async () => {
    const { err } = await cli('key', 'show');
    expect(err).toMatch(
      /^smart-zone: the key file cannot be used \(there is no .*sensor\.key\.json\): check its path/,
    );
  });

  test('errors as JSON', async () => {
    const { err, out, status } = await cli('--json', 'key', 'show');
    expect(status).toBe(78);
    expect(out).toBe('');
    expect(parsed(err)).toMatchObject({ error: { code: 'KEY_FILE', exit: 78 } });
  });

  test.each([[['--help']], [['owner', 'claim', '--help']], [['--version']]])(
    '%j is no error',
    async (argv) => {
      expect(await cli(...argv)).toMatchObject({ status: 0, err: '' });
    },
  );

  test('errors of the file system', () => {
    const error = (code: string, syscall: string) =>
      Object.assign(new Error(code), { code, syscall, path: '/x' });
    expect(problemOf(error('ENOENT', 'open')).exit).toBe(66);
    expect(problemOf(error('EACCES', 'open')).exit).toBe(77);
    expect(problemOf(error('ENOSPC', 'write')).exit).toBe(73);
    expect(problemOf(new Error('?')).exit).toBe(70);
  });
});

test('nothing that comes over the network can move the cursor', () => {
  expect(printable('a\u001b[2Jb\r\nc\u202e')).toBe('a\ufffd[2Jb\ufffd\ufffdc\ufffd');
  expect(toJson({ name: '\u009b2J', bytes: Uint8Array.of(1, 255), buffer: Buffer.from([2]) })).toBe(
    '{"name":"\\u009b2J","bytes":"01ff","buffer":"02"}',
  );
});

describe('with a broker', () => {
  let fixture: PartyFixture;
  let device: MessageDevice;
  let common: string[];
  beforeEach(async () => {
    fixture = await PartyFixture.create();
    device = new MessageDevice();
    device.rosterVersion = 1;
    common = ['--broker', fixture.broker.url, '--device', 'test'];
    for (const keys of [fixture.owner, fixture.sensor, fixture.rules])
      writeKeyFile(join(home, `${keys.role}.key.json`), keys);
    writeFileSync(join(home, 'owner.pub'), publicLine(publicOf(fixture.owner)));
  });
  afterEach(() => fixture.close());

  test('owner claim, enrol, roster', async () => {
    const claimed = { signing: SigningKey.generate(), agreement: AgreementKey.generate() };
    await fixture.retain(topics.hello, device.hello({ claimNonce: new Uint8Array(16) }));
    await fixture.answerEvidence(device, { securityLevel: 1 });
    await fixture.adversary.subscribe(topics.owner, ({ payload }) => {
      const {
        device: kid,
        counter,
        nonce,
      } = verifyOwnerStatement(payload, [fixture.owner.signing.publicKey]);
      const { publicKey: signingKey } = claimed.signing;
      const { publicKey: agreementKey } = claimed.agreement;
      const reply = signOwnerReply(
        {
          device: kid,
          counter,
          nonce,
          status: 0,
          signingKey,
          agreementKey,
          statement: statementDigest(payload),
        },
        claimed.signing,
      );
      void fixture.adversary.publish(topics.ownerReply, reply);
    });
    // The level must be named, and somebody must have looked at the fingerprint.
    expect(await cli('owner', 'claim', ...common, '--yes')).toMatchObject({ status: 64 });
    expect(await cli('owner', 'claim', ...common, '--accept', 'optee', '--yes')).toMatchObject({
      status: 77,
    });
    expect(await cli('--json', 'owner', 'claim', ...common, '--accept', 'software')).toMatchObject({
      status: 64,
    });
    const claim = await cli('--json', 'owner', 'claim', ...common, '--accept', 'software', '--yes');
    expect(claim.status).toBe(0);
    expect(parsed(claim.out)).toMatchObject({ name: 'test', acceptedLevel: 'software', roster: 1 });
    const line = publicLine(publicOf(fixture.sensor));
    const enrol = await cli('owner', 'enrol', ...common.slice(0, 2), line, '--not-after', '2030-01-01');
    expect(enrol).toMatchObject({ status: 0, out: 'sensor porch takes part: roster 2\n' });
    const roster = await cli('--json', 'owner', 'roster', ...common.slice(0, 2));
    expect(parsed(roster.out)).toMatchObject({
      version: 2,
      devices: [{ name: 'test', level: 'software' }],
      members: [{ name: 'porch', role: 'sensor', notAfter: '2030-01-01T00:00:00.000Z' }],
    });
    expect(await cli('owner', 'revoke', ...common.slice(0, 2), 'nobody')).toMatchObject({ status: 77 });
    expect(await cli('owner', 'revoke', '--offline', 'porch')).toMatchObject({
      status: 0,
      out: 'porch is out: roster 3\n',
    });
    const zone = (...argv: string[]) => cli('owner', 'zone', ...argv, '--offline');
    expect(await zone('add', 'porch', 'test')).toMatchObject({
      status: 0,
      out: 'zone porch: test; roster 4\n',
    });
    expect(await zone('add', 'porch', 'nobody')).toMatchObject({ status: 77, out: '' });
    expect(await zone('add', 'porch')).toMatchObject({ status: 64 });
    expect(await zone('remove', 'garage')).toMatchObject({ status: 77, out: '' });
    const { zones } = parsed((await cli('--json', 'owner', 'roster', ...common.slice(0, 2))).out);
    expect(zones).toMatchObject([{ name: 'porch', devices: ['test'] }]);
    const [{ id } = { id: '' }] = zones as { id: string }[];
    expect(parsed((await cli('--json', 'owner', 'zone', 'remove', id, '--offline')).out)).toEqual({
      zone: id,
      devices: [],
      roster: 5,
    });
  });

  test('sensor send: every picture is sealed, sent and receipted', async () => {
    await fixture.retain(topics.roster, fixture.roster(1, device));
    await fixture.retain(topics.hello, device.hello());
    const { kid, publicKey } = fixture.sensor.signing;
    let offer: Offer | undefined;
    let frames = 0;
    await fixture.adversary.subscribe(topics.sensorOffer(kid), ({ payload }) => {
      offer = device.openOffer(payload, publicKey);
    });
    await fixture.adversary.subscribe(topics.sensorFrame(kid), ({ payload }) => {
      if (offer === undefined) return;
      const { number } = device.openFrame(payload, offer, kid);
      frames++;
      void fixture.retain(topics.sensorReceipt(kid), device.receipt(offer, number));
    });
    const raw = join(home, 'frame.raw');
    writeFileSync(raw, Uint8Array.of(1, 2, 3, 4));
    const sent = await cli('--json', 'sensor', 'send', ...common, '--raw', raw, raw, raw);
    expect(sent.err).toBe('');
    expect(sent.status).toBe(0);
    expect(parsed(sent.out)).toEqual({ frames: 3, receipted: 3, dropped: 0, queued: 0 });
    expect(frames).toBe(3);
    expect(existsSync(join(home, 'sensor.seen.json'))).toBe(true);
    // Not a picture.
    expect(await cli('sensor', 'send', ...common, raw)).toMatchObject({ status: 65 });
  });

  test('sensor send --timeout: a device may take over half a minute for a frame, and is asked once', async () => {
    await fixture.retain(topics.roster, fixture.roster(1, device));
    await fixture.retain(topics.hello, device.hello());
    const { kid, publicKey } = fixture.sensor.signing;
    const offers: Offer[] = [];
    let frames = 0;
    await fixture.adversary.subscribe(topics.sensorOffer(kid), ({ payload }) => {
      offers.push(device.openOffer(payload, publicKey));
    });
    await fixture.adversary.subscribe(topics.sensorFrame(kid), ({ payload }) => {
      const offer = offers.at(-1);
      if (offer === undefined) return;
      const { number } = device.openFrame(payload, offer, kid);
      frames++;
      setTimeout(() => void fixture.retain(topics.sensorReceipt(kid), device.receipt(offer, number)), 32_000);
    });
    const raw = join(home, 'frame.raw');
    writeFileSync(raw, Uint8Array.of(1, 2, 3, 4));
    const sent = await cli('--json', 'sensor', 'send', ...common, '--timeout', '140', '--raw', raw);
    expect(parsed(sent.out)).toEqual({ frames: 1, receipted: 1, dropped: 0, queued: 0 });
    expect(sent.status).toBe(0);
    expect({ offers: offers.length, frames }).toEqual({ offers: 1, frames: 1 });
  }, 60_000);

  test('sensor send without a device: temporary, and it says what is missing', async () => {
    const raw = join(home, 'frame.raw');
    writeFileSync(raw, Uint8Array.of(1));
    const { status, err } = await cli('sensor', 'send', ...common, '--timeout', '0.2', '--raw', raw);
    expect(status).toBe(75);
    expect(err).toContain('no roster at smartzone/test');
  });

  test('rules run: a label turns the porch light on', async () => {
    const file = join(home, 'rules.json');
    writeFileSync(
      file,
      JSON.stringify({
        rules: [
          {
            name: 'porch light',
            when: { class: 'face', score: 0.4 },
            on: [{ publish: { topic: 'home/porch', payload: 'ON' } }],
            off: [{ publish: { topic: 'home/porch', payload: 'OFF' } }],
          },
        ],
      }),
    );
    const lamp: string[] = [];
    await fixture.adversary.subscribe('home/porch', ({ payload }) =>
      lamp.push(new TextDecoder().decode(payload)),
    );
    await fixture.adversary.subscribe(topics.rulesHello(fixture.rules.signing.kid), ({ payload }) => {
      const { publicKey, kid } = fixture.rules.signing;
      void fixture.retain(topics.rulesOffer(kid), device.labelOffer(payload, publicKey, kid)).then(() => {
        const sensor = fixture.sensor.signing.kid;
        return fixture.adversary.publish(topics.label(sensor), device.sealLabel(device.label(sensor)));
      });
    });
    await fixture.retain(topics.roster, fixture.roster(1, device));
    await fixture.retain(topics.hello, device.hello());
    const { status, out } = await cli('rules', 'run', ...common, '--count', '1', file);
    expect(status).toBe(0);
    // It goes off when the program ends: nobody would do it later.
    expect(out).toBe('porch light: on\nporch light: off\n');
    await until(() => lamp.length === 2, 'the lamp');
    expect(lamp).toEqual(['ON', 'OFF']);
  });

  test('rules watch --zone follows the devices of a zone, and acts once on a frame that two of them label', async () => {
    const other = new MessageDevice();
    const both = [
      { at: device, topic: topics },
      { at: other, topic: new Topics('smartzone/other') },
    ] as const;
    const zone = {
      id: asKid(new Uint8Array(8).fill(7)),
      name: 'porch',
      devices: both.map(({ at }) => at.kid),
    };
    const listed = both.map(({ at }, i) => ({
      signingKey: at.signing.publicKey,
      agreementKey: at.agreement.publicKey,
      securityLevel: 0 as const,
      name: `pi ${i}`,
    }));
    const roster = fixture.roster(1, undefined, { devices: listed, zones: [zone] });
    const sensor = fixture.sensor.signing.kid;
    const label = { ...device.label(sensor), zone: zone.id };
    const next = { ...device.label(sensor), frameNumber: 2, zone: zone.id };
    let answered = 0;
    const { publicKey, kid } = fixture.rules.signing;
    for (const { at, topic } of both) {
      at.rosterVersion = 1;
      await fixture.adversary.subscribe(topic.rulesHello(kid), ({ payload }) => {
        const own = { device: at.kid, bootNonce: at.bootNonce, zone: zone.id };
        void fixture
          .retain(topic.rulesOffer(kid), at.labelOffer(payload, publicKey, kid))
          .then(() => fixture.adversary.publish(topic.label(sensor), at.sealLabel({ ...label, ...own })))
          .then(async () => {
            // Both have labelled the same frame: the next one ends the command.
            if (++answered < both.length) return;
            await fixture.adversary.publish(topics.label(sensor), device.sealLabel(next));
          });
      });
      await fixture.retain(topic.roster, roster);
      await fixture.retain(topic.hello, at.hello());
    }
    const { out, status } = await cli(
      ...['--json', 'rules', 'watch', ...common.slice(0, -2), '--zone', 'porch', '--count', '2'],
    );
    expect(status).toBe(0);
    const frames = out
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { frameId: string }).frameId);
    expect(new Set(frames).size).toBe(2);
  });

  test('rules watch prints labels as JSON lines', async () => {
    const sensor = fixture.sensor.signing.kid;
    await fixture.adversary.subscribe(topics.rulesHello(fixture.rules.signing.kid), ({ payload }) => {
      const { publicKey, kid } = fixture.rules.signing;
      void fixture
        .retain(topics.rulesOffer(kid), device.labelOffer(payload, publicKey, kid))
        .then(() => fixture.adversary.publish(topics.label(sensor), device.sealLabel(device.label(sensor))));
    });
    await fixture.retain(topics.roster, fixture.roster(1, device));
    await fixture.retain(topics.hello, device.hello());
    const { out } = await cli('--json', 'rules', 'watch', ...common, '--count', '1');
    expect(parsed(out)).toMatchObject({
      device: { name: 'pi' },
      sensor: { name: 'porch', kid: Buffer.from(sensor).toString('hex') },
      results: { kind: 'classes', classes: [{ name: 'face', score: 0.5 }] },
    });
  });

  test('status shows what is retained, and says when nothing is', async () => {
    expect(await cli('status', ...common, '--timeout', '0.2')).toMatchObject({ status: 75 });
    await fixture.retain(topics.hello, device.hello());
    await fixture.retain(topics.state, new TextEncoder().encode('{"state":"online"}'));
    const { status, out } = await cli('status', ...common, '--timeout', '0.2');
    expect(status).toBe(0);
    expect(out).toContain('"state":"online"');
    expect(out).toContain('software TEE: protects nobody');
    expect(out).toContain('takes u8 2x2x1');
  });
});
