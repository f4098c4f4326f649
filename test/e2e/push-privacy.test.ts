/**
 * While a model comes over the air, and while it runs: no weight, no content key and nothing of the golden test is in the clear in the
 * memory or on the disk of agent, TEE client, TEE supervisor and broker, in any message, or in what the publisher's commands write.
 * The push stands still at each moment at which everything is searched, however long that takes: twice because a segment is held back
 * on its way to the broker, once because the TA's storage does not answer, so that the installation waits at its commit.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { publicLine, publicOf } from '../../clients/keys/index.js';
import {
  EngineTool,
  openPackage,
  readPackage,
  readPackageFile,
  type ReadPackage,
} from '../../clients/publisher/index.js';
import { toHex } from '../../protocol/bytes.js';
import { findMosquitto } from './brokers.js';
import { CommandProcess } from './command-process.js';
import { ModelSecrets } from './model-secrets.js';
import { readMemory, whilePlanted, whileStopped } from './process-memory.js';
import { UnreliableNetwork } from './unreliable-network.js';
import { PREFIX, theScenes, until, World } from './world.js';

/** MediaPipe's BlazeFace for the whole room (Apache-2.0): float16 in the file, a megabyte. */
const MODEL = 'node_modules/@mediapipe/face_detection/face_detection_full_range.tflite';
/** For each step on a busy machine: nothing but a failure is told by how long something takes. */
const PATIENCE_MS = 120_000;
/** At each moment. Few: what ten labels of a model on trial bring about is a storage call. */
const FRAMES = 2;

interface Searched {
  readonly moment: string;
  readonly memory: ReadonlyMap<string, number>;
  readonly files: number;
  readonly fileBytes: number;
  readonly messages: number;
  readonly messageBytes: number;
  readonly outputBytes: number;
  readonly findings: readonly string[];
}

const withMosquitto = findMosquitto() === undefined ? describe.skip : describe;
if (withMosquitto === describe.skip) console.warn('skipped: a private push: mosquitto is not installed');

withMosquitto('a push over mosquitto', () => {
  const secrets = new ModelSecrets();
  const searches: Searched[] = [];
  const commands: CommandProcess[] = [];
  let world: World;
  let network: UnreliableNetwork;
  let content: ReadPackage;
  let publishing: string;
  let temporary: string;
  /** What the publisher's memory held at a third: names of secrets. */
  let inPublisher = new Set<string>();
  const labelledBy: [moment: string, model: string][] = [];

  const file = (): string => join(publishing, 'room.szm');
  const run = (...args: readonly string[]): CommandProcess => {
    const command = new CommandProcess(['--home', join(world.folder, 'keys'), ...args], temporary);
    commands.push(command);
    return command;
  };

  const processes = (): [string, number][] => {
    const { client, supervisor } = world.agent.teePids;
    const all = { agent: world.agent.pid, client, supervisor, broker: world.broker.pid };
    return Object.entries(all).map(([name, pid]) => {
      if (pid === undefined) throw new Error(`no ${name} process`);
      return [name, pid];
    });
  };
  /** The content key lies beside the package, in a file of the publisher's own: that one is not among them. */
  const folders = (): [string, string][] => [
    ['models', world.agent.modelFolder],
    ['trusted storage', world.agent.teeFolder],
    ['agent', join(world.folder, 'agent')],
    ['broker', join(world.folder, 'broker')],
    ['keys and what was seen', join(world.folder, 'keys')],
    ['temporary files of the publisher', temporary],
  ];
  const filesIn = (folder: string): string[] =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name));

  const inMemory = (pid: number): { found: Set<string>; size: number } => {
    const found = new Set<string>();
    const size = readMemory(pid, (piece) => secrets.in(piece).forEach((name) => found.add(name)));
    return { found, size };
  };

  const searchEverything = (moment: string): void => {
    const findings: string[] = [];
    const look = (place: string, bytes: Uint8Array): number => {
      for (const name of secrets.in(bytes)) findings.push(`${name} in ${place}`);
      return bytes.length;
    };
    const memory = new Map<string, number>();
    for (const [name, pid] of processes()) {
      const { found, size } = inMemory(pid);
      memory.set(name, size);
      for (const secret of found) findings.push(`${secret} in the memory of the ${name}`);
    }
    const paths = [...new Set([...folders().flatMap(([, folder]) => filesIn(folder)), file()])];
    let fileBytes = 0;
    for (const path of paths) fileBytes += look(relative(world.folder, path), readFileSync(path));
    const { messages } = world.recorder;
    let messageBytes = 0;
    for (const { topic, payload } of messages)
      messageBytes += look(topic, payload) + look('a topic', Buffer.from(topic));
    const log = Buffer.from(world.agent.log.map((line) => JSON.stringify(line)).join('\n'));
    let outputBytes = look("the agent's log", log);
    for (const { written } of commands) outputBytes += look('what a command wrote', written);
    searches.push({
      moment,
      memory,
      files: paths.length,
      fileBytes,
      messages: messages.length,
      messageBytes,
      outputBytes,
      findings,
    });
  };

  /** Some frames, labelled by the model that is in force now. */
  const label = async (moment: string): Promise<void> => {
    const [scene] = await theScenes();
    if (scene === undefined) throw new Error('no scene');
    for (let i = 0; i < FRAMES; i += 1) {
      const frame = await world.sensor.sendPicture(scene.picture);
      const { model } = await world.labelOf(frame, PATIENCE_MS);
      labelledBy.push([moment, toHex(model)]);
    }
  };

  /** Segments that the broker has passed on. */
  const passed = (): number => new Set(world.recorder.of(/\/segment\//).map(({ topic }) => topic)).size;
  /** A search can take so long that the broker gives the recorder up: it is back when it hears itself. */
  const recorded = async (topic: string, payload: Uint8Array): Promise<void> => {
    const before = world.recorder.of(topic).length;
    while (world.recorder.of(topic).length === before) {
      await world.recorder.publish(topic, payload);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  /** The publisher sends one segment after the other: with the `stops`-th held back it sends no other. */
  const holdBack = (stops: readonly number[]): void => {
    const seen = new Set<string>();
    network.fate = (topic) => {
      if (!topic.includes('/segment/') || seen.has(topic)) return undefined;
      return stops.includes(seen.add(topic).size) ? 'held' : undefined;
    };
  };
  /** The TA has been given so much that the agent tells of nothing more before the commit. */
  const installing = (): boolean => {
    const steps = Math.ceil(content.segments.length / 10);
    const last = content.segments.length - 1;
    return world.recorder.of(world.topics.modelStatus).some(({ payload }) => {
      const status = JSON.parse(Buffer.from(payload).toString()) as {
        readonly state: string;
        readonly done?: number;
        readonly push?: { readonly state: string };
      };
      const { state, done, push } = status;
      return state === 'loading' && push?.state === 'installing' && done === last - (last % steps);
    });
  };

  beforeAll(async () => {
    world = await World.create({
      broker: 'mosquitto',
      agent: { 'log.level': 'debug', 'tee.deadlineMs': PATIENCE_MS },
    });
    network = await UnreliableNetwork.start(world.broker.url, 1); // without faults: only to hold back
    publishing = join(world.folder, 'publishing');
    temporary = join(world.folder, 'temporary');
    for (const folder of [publishing, temporary]) mkdirSync(folder, { mode: 0o700 });
    const target = EngineTool.find().target();
    const packed = ['--name', 'room', '--target', target, '--sequence', '2', '--out', file()];
    await run('model', 'pack', MODEL, ...packed).succeeds();
    const { bytes, contentKey } = await readPackageFile(file());
    content = readPackage(bytes);
    secrets.addModel('pushed', openPackage(content, contentKey), contentKey);
    secrets.addFile('pushed: weights as trained', readFileSync(MODEL));
    const { contentKey: before } = world.model;
    secrets.addModel('before', openPackage(readPackage(world.signed.bytes), before), before);

    const total = content.segments.length;
    const stops = [Math.floor(total / 3), Math.floor((2 * total) / 3)];
    holdBack(stops);

    await label('before');
    searchEverything('before');
    const owner = publicLine(publicOf(world.home.ownerKeys));
    const device = ['--to', PREFIX, '--owner', owner, '--broker', network.url];
    await recorded('listening', new Uint8Array(1));
    const push = run('--json', 'model', 'push', file(), ...device, '--timeout', '600');
    const { supervisor, client } = world.agent.teePids;
    if (supervisor === undefined || client === undefined) throw new Error('no TEE processes');
    for (const [i, moment] of ['a third', 'two thirds'].entries()) {
      const before = (stops[i] ?? 0) - 1;
      await until(
        () => network.release.length > 0 && passed() === before,
        () => `${passed()} of ${total} segments; ${push.written.toString()}; ${world.report()}`,
        PATIENCE_MS,
      );
      await label(moment);
      searchEverything(moment);
      if (i === 0) inPublisher = inMemory(push.pid).found;
      expect(passed()).toBe(before);
      // It keeps the storage, and nothing of an open session goes through it.
      if (i === 1) process.kill(supervisor, 'SIGSTOP');
      await recorded('listening', new Uint8Array(1));
      for (const deliver of network.release.splice(0)) deliver();
    }
    await until(installing, () => `${push.written.toString()}; ${world.report()}`, PATIENCE_MS);
    whileStopped(world.agent.pid, () => whileStopped(client, () => searchEverything('installing')));
    process.kill(supervisor, 'SIGCONT');
    await push.succeeds();
    searchEverything('committed');
    await until(
      () => world.sensor.inputShape?.dims[0] === 192,
      () => JSON.stringify(world.sensor.inputShape),
      PATIENCE_MS,
    );
    await label('committed');
    // The same again: says that it is there.
    await run('model', 'push', file(), ...device).succeeds();
    await run('--json', 'model', 'status', ...device).succeeds();
    searchEverything('in use');
  }, 900_000);
  afterAll(async () => {
    for (const { child } of commands) child.kill('SIGKILL');
    await network?.stop();
    await world?.close();
  });

  test('is committed, and frames are labelled before, meanwhile and after', () => {
    const was = toHex(world.signed.digest);
    const is = toHex(content.digest);
    const each = (moment: string, model: string): [string, string][] =>
      Array.from({ length: FRAMES }, () => [moment, model]);
    expect(labelledBy).toEqual([
      ...each('before', was),
      ...each('a third', was),
      ...each('two thirds', was),
      ...each('committed', is),
    ]);
    expect(passed()).toBe(content.segments.length);
  });

  test('nothing of either model is in the clear at any moment', () => {
    const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
    console.log(
      [
        `searched for ${[...secrets.counts].map(([name, count]) => `${name} (${count})`).join(', ')}`,
        ...searches.map(
          ({ moment, memory, files, fileBytes, messages, messageBytes, outputBytes }) =>
            `${moment}: memory ${[...memory].map(([name, size]) => `${name} ${mib(size)}`).join(', ')} MiB; ${files} files, ` +
            `${mib(fileBytes)} MiB; ${messages} messages, ${mib(messageBytes)} MiB; ${outputBytes} bytes of logs and output`,
        ),
      ].join('\n'),
    );
    expect(searches.map(({ moment }) => moment)).toEqual([
      'before',
      'a third',
      'two thirds',
      'installing',
      'committed',
      'in use',
    ]);
    for (const { moment, findings } of searches)
      expect({ moment, findings }).toEqual({ moment, findings: [] });
  });

  test('the ciphertext is where it must be, so the right files and messages were searched', () => {
    const segment = content.segments[1] ?? new Uint8Array(0);
    for (const path of [file(), join(world.agent.modelFolder, 'package')])
      expect({ path, found: readFileSync(path).includes(Buffer.from(segment)) }).toEqual({
        path,
        found: true,
      });
    expect(world.recorder.messages.some(({ payload }) => Buffer.from(payload).equals(segment))).toBe(true);
    expect(readdirSync(join(world.folder, 'broker'))).toContain('mosquitto.db');
    expect(readdirSync(world.agent.teeFolder)).toEqual(expect.arrayContaining(['huk', 'storage']));
    expect(commands.every(({ written }) => written.length > 0)).toBe(true);
  });

  test('secrets that are planted in a process, a folder, a message or an output are found there', async () => {
    const planted = secrets.sample();
    const all = new Set(secrets.counts.keys());
    for (const [name, pid] of processes()) {
      const found = whileStopped(pid, () => whilePlanted(pid, planted, () => inMemory(pid).found));
      expect({ name, found }).toEqual({ name, found: all });
    }
    for (const [name, folder] of folders()) {
      const path = join(folder, 'planted');
      writeFileSync(path, planted);
      const found = filesIn(folder).flatMap((each) => [...secrets.in(readFileSync(each))]);
      rmSync(path);
      expect({ name, found: new Set(found) }).toEqual({ name, found: all });
    }
    await recorded('planted', planted);
    expect(secrets.in(world.recorder.of('planted')[0]?.payload ?? planted.subarray(0, 0))).toEqual(all);
    const { contentKey } = await readPackageFile(file());
    const tells = run('model', 'push', Buffer.from(contentKey).toString('base64url'));
    await expect(tells.succeeds()).rejects.toThrow('exit status');
    expect(secrets.in(tells.written)).toEqual(new Set(['pushed: content key']));
    for (const encoding of ['hex', 'base64', 'base64url'] as const) {
      const text = `{"package":"${Buffer.from(planted).toString(encoding)}"}`;
      expect({ encoding, found: secrets.in(Buffer.from(text)) }).toEqual({ encoding, found: all });
    }
  });

  test('they are where they belong: with the publisher, whose key file is its own, and in the TA', () => {
    const key = file().replace(/szm$/, 'key');
    expect((statSync(key).mode & 0o777).toString(8)).toBe('600');
    expect(secrets.in(readFileSync(key))).toEqual(new Set(['pushed: content key']));
    expect(inPublisher).toContain('pushed: content key');
    expect(readdirSync(temporary)).toEqual([]);
    expect(secrets.in(readFileSync(MODEL))).toContain('pushed: weights as trained');
    // The software TEE keeps its process from being read by anybody but root.
    const { ta } = world.agent.teePids;
    if (ta === undefined) throw new Error('no TA process');
    if (process.getuid?.() === 0) expect(inMemory(ta).found).toContain('pushed: packed weights');
    else expect(() => inMemory(ta)).toThrow(/EACCES|EPERM/);
  });
});
