/**
 * What the device says of itself: evidence and telemetry, read with the same code that clients use.
 */
import { randomBytes } from 'node:crypto';
import {
  codeName,
  encodeAgentCounters,
  equalBytes,
  openRecord,
  parseRecord,
  recordKey,
  verifyEvidence,
  verifyTelemetry,
  type Telemetry,
} from '../../protocol/index.js';
import { DeviceUnderTest, expectOk, frame, type Party, readyDevice } from './device-under-test.js';
import { TaHost } from './ta-host.js';

let device: DeviceUnderTest;
let sensor: Party;
let rules: Party;

beforeAll(async () => {
  ({ device, sensor, rules } = await readyDevice());
});
afterAll(() => device.stop());

describe('evidence', () => {
  test('says what this device is, over the nonce of whoever asks', async () => {
    const hello = await device.hello();
    for (const size of [8, 64]) {
      const nonce = new Uint8Array(randomBytes(size));
      const raw = expectOk(await device.ta.call('EVIDENCE', nonce)).out;
      const evidence = verifyEvidence(raw, hello.signingKey, nonce);
      expect(evidence).toMatchObject({
        debug: 0,
        rosterVersion: 1,
        modelSequence: 1,
        securityLevel: 0,
        softwareVersion: [hello.taVersion],
      });
      expect(equalBytes(evidence.bootNonce, hello.bootNonce)).toBe(true);
      expect(Buffer.from(evidence.taUuid).toString('hex')).toBe('7c3a1f525b0e4c559d2b3f6e0a8c41d7');
      expect(() => verifyEvidence(raw, hello.signingKey, new Uint8Array(randomBytes(size)))).toThrow();
    }
  });

  test('each item says whether it was measured', async () => {
    const hello = await device.hello();
    const nonce = new Uint8Array(randomBytes(32));
    const raw = expectOk(await device.ta.call('EVIDENCE', nonce)).out;
    const { items } = verifyEvidence(raw, hello.signingKey, nonce);
    expect(items.get('tee')).toEqual({ value: 'software', measured: true });
    // The test host runs with a hardware unique key of zeros, as OP-TEE does where there is none.
    expect(items.get('unique-key')).toEqual({ value: 'all zeros', measured: true });
    expect(items.get('anti-rollback-level')).toEqual({ value: 100, measured: true });
    expect(items.get('system-time-level')).toEqual({ value: 100, measured: true });
    expect(items.get('ta-signing-key')).toEqual({ value: 'public default', measured: false });
    expect(items.get('secure-memory-protected')).toEqual({ value: false, measured: false });
    expect(items.get('sandbox')?.measured).toBe(true);
  });

  test('an unclaimed device answers too, with the key of its hello', async () => {
    const fresh = new DeviceUnderTest(TaHost.create());
    const hello = await fresh.hello();
    const nonce = new Uint8Array(randomBytes(16));
    const raw = expectOk(await fresh.ta.call('EVIDENCE', nonce)).out;
    expect(verifyEvidence(raw, hello.signingKey, nonce)).toMatchObject({
      rosterVersion: 0,
      modelSequence: 0,
    });
    await fresh.stop();
  });
});

describe('telemetry', () => {
  const ask = async (agent = new Map<string, number>()): Promise<{ telemetry: Telemetry; size: number }> => {
    const hello = await device.hello();
    const { offer } = await device.labelReader(rules);
    const reply = expectOk(await device.ta.call('TELEMETRY', encodeAgentCounters(agent)));
    expect(reply.b).toBe(offer.epoch);
    const context = { purpose: 'telemetry', device: hello.device, sender: hello.device } as const;
    const record = parseRecord(reply.out);
    const plaintext = openRecord(record, recordKey(offer.secret, context, offer.epoch), context);
    return { telemetry: verifyTelemetry(plaintext, hello.signingKey), size: reply.out.length };
  };

  test('counts what happened, for rules hosts alone, in records of one size', async () => {
    const hello = await device.hello();
    const before = await ask();
    const channel = await device.openChannel(sensor);
    const record = channel.writer.seal(frame());
    expectOk(await device.ta.call('FRAME', record));
    expectOk(await device.ta.call('FRAME', record));
    expect(codeName((await device.ta.call('FRAME', record.subarray(1))).a)).not.toBe('OK');
    const agent = new Map([
      ['queue', 3],
      ['reconnects', 2 ** 32],
    ]);
    const after = await ask(agent);
    const grown = (name: string): number =>
      after.telemetry.counters.get(name)! - before.telemetry.counters.get(name)!;
    expect(['frames', 'labels', 'repeats', 'refused', 'offers'].map(grown)).toEqual([1, 1, 1, 1, 1]);
    for (const name of ['open', 'infer', 'seal'])
      expect(after.telemetry.stages.get(name)!.count - before.telemetry.stages.get(name)!.count).toBe(1);
    expect(equalBytes(after.telemetry.device, hello.device)).toBe(true);
    expect(equalBytes(after.telemetry.bootNonce, hello.bootNonce)).toBe(true);
    expect(after.telemetry.uptime).toBeGreaterThanOrEqual(before.telemetry.uptime);
    expect(after.telemetry.agent).toEqual(agent);
    const { memory } = after.telemetry;
    expect(memory.get('heap_size')).toBe(7 << 20);
    expect(memory.get('heap_peak')).toBeLessThanOrEqual(7 << 20);
    expect(memory.get('model')!).toBeGreaterThan(memory.get('arena')!);
    expect(memory.get('arena')!).toBeGreaterThan(0);
    expect(after.size).toBe(before.size);
  });

  test('what the agent says of itself is a small map of text to numbers, or refused', async () => {
    const most = new Map(
      Array.from({ length: 50 }, (_, i) => [`counter-${i}`.padEnd(24, '.'), 2 ** 40] as const),
    );
    expect((await ask(most)).telemetry.agent.size).toBe(50);
    const bad = [
      new Uint8Array(0),
      new Uint8Array([0xa1, 0x01, 0x01]), // {1: 1}
      new Uint8Array([0xa1, 0x61, 0x61, 0x20]), // {"a": -1}
      new Uint8Array([0xa0, 0x00]),
      encodeAgentCounters(new Map(Array.from({ length: 100 }, (_, i) => [`counter-${i}`.padEnd(24), i]))),
    ];
    for (const message of bad)
      expect(codeName((await device.ta.call('TELEMETRY', message)).a)).toBe('BAD_REQUEST');
  });

  test('numbers strictly increase', async () => {
    const numbers: number[] = [];
    for (let i = 0; i < 3; i++) {
      const reply = expectOk(await device.ta.call('TELEMETRY', encodeAgentCounters(new Map())));
      numbers.push(parseRecord(reply.out).number);
    }
    expect(numbers).toEqual([numbers[0], numbers[0]! + 1, numbers[0]! + 2]);
  });
});
