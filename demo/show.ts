import type { Observed } from '../broker-dev/broker.js';
import type { BrokerLink } from '../clients/link/index.js';
import { EngineTool, type EngineResult, type SealedModel } from '../clients/publisher/index.js';
import { resizePicture } from '../clients/picture/index.js';
import {
  parseRules,
  performActions,
  RuleEngine,
  type Detection,
  type LabelEvent,
  type RulesClient,
} from '../clients/rules/index.js';
import type { SensorClient } from '../clients/sensor/index.js';
import { toHex } from '../protocol/bytes.js';
import { CleartextSearch, type Finding } from './cleartext-search.js';
import { PERSON, type Household } from './household.js';
import type { Scene } from './scenes.js';
import { JsonScreen, type Screen } from './screen.js';

export interface Cast {
  readonly home: Household;
  readonly model: SealedModel;
  readonly sensor: SensorClient;
  readonly rules: RulesClient;
  /** The rules host's connection to the broker. */
  readonly link: BrokerLink;
  readonly scenes: readonly Scene[];
  /** Milliseconds between frames. */
  readonly interval: number;
  /** End after so many frames; without it, when `stop` says so. */
  readonly frames?: number;
  readonly stop: AbortSignal;
  /** How long the last labels may take, in milliseconds. Default 10 000. */
  readonly patience?: number;
}

export interface Summary {
  readonly good: boolean;
  readonly frames: number;
  readonly labels: number;
  /** Frames without a label. */
  readonly lost: number;
  /** Labels that name no frame of ours, or say something else than the network does on this machine. */
  readonly wrong: number;
  readonly people: number;
  /** What the broker saw in the clear. */
  readonly leaks: readonly string[];
  readonly brokerMessages: number;
  readonly brokerBytes: number;
  /** From the sensor's clock to the opened label, in milliseconds: the middle one. */
  readonly latencyMs: number;
}

interface Expected {
  readonly scene: Scene;
  /** What the network finds, run outside of the TEE. */
  readonly results: readonly EngineResult[];
}

const PAYLOAD_HEAD = 24;
const PATIENCE_MS = 10_000;

/** Streams scenes, compares what comes back with what should, and looks for secrets in everything the broker saw. */
export class Show {
  readonly #seen: Observed[] = [];
  readonly #frames = new Map<string, Expected>();
  readonly #labelled = new Set<string>();
  readonly #latencies: number[] = [];
  readonly #search = new CleartextSearch();
  readonly #leaks = new Set<string>();
  #wrong = 0;
  #people = 0;
  #light = false;
  #over = false;

  constructor(
    private readonly screen: Screen,
    private readonly prefix: string,
  ) {}

  /** Called by the broker with every message. */
  observed(message: Observed): void {
    if (this.#over) return;
    this.#seen.push(message);
    const { topic, payload } = message;
    this.screen.broker({ topic, size: payload.length, head: headOf(topic, payload) });
  }

  async play(cast: Cast): Promise<void> {
    const { home, model, rules, sensor, scenes, interval, frames = Infinity, stop } = cast;
    const { patience = PATIENCE_MS } = cast;
    for (const [name, bytes] of secretsOf(home, model)) this.#search.addExact(name, bytes);
    const engine = this.#lightRule(cast);
    const scene = await expectations(scenes, model);
    for (const { data } of scene) this.#search.addFrame('a frame', data);
    // Messages of before the stream count too.
    rules.on('label', (label) => {
      this.#receive(label);
      engine.apply(label);
    });
    for (let sent = 0; sent < frames && !stop.aborted; sent += 1) {
      const next = scene[sent % scene.length] as (typeof scene)[number];
      const id = sensor.sendFrame(next.data);
      this.#frames.set(toHex(id), next);
      this.#status();
      if (sent + 1 < frames) await pause(interval, stop);
    }
    await sensor.idle(patience).catch(() => undefined);
    const end = Date.now() + patience;
    while (this.#labelled.size < this.#frames.size && Date.now() < end)
      await pause(20, new AbortController().signal);
    await pause(50, new AbortController().signal);
    engine.close();
    this.#searchAll();
  }

  /** Of everything until now; what comes later, when all is taken down, is no part of the show. */
  summary(): Summary {
    this.#over = true;
    const lost = this.#frames.size - this.#labelled.size;
    const sorted = [...this.#latencies].sort((a, b) => a - b);
    return {
      good: lost === 0 && this.#wrong === 0 && this.#leaks.size === 0 && this.#frames.size > 0,
      frames: this.#frames.size,
      labels: this.#labelled.size,
      lost,
      wrong: this.#wrong,
      people: this.#people,
      leaks: [...this.#leaks],
      brokerMessages: this.#seen.length,
      brokerBytes: this.#seen.reduce((sum, { payload }) => sum + payload.length, 0),
      latencyMs: sorted[sorted.length >> 1] ?? 0,
    };
  }

  #receive(label: LabelEvent): void {
    const id = toHex(label.frameId);
    const expected = this.#frames.get(id);
    const { results } = label;
    const detections = results.kind === 'detections' ? results.detections : [];
    this.#latencies.push(label.received - label.sensorTime);
    if (expected === undefined || this.#labelled.has(id) || !isSame(detections, expected.results))
      this.#wrong += 1;
    else this.#people += detections.filter(({ name }) => name === PERSON).length;
    if (expected !== undefined) this.#labelled.add(id);
    if (this.screen instanceof JsonScreen) {
      const { number, sensorTime, received } = label;
      const latencyMs = received - sensorTime;
      this.screen.object('label', { scene: expected?.scene.name, number, latencyMs, detections });
    } else this.screen.rules(describe(expected?.scene.name ?? 'an unknown frame', label));
    this.#status();
  }

  /** The porch light: on with a person, off when none was seen for a while. */
  #lightRule({ link, interval }: Cast): RuleEngine {
    const parsed = parseRules({
      rules: [
        {
          name: 'porch light',
          when: { class: PERSON, score: 0.4 },
          hold: Math.max(0.05, (interval * 1.5) / 1000),
          on: [{ print: 'porch light on' }],
          off: [{ print: 'porch light off' }],
        },
      ],
    });
    const engine = new RuleEngine(parsed);
    const print = (line: string): void => {
      this.#light = line.endsWith('on');
      if (this.screen instanceof JsonScreen) this.screen.object('light', { on: this.#light });
      else this.screen.rules(`  → ${line}`);
      this.#status();
    };
    engine.on('edge', (edge) => void performActions(edge, { print, link }));
    return engine;
  }

  #status(): void {
    const bytes = this.#seen.reduce((sum, { payload }) => sum + payload.length, 0);
    this.screen.status(
      `frames ${this.#frames.size}   labels ${this.#labelled.size}   light ${this.#light ? 'on' : 'off'}   ` +
        `the broker saw ${this.#seen.length} messages, ${(bytes / 1024).toFixed(0)} KiB   Ctrl-C ends`,
    );
  }

  #searchAll(): void {
    for (const { topic, payload } of this.#seen) {
      const where = topic.replace(`${this.prefix}/`, '');
      const finding: Finding | undefined =
        this.#search.find(payload) ?? this.#search.find(Buffer.from(topic));
      if (finding) this.#leaks.add(`${finding.secret} in ${where}`);
    }
  }
}

export const summaryLine = (summary: Summary): string => {
  const { good, frames, labels, lost, wrong, people, leaks, brokerMessages, brokerBytes, latencyMs } =
    summary;
  const seen = leaks.length === 0 ? 'nothing in the clear' : `IN THE CLEAR: ${leaks.join(', ')}`;
  return (
    `${good ? 'ok' : 'FAILED'}: ${frames} frames, ${labels} labels, ${people} people, ${lost} lost, ${wrong} wrong; ` +
    `the broker saw ${brokerMessages} messages, ${(brokerBytes / 1024).toFixed(0)} KiB, ${seen}; ` +
    `frame to label ${latencyMs} ms (median)`
  );
};

/** Of a record, ciphertext rather than its header, which everyone may read: it lies in the middle. */
const headOf = (topic: string, payload: Buffer): Uint8Array => {
  const sealed = /\/(frame|telemetry)$|\/label\//.test(topic);
  const at = sealed ? payload.length >> 1 : 0;
  return payload.subarray(at, at + PAYLOAD_HEAD);
};

const secretsOf = (home: Household, model: SealedModel): [string, Uint8Array][] => [
  ['a label name', Buffer.from(PERSON)],
  ['the content key', model.contentKey],
  ...home.parties.flatMap(({ role, signing, agreement }): [string, Uint8Array][] => [
    [`the ${role}'s signing key`, signing.exportSeed()],
    ...(agreement ? [[`the ${role}'s agreement key`, agreement.exportScalar()] as [string, Uint8Array]] : []),
  ]),
];

/** The TA runs the same kernels as this machine: only the label's rounding may differ. */
const isSame = (detections: readonly Detection[], expected: readonly EngineResult[]): boolean =>
  detections.length === expected.length &&
  detections.every(({ index, score, box }, i) => {
    const other = expected[i];
    if (other === undefined || index !== other.class) return false;
    const [left, top, right, bottom] = other.box;
    const pairs = [
      [score, other.score],
      [box.x, left],
      [box.y, top],
      [box.width, right - left],
      [box.height, bottom - top],
    ] as const;
    return pairs.every(([a, b]) => Math.abs(a - b) < 0.005);
  });

/** Each scene as the sensor sends it, and what the network says of it when it runs on this machine without any TEE. */
const expectations = async (
  scenes: readonly Scene[],
  model: SealedModel,
): Promise<(Expected & { readonly data: Uint8Array })[]> => {
  const { dims } = model.header.input;
  const shape = { height: dims[0] ?? 0, width: dims[1] ?? 0, channels: 3 } as const;
  const engine = EngineTool.find();
  const known = new Map<Scene['picture'], Promise<Expected & { readonly data: Uint8Array }>>();
  const expect = async (scene: Scene): Promise<Expected & { readonly data: Uint8Array }> => {
    const { data } = resizePicture(scene.picture, shape);
    const { results } = await engine.infer(model.graph, model.header.input.format, data);
    return { scene, data, results };
  };
  for (const scene of scenes) known.set(scene.picture, known.get(scene.picture) ?? expect(scene));
  return Promise.all(
    scenes.map((scene) => known.get(scene.picture) as Promise<Expected & { readonly data: Uint8Array }>),
  );
};

const describe = (scene: string, { results, received, sensorTime }: LabelEvent): string => {
  const time = `${received - sensorTime} ms`.padStart(6);
  if (results.kind !== 'detections' || results.detections.length === 0) return `${time}  ${scene}: nobody`;
  const [best] = [...results.detections].sort((a, b) => b.score - a.score);
  if (best === undefined) return `${time}  ${scene}`;
  const { x, y, width, height } = best.box;
  const percent = (value: number): string => `${Math.round(100 * value)}`;
  const others = results.detections.length - 1;
  return (
    `${time}  ${scene}: ${best.name} ${percent(best.score)} % at ` +
    `${percent(x + width / 2)},${percent(y + height / 2)}${others > 0 ? ` +${others}` : ''}`
  );
};

const pause = (milliseconds: number, stop: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      stop.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    if (stop.aborted) done();
    else stop.addEventListener('abort', done);
  });
