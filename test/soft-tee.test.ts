import { readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import {
  buildSoftTee,
  Client,
  ended,
  eventually,
  root,
  sleep,
  SoftTee,
  Test,
  type Reply,
} from './support/soft-tee.js';

/** TEEC results and origins (TEE Client API 1.0; TARGET_DEAD: TEE Internal Core API 1.3). */
const OK = 0;
const SHORT_BUFFER = 0xffff0010;
const OUT_OF_MEMORY = 0xffff000c;
const ITEM_NOT_FOUND = 0xffff0008;
const CORRUPT_OBJECT = 0xf0100001;
const TARGET_DEAD = 0xffff3024;
const ORIGIN_TEE = 3;
const ORIGIN_TA = 4;

let tee: SoftTee;
const clients: Client[] = [];

const client = async (bufferSize?: number): Promise<Client> => {
  const opened = await Client.open(tee, bufferSize);
  clients.push(opened);
  return opened;
};

beforeAll(buildSoftTee, 120_000);
afterEach(async () => {
  await Promise.all(clients.splice(0).map((each) => each.kill()));
  await tee.destroy();
});

const isDead = ({ result, origin }: Reply): boolean => result === TARGET_DEAD && origin === ORIGIN_TEE;

describe('calls', () => {
  beforeEach(async () => (tee = await SoftTee.create()));

  test('carry bytes and values both ways', async () => {
    const one = await client();
    const input = Buffer.from('a frame');
    const reply = await one.invoke(Test.ECHO, { input, outLength: 64, a: 41, b: 0xffffffff });
    expect(reply).toMatchObject({ result: OK, origin: ORIGIN_TA, a: 41, c: 42, d: 0 });
    expect(reply.output.toString()).toBe('a frame');
    expect(await one.invoke(Test.ECHO, { input, outLength: 3 })).toMatchObject({
      result: SHORT_BUFFER,
      outLength: 7,
    });
    expect(await one.invoke(Test.EMPTY)).toMatchObject({ result: OK, outLength: 0 });
    expect(await one.invoke(99)).toMatchObject({ result: 0xffff000a, origin: ORIGIN_TA });
    expect(await one.close()).toBe(0);
  });

  test('outside the buffer, or to another TA, are refused', async () => {
    const one = await client(4096);
    await expect(one.invoke(Test.ECHO, { inLength: 4097 })).rejects.toThrow('outside the shared buffer');
    const other = new Client({ SMART_ZONE_TEE_DIR: tee.folder });
    clients.push(other);
    await expect(other.open(4096, '00000000-0000-0000-0000-000000000001')).rejects.toMatchObject({
      code: ITEM_NOT_FOUND,
      origin: ORIGIN_TEE,
    });
  });

  test('one at a time in a session, several sessions with one instance', async () => {
    const [one, two] = [await client(), await client()];
    expect(await one.invoke(Test.EMPTY)).toMatchObject({ c: 1, d: 2 });
    expect(await two.invoke(Test.EMPTY)).toMatchObject({ c: 2, d: 2 });
    const watching = one.invoke(Test.WATCH, { input: Buffer.from([0]) });
    await expect(one.invoke(Test.EMPTY)).rejects.toThrow('under way');
    await one.poke(0, 1);
    await watching;
  });

  test('see shared memory change while they run: it is the same memory', async () => {
    const one = await client();
    const watching = one.invoke(Test.WATCH, { input: Buffer.from([7]) });
    await sleep(100);
    await one.poke(0, 8);
    expect(await watching).toMatchObject({ result: OK, c: 1 });
  });
});

describe('a TA that dies', () => {
  beforeEach(async () => (tee = await SoftTee.create()));

  /** The session is dead and stays dead; a new one finds a new instance. */
  const expectRecovery = async (one: Client, call: Promise<Reply>): Promise<void> => {
    expect(isDead(await call)).toBe(true);
    expect(isDead(await one.invoke(Test.EMPTY))).toBe(true);
    expect(await (await client()).invoke(Test.EMPTY)).toMatchObject({ result: OK, c: 1, d: 1 });
    await one.close();
  };

  test('by a panic', async () => {
    const one = await client();
    await expectRecovery(one, one.invoke(Test.PANIC));
    expect(tee.log).toContain('panic 0x00001234');
  });

  test('by a wild pointer', async () => {
    const one = await client();
    await expectRecovery(one, one.invoke(Test.CRASH));
  });

  test('by SIGKILL in the middle of a call', async () => {
    const one = await client();
    const spinning = one.invoke(Test.SPIN);
    await sleep(50);
    process.kill(tee.taPid, 'SIGKILL');
    await expectRecovery(one, spinning);
  });

  test('with its supervisor', async () => {
    const one = await client();
    const ta = tee.taPid;
    await tee.kill();
    await ended(ta);
    expect(isDead(await one.invoke(Test.EMPTY))).toBe(true);
    await tee.start();
    expect(await (await client()).invoke(Test.EMPTY)).toMatchObject({ result: OK, c: 1 });
  });

  test('while a client that is killed takes only its own session along', async () => {
    const [one, two] = [await client(), await client()];
    void one.invoke(Test.WATCH, { input: Buffer.from([0]) }).catch(() => undefined);
    await sleep(50);
    await one.kill();
    expect(await two.invoke(Test.EMPTY)).toMatchObject({ result: OK, c: 2 });
    expect(await two.invoke(Test.EMPTY)).toMatchObject({ d: 1 });
  });
});

describe('budgets', () => {
  test('the heap is as large as the TA was built with', async () => {
    tee = await SoftTee.create();
    const one = await client();
    const { result, c } = await one.invoke(Test.HOG);
    expect(result).toBe(OK);
    expect(c).toBeGreaterThan(7000);
    expect(c).toBeLessThanOrEqual(7168);
    const peak = await one.invoke(Test.PROPERTY, {
      input: Buffer.from('smartzone.heap.peak'),
      outLength: 64,
    });
    expect(peak.c).toBeGreaterThan(7000 << 10);
  });

  test('the stack is as large as the TA was built with', async () => {
    tee = await SoftTee.create();
    const one = await client();
    expect(await one.invoke(Test.DEEP, { a: 48 })).toMatchObject({ result: OK });
    const peak = await one.invoke(Test.PROPERTY, {
      input: Buffer.from('smartzone.stack.peak'),
      outLength: 64,
    });
    expect(peak.c).toBeGreaterThan(48 << 10);
    expect(isDead(await one.invoke(Test.DEEP, { a: 70 }))).toBe(true);
    expect(tee.log).toContain('TA_STACK_SIZE_KIB');
  });

  test('a TA beyond the secure memory does not load', async () => {
    tee = await SoftTee.create('--heap-kib', '8192');
    await expect(client()).rejects.toMatchObject({ code: OUT_OF_MEMORY, origin: ORIGIN_TEE });
    expect(tee.log).toContain('build with a smaller TA_DATA_SIZE_KIB');
  });

  test('memrefs beyond the page tables are refused, and only they', async () => {
    tee = await SoftTee.create();
    const one = await client(16 << 20);
    const fits = 8 << 20;
    expect(await one.invoke(Test.EMPTY, { inLength: fits })).toMatchObject({ result: OK });
    expect(await one.invoke(Test.EMPTY, { inLength: fits + 1 })).toMatchObject({
      result: OUT_OF_MEMORY,
      origin: ORIGIN_TEE,
    });
    expect(await one.invoke(Test.EMPTY)).toMatchObject({ result: OK });
  });
});

describe('trusted storage', () => {
  const secret = Buffer.from('what only the TA may know');
  beforeEach(async () => (tee = await SoftTee.create()));
  const files = (): string[] => readdirSync(join(tee.folder, 'storage'));

  test('survives the TA and the supervisor, and shows neither data nor names', async () => {
    const one = await client();
    expect(await one.invoke(Test.LOAD, { outLength: 64 })).toMatchObject({ result: ITEM_NOT_FOUND });
    expect(await one.invoke(Test.STORE, { input: secret })).toMatchObject({ result: OK });
    await tee.kill();
    await tee.start();
    const { output } = await (await client()).invoke(Test.LOAD, { outLength: 64 });
    expect(output.equals(secret)).toBe(true);
    expect(files()).toHaveLength(1);
    const content = readFileSync(join(tee.folder, 'storage', files()[0] ?? ''));
    expect(content.includes('only the TA')).toBe(false);
    expect(content.includes('state')).toBe(false);
  });

  test('holds the old or the new object when everything is killed in the middle of writing', async () => {
    const contents = [Buffer.alloc(100_000, 1), Buffer.alloc(100_000, 2)];
    for (let round = 0; round < 6; round++) {
      const one = await client();
      await one.invoke(Test.STORE, { input: contents[round % 2]! });
      void one.invoke(Test.STORE, { input: contents[(round + 1) % 2]! }).catch(() => undefined);
      await sleep(round * 2);
      await tee.kill();
      await tee.start();
      const { result, output } = await (await client()).invoke(Test.LOAD, { outLength: 200_000 });
      expect(result).toBe(OK);
      expect(contents.some((content) => content.equals(output))).toBe(true);
    }
  });

  test('refuses an object that was changed, cut, or belongs to another device', async () => {
    const one = await client();
    await one.invoke(Test.STORE, { input: secret });
    const path = join(tee.folder, 'storage', files()[0] ?? '');
    const good = readFileSync(path);
    for (const change of [
      Buffer.concat([good.subarray(0, -1), Buffer.from([(good.at(-1) ?? 0) ^ 1])]),
      good.subarray(0, -1),
      Buffer.concat([good, Buffer.from([0])]),
      Buffer.alloc(0),
    ]) {
      writeFileSync(path, change);
      expect(await one.invoke(Test.LOAD, { outLength: 64 })).toMatchObject({ result: CORRUPT_OBJECT });
    }
    writeFileSync(path, good);
    expect(await one.invoke(Test.LOAD, { outLength: 64 })).toMatchObject({ result: OK });
    await tee.kill();
    writeFileSync(join(tee.folder, 'huk'), Buffer.alloc(16, 1));
    await tee.start();
    expect(await (await client()).invoke(Test.LOAD, { outLength: 64 })).toMatchObject({
      result: ITEM_NOT_FOUND,
    });
  });

  test('is missed by storage calls only when the supervisor is frozen', async () => {
    const [one, two] = [await client(), await client()];
    process.kill(tee.pid, 'SIGSTOP');
    const input = Buffer.alloc(150_000, 3);
    expect(await one.invoke(Test.ECHO, { input, outLength: input.length })).toMatchObject({ result: OK });

    const storing = one.invoke(Test.STORE, { input: secret });
    const hangs = await Promise.race([storing, sleep(300).then(() => 'hangs')]);
    expect(hangs).toBe('hangs');
    await one.kill(); // as with OP-TEE, that ends the wait
    expect(await two.invoke(Test.ECHO, { input, outLength: input.length })).toMatchObject({ result: OK });

    process.kill(tee.pid, 'SIGCONT');
    expect(await two.invoke(Test.STORE, { input: Buffer.from('newer') })).toMatchObject({ result: OK });
    const { output } = await two.invoke(Test.LOAD, { outLength: 64 });
    expect(output.toString()).toBe('newer');
  });
});

test('a client that does not keep to the protocol harms nobody else', async () => {
  tee = await SoftTee.create();
  const hostile = spawnSync(`${root}build/smart-zone-hostile-client`, [tee.folder], { timeout: 30_000 });
  expect(hostile.stderr.toString()).toBe('');
  expect(hostile.status).toBe(0);
  expect(tee.log).not.toContain('ended');
});

describe('the sandbox', () => {
  beforeEach(async () => (tee = await SoftTee.create()));

  test.each([
    ['a network socket', 0],
    ['a new program', 2],
    ['a local socket', 4],
  ])('ends a TA that asks for %s', async (_name, which) => {
    const one = await client();
    expect(isDead(await one.invoke(Test.INTRUDE, { a: which }))).toBe(true);
    await eventually(() => tee.log.includes('signal 31')); // SIGSYS
  });

  test.each([
    ['files', 1],
    ['folders', 3],
  ])('refuses %s', async (_name, which) => {
    expect(await (await client()).invoke(Test.INTRUDE, { a: which })).toMatchObject({ result: OK, c: 1 });
  });

  test('has no network, no privileges to gain, no file but its log', async () => {
    await client();
    const process = `/proc/${tee.taPid}`;
    const status = readFileSync(`${process}/status`, 'utf8');
    expect(status).toMatch(/^Seccomp:\s+2$/m);
    expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
    if (statSync('/proc/self').uid === 0) {
      expect(status).toMatch(/^Uid:\s+65534\s+65534\s+65534/m);
      expect(status).toMatch(/^CapEff:\s+0+$/m);
      expect(readlinkSync(`${process}/ns/net`)).not.toBe(readlinkSync('/proc/self/ns/net'));
      const open = readdirSync(`${process}/fd`).map((fd) => readlinkSync(`${process}/fd/${fd}`));
      expect(open.filter((target) => !/^(socket|pipe|anon_inode):|^\/dev\/null$|memfd/.test(target))).toEqual(
        [],
      );
    }
  });

  test('leaves the TA its cryptography, on the stack that is meant for it', async () => {
    const one = await client();
    const peak = (): Promise<Reply> =>
      one.invoke(Test.PROPERTY, { input: Buffer.from('smartzone.stack.peak'), outLength: 64 });
    const before = (await peak()).c;
    expect(await one.invoke(Test.CRYPTO)).toMatchObject({ result: OK });
    const after = (await peak()).c;
    console.log(`libcrypto's deepest stack: ${after - before} bytes`);
    expect(after - before).toBeLessThan(32 << 10); // SZ_STACK_MARGIN
  });

  test('is reported to the TA', async () => {
    const { output } = await (
      await client()
    ).invoke(Test.PROPERTY, {
      input: Buffer.from('smartzone.sandbox'),
      outLength: 256,
    });
    expect(output.toString()).toMatch(/(^| )no-new-privs( |$)/);
    expect(output.toString()).toMatch(/(^| )seccomp\0$/);
  });
});

describe('the supervisor', () => {
  test('keeps its folder to its user', async () => {
    tee = await SoftTee.create();
    await client();
    for (const name of ['tee.sock', 'huk', 'storage', 'tee.lock'])
      expect(statSync(join(tee.folder, name)).mode & 0o077).toBe(0);
  });

  test('starts no TA before somebody asks for a session, and only one', async () => {
    tee = await SoftTee.create();
    expect(tee.hasTa).toBe(false);
    await Promise.all([client(), client(), client()]);
    expect(tee.taPid).toBeGreaterThan(0);
  });

  test('is alone in its folder', async () => {
    tee = await SoftTee.create();
    const { status } = spawnSync(`${root}build/smart-zone-tee`, ['--dir', tee.folder]);
    expect(status).toBe(0);
    expect(await (await client()).invoke(Test.EMPTY)).toMatchObject({ result: OK });
  });

  test('ends when its folder is removed', async () => {
    tee = await SoftTee.create();
    await client();
    const { pid, taPid } = tee;
    rmSync(tee.folder, { recursive: true });
    await ended(pid);
    await ended(taPid);
  });

  test('is started by the client library when nobody listens, once', async () => {
    tee = await SoftTee.create();
    await tee.kill();
    const environment = {
      SMART_ZONE_TEE_DIR: tee.folder,
      SMART_ZONE_TEE_SPAWN: `${root}build/smart-zone-tee`,
      SMART_ZONE_TEE_TA: `${root}build/smart-zone-test-ta`,
    };
    const started = [1, 2, 3].map(() => new Client(environment));
    clients.push(...started);
    await Promise.all(started.map((each) => each.open()));
    const sessions = await Promise.all(started.map((each) => each.invoke(Test.EMPTY)));
    expect(sessions.map(({ d }) => d)).toEqual([3, 3, 3]);
    expect(readFileSync(join(tee.folder, 'tee.log'), 'utf8')).toContain('sandbox');
    expect(statSync(join(tee.folder, 'tee.lock')).size).toBe(0);
    await started[0]?.kill(); // it is nobody's child
    expect(await started[1]?.invoke(Test.EMPTY)).toMatchObject({ result: OK });
    rmSync(tee.folder, { recursive: true });
    await sleep(2_500);
    expect(isDead((await started[1]?.invoke(Test.EMPTY)) as Reply)).toBe(true);
  });

  test('is missed politely', async () => {
    tee = await SoftTee.create();
    await tee.kill();
    await expect(client()).rejects.toMatchObject({ code: ITEM_NOT_FOUND, origin: 1 });
  });
});
