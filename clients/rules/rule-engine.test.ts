import { asKid } from '../../protocol/kid.js';
import type { Results } from '../../protocol/messages/results.js';
import type { LabelEvent } from './label-event.js';
import { performActions } from './rule-action.js';
import { RuleEngine, type RuleEdge } from './rule-engine.js';
import { parseRules } from './rule-file.js';
import { matchRule } from './rule-match.js';
import type { RuleTimers } from './timers.js';

const kid = asKid(new Uint8Array(8));
const label = (results: Results, sensor = 'porch'): LabelEvent => ({
  device: { kid, name: 'pi' },
  sensor: { kid, name: sensor },
  number: 1,
  frameId: new Uint8Array(8),
  sensorTime: 0,
  received: 0,
  model: new Uint8Array(32),
  results,
});
const classes = (...items: [string, number][]): Results => ({
  kind: 'classes',
  classes: items.map(([name, score], index) => ({ index, name, score })),
});

/** A clock that moves when it is told to. */
class ManualTimers implements RuleTimers {
  private now = 0;
  private readonly due = new Map<number, { at: number; callback: () => void }>();
  private next = 1;
  set(callback: () => void, milliseconds: number): number {
    this.due.set(this.next, { at: this.now + milliseconds, callback });
    return this.next++;
  }
  clear(timer: unknown): void {
    this.due.delete(timer as number);
  }
  advance(milliseconds: number): void {
    this.now += milliseconds;
    for (const [id, { at, callback }] of [...this.due]) if (at <= this.now && this.due.delete(id)) callback();
  }
}

describe('conditions', () => {
  test.each([
    [{ class: 'face', score: 0.5 }, classes(['cat', 0.9], ['face', 0.6]), { name: 'face', score: 0.6 }],
    [{ class: 'face', score: 0.7 }, classes(['cat', 0.9], ['face', 0.6]), undefined],
    [{ score: 0.5 }, classes(['cat', 0.6], ['face', 0.9]), { name: 'face', score: 0.9 }],
    [{ class: 'face' }, classes(), undefined],
    [{ class: 'face', sensor: 'attic' }, classes(['face', 1]), undefined],
    [{ class: 'face', sensor: 'porch', device: 'pi' }, classes(['face', 1]), { name: 'face' }],
    [{ error: 2 }, { kind: 'reconstruction', error: 2.5 } as const, { error: 2.5 }],
    [{ error: 3 }, { kind: 'reconstruction', error: 2.5 } as const, undefined],
    [{ error: 1 }, classes(['face', 1]), undefined],
    [{ score: 0 }, { kind: 'tensor', format: 'u8', data: new Uint8Array(1) } as const, undefined],
  ])('%j', (when, results, expected) => {
    const match = matchRule(when, label(results));
    if (expected === undefined) expect(match).toBeUndefined();
    else expect(match).toMatchObject(expected);
  });
});

type Seen = [name: string, score: number, x: number, y: number];
const boxes = (...items: Seen[]): Results => ({
  kind: 'detections',
  // Ten per cent wide and high, around the point.
  detections: items.map(([name, score, x, y], index) => ({
    index,
    name,
    score,
    box: { x: x - 0.05, y: y - 0.05, width: 0.1, height: 0.1 },
  })),
});
const TRIANGLE = {
  polygon: [
    [0.2, 0.2],
    [0.8, 0.2],
    [0.2, 0.8],
  ],
};

describe('conditions on places, numbers, times and combinations', () => {
  const holds = (when: object, results: Results, time = 0): boolean => {
    const [rule] = parseRules({ timezone: 'UTC', rules: [{ name: 'r', when, on: [{ print: 'x' }] }] });
    return matchRule(rule?.when ?? {}, { ...label(results), sensorTime: time }) !== undefined;
  };

  test.each([
    [{ class: 'cat', zone: { box: [0, 0, 0.5, 0.5] } }, boxes(['cat', 1, 0.4, 0.4]), true],
    [{ class: 'cat', zone: { box: [0, 0, 0.5, 0.5] } }, boxes(['cat', 1, 0.6, 0.4]), false],
    [{ class: 'cat', zone: { box: [0, 0, 1, 1] } }, classes(['cat', 1]), false],
    [{ class: 'cat', zone: TRIANGLE }, boxes(['cat', 1, 0.3, 0.3]), true],
    [{ class: 'cat', zone: TRIANGLE }, boxes(['cat', 1, 0.7, 0.7]), false],
    [{ class: 'cat', zone: TRIANGLE }, boxes(['dog', 1, 0.3, 0.3], ['cat', 1, 0.9, 0.9]), false],
    [{ class: 'cat', count: 2 }, boxes(['cat', 1, 0, 0], ['cat', 1, 0, 0]), true],
    [{ class: 'cat', count: 2 }, boxes(['cat', 1, 0, 0], ['dog', 1, 0, 0]), false],
    [{ class: 'cat', score: 0.5, count: 2 }, boxes(['cat', 0.6, 0, 0], ['cat', 0.4, 0, 0]), false],
    [{ class: 'cat', count: { most: 1 } }, boxes(['cat', 1, 0, 0], ['cat', 1, 0, 0]), false],
    [{ class: ['cat', 'dog'] }, classes(['dog', 1]), true],
    [{ class: ['cat', 'dog'], sensor: ['attic', 'porch'] }, classes(['dog', 1]), true],
    [{ all: [{ class: 'cat' }, { class: 'dog' }] }, classes(['cat', 1]), false],
    [{ all: [{ class: 'cat' }, { class: 'dog' }] }, classes(['cat', 1], ['dog', 1]), true],
    [{ any: [{ class: 'cat' }, { class: 'dog' }] }, classes(['dog', 1]), true],
    [{ any: [{ class: 'cat' }, { class: 'dog' }] }, classes(['cow', 1]), false],
    [{ class: 'cat', not: { class: 'dog' } }, classes(['cat', 1], ['dog', 1]), false],
    [{ class: 'cat', not: { class: 'dog', score: 0.5 } }, classes(['cat', 1], ['dog', 0.4]), true],
    [{ not: { any: [{ class: 'cat' }, { class: 'dog' }] } }, classes(['cow', 1]), true],
  ])('%j', (when, results, expected) => expect(holds(when, results)).toBe(expected));

  // 2026-11-20 was a Friday.
  test.each([
    [{ from: '9:00', to: '17:00' }, '2026-11-20T09:00:00Z', true],
    [{ from: '9:00', to: '17:00' }, '2026-11-20T17:00:00Z', false],
    [{ from: '22:00', to: '6:00' }, '2026-11-20T23:59:00Z', true],
    [{ from: '22:00', to: '6:00' }, '2026-11-20T05:59:00Z', true],
    [{ from: '22:00', to: '6:00' }, '2026-11-20T12:00:00Z', false],
    [{ from: '22:00', to: '6:00', days: ['fri'] }, '2026-11-21T05:00:00Z', true],
    [{ from: '22:00', to: '6:00', days: ['fri'] }, '2026-11-20T05:00:00Z', false],
    [{ from: '00:00', to: '24:00', days: ['sat'] }, '2026-11-20T12:00:00Z', false],
  ])('%j at %s', (time, at, expected) =>
    expect(holds({ class: 'cat', time }, classes(['cat', 1]), Date.parse(at))).toBe(expected),
  );

  test('what turned a rule on names the class, also beside conditions that name none', () => {
    const match = matchRule(
      { all: [{ not: { class: 'dog' } }, { class: 'cat' }] },
      label(classes(['cat', 0.7])),
    );
    expect(match).toMatchObject({ name: 'cat', score: 0.7, count: 1 });
  });
});

describe('RuleEngine', () => {
  const [porchLight] = parseRules({
    rules: [
      {
        name: 'porch light',
        when: { class: 'face', score: 0.5 },
        hold: 10,
        on: [{ print: 'on' }],
        off: [{ print: 'off' }],
      },
    ],
  });
  const seen: string[] = [];
  let timers: ManualTimers;
  let engine: RuleEngine;
  beforeEach(() => {
    seen.length = 0;
    timers = new ManualTimers();
    if (porchLight === undefined) throw new Error('no rule');
    engine = new RuleEngine([porchLight], timers);
    engine.on('edge', ({ rule, state }) => seen.push(`${rule.name} ${state}`));
  });

  test('on with the first match, off after the hold time without one', () => {
    engine.apply(label(classes(['face', 0.4])));
    expect(seen).toEqual([]);
    engine.apply(label(classes(['face', 0.6])));
    engine.apply(label(classes(['face', 0.6])));
    expect(seen).toEqual(['porch light on']);
    expect(engine.active).toEqual(['porch light']);
    timers.advance(9_000);
    engine.apply(label(classes(['face', 0.9])));
    timers.advance(9_000);
    expect(seen).toEqual(['porch light on']);
    timers.advance(1_000);
    expect(seen).toEqual(['porch light on', 'porch light off']);
    engine.apply(label(classes(['face', 0.9])));
    expect(seen).toHaveLength(3);
  });

  test('a label without the class does not shorten the hold time', () => {
    engine.apply(label(classes(['face', 0.6])));
    engine.apply(label(classes()));
    timers.advance(9_999);
    expect(seen).toEqual(['porch light on']);
  });

  const timed = (time: number, ...items: [string, number][]): LabelEvent => ({
    ...label(classes(...items)),
    sensorTime: time,
  });
  const run = (rule: object): RuleEngine => {
    engine = new RuleEngine(parseRules({ rules: [{ name: 'r', on: [{ print: 'on' }], ...rule }] }), timers);
    engine.on('edge', ({ rule: { name }, state }) => seen.push(`${name} ${state}`));
    return engine;
  };

  test('for: only when it has matched that long, without a pause longer than hold', () => {
    run({ when: { class: 'face' }, for: 3, hold: 2 });
    const at = (time: number): void => engine.apply(timed(time, ['face', 1]));
    at(0);
    timers.advance(1500);
    at(1500);
    timers.advance(2000);
    // The pause ended it: it begins anew.
    at(3500);
    timers.advance(1500);
    at(5000);
    expect(seen).toEqual([]);
    timers.advance(1500);
    at(6500);
    expect(seen).toEqual(['r on']);
  });

  test('release: a lower score keeps it on, and does not turn it on', () => {
    run({ when: { class: 'face', score: 0.6, release: 0.4 }, hold: 10 });
    const at = (score: number): void => {
      engine.apply(label(classes(['face', score])));
      timers.advance(6000);
    };
    at(0.5);
    expect(seen).toEqual([]);
    at(0.7);
    at(0.5);
    at(0.45);
    expect(seen).toEqual(['r on']);
    at(0.39);
    expect(seen).toEqual(['r on', 'r off']);
    at(0.5);
    expect(seen).toHaveLength(2);
  });

  test('cooldown: off, it stays off for a while', () => {
    run({ when: { class: 'face' }, hold: 1, cooldown: 60 });
    const face = (): void => engine.apply(label(classes(['face', 1])));
    face();
    timers.advance(1000);
    expect(seen).toEqual(['r on', 'r off']);
    timers.advance(59_000);
    face();
    expect(seen).toHaveLength(2);
    timers.advance(1000);
    face();
    expect(seen).toEqual(['r on', 'r off', 'r on']);
  });

  test('replace: a rule that stays the same stays on; one that changed is turned off as it was', () => {
    const rule = (name: string, hold: number) => ({
      name,
      when: { class: 'face' },
      hold,
      on: [{ print: 'on' }],
    });
    engine = new RuleEngine(parseRules({ rules: [rule('a', 10), rule('b', 10)] }), timers);
    engine.on('edge', ({ rule: { name, hold }, state }) => seen.push(`${name} ${hold} ${state}`));
    engine.apply(label(classes(['face', 1])));
    engine.replace(parseRules({ rules: [rule('a', 10), rule('b', 20)] }));
    expect(seen).toEqual(['a 10 on', 'b 10 on', 'b 10 off']);
    engine.apply(label(classes(['face', 1])));
    expect(seen.slice(3)).toEqual(['b 20 on']);
  });

  test('close turns off what is on, once', () => {
    engine.close();
    expect(seen).toEqual([]);
    engine.apply(label(classes(['face', 0.6])));
    engine.close();
    engine.close();
    timers.advance(60_000);
    expect(seen).toEqual(['porch light on', 'porch light off']);
  });
});

describe('rule files', () => {
  const rule = { name: 'x', when: { class: 'face' }, on: [{ print: 'on' }] };
  test('defaults', () => {
    expect(parseRules({ rules: [rule] })).toEqual([{ ...rule, hold: 10, off: [] }]);
  });
  test.each([
    ['no rules', {}, 'rules: not a list'],
    ['unknown key', { rules: [{ ...rule, then: 1 }] }, 'rules[0]: unknown key then'],
    ['no name', { rules: [{ ...rule, name: '' }] }, 'rules[0].name'],
    ['two of a name', { rules: [rule, rule] }, 'same name'],
    [
      'matches everything',
      { rules: [{ ...rule, when: { sensor: 'porch' } }] },
      'needs class, score or error',
    ],
    ['nothing to do', { rules: [{ ...rule, on: [] }] }, 'nothing to do'],
    ['bad hold', { rules: [{ ...rule, hold: -1 }] }, 'hold'],
    ['two things in one action', { rules: [{ ...rule, on: [{ print: 'x', run: ['y'] }] }] }, 'one of'],
    ['a command line in one string', { rules: [{ ...rule, on: [{ run: 'rm -rf x' }] }] }, 'not a list'],
    ['wildcard topic', { rules: [{ ...rule, on: [{ publish: { topic: 'a/#' } }] }] }, 'no wildcards'],
  ])('%s is refused, and the message says where', (_what, value, where) => {
    let error: unknown;
    try {
      parseRules(value);
    } catch (e) {
      error = e;
    }
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    expect((error as Error).message).toContain(where);
  });
});

describe('actions', () => {
  const edge = (on: object[]): RuleEdge => {
    const [rule] = parseRules({ rules: [{ name: 'r', when: { class: 'face' }, on }] });
    if (rule === undefined) throw new Error('no rule');
    return {
      rule,
      state: 'on',
      match: { sensor: 'porch', device: 'pi', name: 'face', score: 0.9 },
      actions: rule.on,
    };
  };
  test('print, publish and run, in order; a failure does not stop the rest', async () => {
    const done: string[] = [];
    const node = process.execPath;
    const check =
      'process.exit(process.env.SMART_ZONE_CLASS === "face" && process.env.SMART_ZONE_STATE === "on" ? 0 : 1)';
    const failures = await performActions(
      edge([
        { print: 'hello' },
        { run: [node, '-e', check] },
        { run: [node, '-e', 'process.exit(3)'] },
        { run: ['/no/such/command'] },
        { publish: { topic: 'home/light', payload: 'ON', retain: true } },
      ]),
      {
        print: (line) => done.push(line),
        link: {
          publish: (topic, payload, options) => {
            done.push(`${topic} ${String(payload)} ${JSON.stringify(options)}`);
            return Promise.resolve();
          },
        },
      },
    );
    expect(done).toEqual(['hello', 'home/light ON {"retain":true}']);
    expect(failures.map(({ message }) => message)).toEqual([
      expect.stringContaining('exit status 3'),
      expect.stringContaining('/no/such/command'),
    ]);
  });
});
