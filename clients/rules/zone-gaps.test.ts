import { ZoneGaps } from './zone-gaps.js';

const PATIENCE = 30_000;
const due = (gaps: ZoneGaps, now: number): object => Object.fromEntries(gaps.due(now));

test('a number without a label is missing when its label would be stale, and then once', () => {
  const gaps = new ZoneGaps(PATIENCE);
  expect(gaps.labelled('porch', 'a', 1, 0)).toBe(0);
  expect(gaps.labelled('porch', 'a', 4, 1000)).toBe(0);
  expect(due(gaps, 1000 + PATIENCE - 1)).toEqual({});
  expect(due(gaps, 1000 + PATIENCE)).toEqual({ porch: 2 });
  expect(due(gaps, 10 * PATIENCE)).toEqual({});
});

test('a label that comes late, from whichever device, fills its gap', () => {
  const gaps = new ZoneGaps(PATIENCE);
  gaps.labelled('porch', 'a', 1, 0);
  gaps.labelled('porch', 'a', 5, 0);
  expect(gaps.labelled('porch', 'a', 3, PATIENCE - 1)).toBe(0);
  gaps.labelled('porch', 'a', 2, PATIENCE - 1);
  gaps.labelled('porch', 'a', 2, PATIENCE - 1);
  expect(due(gaps, PATIENCE)).toEqual({ porch: 1 });
});

test('what came before the first label of a channel is not missed', () => {
  const gaps = new ZoneGaps(PATIENCE);
  gaps.labelled('porch', 'a', 700, 0);
  expect(due(gaps, PATIENCE)).toEqual({});
});

test('a new channel takes up what the one before lacks', () => {
  const gaps = new ZoneGaps(PATIENCE);
  gaps.labelled('porch', 'a', 1, 0);
  gaps.labelled('porch', 'a', 9, 0);
  gaps.labelled('porch', 'b', 1, 0);
  // Of the channel that is over, labels still come, and show nothing any more.
  expect(gaps.labelled('porch', 'a', 20, 0)).toBe(0);
  gaps.labelled('porch', 'b', 3, 0);
  expect(due(gaps, PATIENCE)).toEqual({ porch: 1 });
});

test('sensors are counted apart', () => {
  const gaps = new ZoneGaps(PATIENCE);
  for (const [sensor, last] of [
    ['porch', 3],
    ['garage', 4],
  ] as const) {
    gaps.labelled(sensor, 'a', 1, 0);
    gaps.labelled(sensor, 'a', last, 0);
  }
  expect(due(gaps, PATIENCE)).toEqual({ porch: 1, garage: 2 });
});

test('of a jump over more than is remembered, the rest is counted at once', () => {
  const gaps = new ZoneGaps(PATIENCE);
  gaps.labelled('porch', 'a', 1, 0);
  expect(gaps.labelled('porch', 'a', 5002, 0)).toBe(5000 - 1024);
  expect(due(gaps, PATIENCE)).toEqual({ porch: 1024 });
});

test('channels of long ago are forgotten: their labels begin anew', () => {
  const gaps = new ZoneGaps(PATIENCE);
  for (const channel of ['a', 'b', 'c', 'd', 'e']) gaps.labelled('porch', channel, 1, 0);
  gaps.labelled('porch', 'a', 9, 0);
  expect(due(gaps, PATIENCE)).toEqual({});
  gaps.labelled('porch', 'a', 11, 0);
  expect(due(gaps, PATIENCE)).toEqual({ porch: 1 });
});
