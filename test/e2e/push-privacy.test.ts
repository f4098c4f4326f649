/**
 * While a model comes over the air, and while it runs: no weight, no content key and nothing of the golden test is in the clear in the
 * memory or on the disk of agent, TEE client, TEE supervisor and broker, in any message, or in what the publisher's commands write.
 * The push stands still at each moment at which everything is searched.
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
import { PackageTopics } from '../../protocol/topics.js';
import { findMosquitto } from './brokers.js';
import { CommandProcess } from './command-process.js';
import { ModelSecrets } from './model-secrets.js';
import { readMemory, whilePlanted, whileStopped } from './process-memory.js';
import { PREFIX, theScenes, until, World } from './world.js';

/** MediaPipe's BlazeFace for the whole room (Apache-2.0): float16 in the file, a megabyte. */
const MODEL = 'node_modules/@mediapipe/face_detection/face_detection_full_range.tflite';

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
    for (let i = 0; i < 3; i += 1) {
      const { model } = await world.labelOf(await world.sensor.sendPicture(scene.picture));
      labelledBy.push([moment, toHex(model)]);
    }
  };

  beforeAll(async () => {
    world = await World.create({ broker: 'mosquitto', agent: { 'log.level': 'debug' } });
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

    const topics = new PackageTopics(content.digest);
    const total = content.segments.length;
    const stops = [Math.floor(total / 3), Math.floor((2 * total) / 3)];
    let sent = 0;
    const watch = await world.home.link('watch');
    await watch.subscribe(topics.segment('+'), () => {
      sent += 1;
      if (sent === stops[0] || sent === stops[1]) commands.at(-1)?.child.kill('SIGSTOP');
    });
    let installing = false;
    await watch.subscribe(world.topics.modelStatus, ({ payload }) => {
      const { push: state } = JSON.parse(Buffer.from(payload).toString()) as { push?: { state?: string } };
      if (state?.state !== 'installing' || installing) return;
      installing = true;
      const { client } = world.agent.teePids;
      if (client === undefined) throw new Error('no TEE client process');
      whileStopped(world.agent.pid, () => whileStopped(client, () => searchEverything('installing')));
    });

    await label('before');
    searchEverything('before');
    const owner = publicLine(publicOf(world.home.ownerKeys));
    const device = ['--to', PREFIX, '--owner', owner, '--broker', world.broker.url];
    const push = run('--json', 'model', 'push', file(), ...device);
    for (const [i, moment] of ['a third', 'two thirds'].entries()) {
      const stop = stops[i] ?? 0;
      await until(
        () => sent >= stop,
        () => `${sent} of ${total} segments; ${push.written.toString()}; ${world.report()}`,
      );
      await label(moment);
      expect(sent).toBeLessThan(total);
      searchEverything(moment);
      if (i === 0) inPublisher = inMemory(push.pid).found;
      process.kill(push.pid, 'SIGCONT');
    }
    await push.succeeds();
    searchEverything('committed');
    await until(
      () => world.sensor.inputShape?.dims[0] === 192,
      () => JSON.stringify(world.sensor.inputShape),
    );
    await label('committed');
    // The same again: says that it is there.
    await run('model', 'push', file(), ...device).succeeds();
    await run('--json', 'model', 'status', ...device).succeeds();
    searchEverything('in use');
  }, 120_000);
  afterAll(async () => {
    for (const { child } of commands) {
      child.kill('SIGCONT');
      child.kill('SIGKILL');
    }
    await world?.close();
  });

  test('is committed, and frames are labelled before, meanwhile and after', () => {
    const was = toHex(world.signed.digest);
    const is = toHex(content.digest);
    const three = (moment: string, model: string): [string, string][] =>
      Array.from({ length: 3 }, () => [moment, model]);
    expect(labelledBy).toEqual([
      ...three('before', was),
      ...three('a third', was),
      ...three('two thirds', was),
      ...three('committed', is),
    ]);
    expect(new Set(world.recorder.of(/\/segment\//).map(({ topic }) => topic)).size).toBe(
      content.segments.length,
    );
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
    await world.recorder.publish('planted', planted);
    await until(
      () => world.recorder.of('planted').length > 0,
      () => 'the planted message',
    );
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
