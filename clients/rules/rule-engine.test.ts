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
