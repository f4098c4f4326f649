import { kidFromHex } from './kid.js';
import { devicePrefix, PackageTopics, Topics, zonePrefix, ZoneTopics } from './topics.js';

const kid = kidFromHex('0011223344556677');
const topics = new Topics(devicePrefix('hall'));

test('topics are these, and parse back', () => {
  const made: Record<string, unknown> = {
    'smartzone/hall/state': { kind: 'state' },
    'smartzone/hall/owner/reply': { kind: 'ownerReply' },
    'smartzone/hall/sensor/0011223344556677/offer': { kind: 'sensorOffer', kid },
    'smartzone/hall/sensor/0011223344556677/frame': { kind: 'sensorFrame', kid },
    'smartzone/hall/sensor/0011223344556677/receipt': { kind: 'sensorReceipt', kid },
    'smartzone/hall/rules/0011223344556677/hello': { kind: 'rulesHello', kid },
    'smartzone/hall/rules/0011223344556677/offer': { kind: 'rulesOffer', kid },
    'smartzone/hall/label/0011223344556677': { kind: 'label', kid },
  };
  expect([
    topics.state,
    topics.ownerReply,
    topics.sensorOffer(kid),
    topics.sensorFrame(kid),
    topics.sensorReceipt(kid),
    topics.rulesHello(kid),
    topics.rulesOffer(kid),
    topics.label(kid),
  ]).toEqual(Object.keys(made));
  for (const [topic, parsed] of Object.entries(made)) expect(topics.parse(topic)).toEqual(parsed);
});

test('every topic without variable levels parses to its own name', () => {
  const plain = [
    'state',
    'hello',
    'roster',
    'owner',
    'ownerReply',
    'evidenceRequest',
    'evidenceReply',
    'telemetry',
    'modelOffer',
    'modelWant',
    'modelStatus',
  ] as const;
  for (const kind of plain) expect(topics.parse(topics[kind])).toEqual({ kind });
  expect(new Set(plain.map((kind) => topics[kind])).size).toBe(plain.length);
});

test('filters put + in the variable level', () => {
  expect(topics.sensorFrame('+')).toBe('smartzone/hall/sensor/+/frame');
  expect(topics.label('+')).toBe('smartzone/hall/label/+');
});

test('a package has topics of its own, the same for all devices', () => {
  const topicsOf = new PackageTopics(new Uint8Array(32).fill(0xab));
  const prefix = `smartzone/model/${'ab'.repeat(32)}`;
  expect(topicsOf.announcement).toBe(`${prefix}/package`);
  expect(topicsOf.segment('+')).toBe(`${prefix}/segment/+`);
  expect(topicsOf.segmentOf(topicsOf.segment(17))).toBe(17);
  for (const other of [`${prefix}/segment/017`, `${prefix}/segment/`, `${prefix}/package`, 'x/segment/1'])
    expect(topicsOf.segmentOf(other)).toBeUndefined();
  expect(() => devicePrefix('model')).toThrow(RangeError);
});

test('zones have their own prefix', () => {
  expect(new Topics(zonePrefix(kid)).sensorFrame(kid)).toBe(
    'smartzone/zone/0011223344556677/sensor/0011223344556677/frame',
  );
  expect(() => devicePrefix('zone')).toThrow(RangeError);
  const topics = new ZoneTopics(kid);
  const prefix = 'smartzone/zone/0011223344556677';
  expect(topics.shared(kid)).toBe(`$share/0011223344556677/${prefix}/sensor/0011223344556677/frame`);
  expect(topics.receipt(kid, '+')).toBe(`${prefix}/sensor/0011223344556677/receipt/+`);
  expect(topics.parse(topics.offer(kid))).toEqual({ kind: 'offer', sensor: kid });
  expect(topics.parse(topics.frame(kid))).toEqual({ kind: 'frame', sensor: kid });
  for (const other of [
    topics.receipt(kid, kid),
    topics.offer('+'),
    `${topics.frame(kid)}/x`,
    'smartzone/hall/hello',
  ])
    expect(topics.parse(other)).toBeUndefined();
});

test.each([
  'smartzone/other/state',
  'smartzone/hall',
  'smartzone/hall/',
  'smartzone/hall/sensor/0011223344556677',
  'smartzone/hall/sensor/001122334455667/frame',
  'smartzone/hall/sensor/001122334455667G/frame',
  'smartzone/hall/sensor/0011223344556677/frame/more',
  'smartzone/hall/label/0011223344556677/frame',
  'smartzone/hall/model/segment/1',
  'smartzone/hall/constructor',
])('%s is none of them', (topic) => {
  expect(topics.parse(topic)).toBeUndefined();
});

test.each(['', '/a', 'a/', 'a/+', 'a/#'])('%j is no prefix', (prefix) => {
  expect(() => new Topics(prefix)).toThrow(RangeError);
});

test.each(['', 'a/b', '+', '#'])('%j is no device name', (name) => {
  expect(() => devicePrefix(name)).toThrow(RangeError);
});
