import { asKid } from '../../protocol/kid.js';
import { EventTracker, type TrackerOptions } from './event-tracker.js';
import type { LabelEvent } from './label-event.js';
import type { SeenEvent } from './rules-event.js';
import { ReplayTimers } from './timers.js';

const kid = asKid(new Uint8Array(8));
type Seen = [name: string, score: number];
const label = (time: number, seen: Seen[], sensor = 1): LabelEvent => ({
  device: { kid, name: 'pi' },
  sensor: { kid: asKid(new Uint8Array(8).fill(sensor)), name: `sensor ${sensor}` },
  number: 1,
  frameId: new Uint8Array(8),
  sensorTime: time,
  received: time,
  model: new Uint8Array(32),
  results: {
    kind: 'detections',
    detections: seen.map(([name, score], index) => ({
      index,
      name,
      score,
      box: { x: score, y: 0, width: 0.1, height: 0.1 },
    })),
  },
});

const start = (options: TrackerOptions = {}) => {
  const told: SeenEvent[] = [];
  const clock = new ReplayTimers();
  const tracker = new EventTracker(clock, (event) => told.push(event), options);
  const at = (time: number, seen: Seen[], sensor?: number): void => {
    clock.advance(time);
    tracker.apply(label(time, seen, sensor));
  };
  return { told, clock, tracker, at, short: () => told.map(({ phase, class: name }) => `${phase} ${name}`) };
};

test('new with the first detection, update with a better score or another number, end after the quiet time', () => {
  const { told, clock, tracker, at, short } = start();
  at(1000, [['person', 0.4]]);
  expect(short()).toEqual([]);
  at(2000, [['person', 0.6]]);
  at(3000, [['person', 0.62]]);
  at(4000, [['person', 0.8]]);
  at(5000, [
    ['person', 0.7],
    ['person', 0.6],
  ]);
  expect(short()).toEqual(['new person', 'update person', 'update person']);
  clock.advance(14_999);
  expect(tracker.open).toHaveLength(1);
  clock.advance(15_000);
  expect(tracker.open).toHaveLength(0);
  const [first, , , end] = told;
  expect(end).toMatchObject({
    phase: 'end',
    score: 0.8,
    box: { x: 0.8 },
    labels: 4,
    start: 2000,
    last: 5000,
  });
  expect(new Set(told.map(({ id }) => id)).size).toBe(1);
  at(20_000, [['person', 0.9]]);
  expect(told.at(-1)).toMatchObject({ phase: 'new', labels: 1 });
  expect(told.at(-1)?.id).not.toBe(first?.id);
});

test('classes and sensors have events of their own, also with names made to collide', () => {
  const { told, at } = start();
  at(
    0,
    [
      ['a","b', 0.9],
      ['a', 0.9],
    ],
    1,
  );
  at(
    0,
    [
      ['a', 0.9],
      ['__proto__', 0.9],
    ],
    2,
  );
  expect(new Set(told.map(({ id }) => id)).size).toBe(4);
});

test('a stranger who names a new class in every label does not fill the memory', () => {
  const { told, tracker, at } = start({ most: 8 });
  for (let i = 0; i < 100; i += 1) at(i, [[`class ${i}`, 1]]);
  expect(tracker.open).toHaveLength(8);
  expect(told.filter(({ phase }) => phase === 'end')).toHaveLength(92);
  tracker.close();
  expect(told.filter(({ phase }) => phase === 'end')).toHaveLength(100);
});
