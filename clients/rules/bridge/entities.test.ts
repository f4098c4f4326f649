import { faultsOf } from '../../../test/rules/home-assistant-view.js';
import {
  announceDevice,
  announceSensor,
  BridgeTopics,
  classKey,
  parseObjectId,
  sensorId,
  shortened,
} from './entities.js';
import { Remains } from './remains.js';

const topics = new BridgeTopics('smart-zone/aa', 'homeassistant');
const device = '0011223344556677';
const kid = '8899aabbccddeeff';
const facts = { kid, name: 'porch camera', device, error: true };

/** Names as a model could have them: text of a stranger. */
const HOSTILE = [
  'person',
  'Person',
  '',
  '{{ states }}',
  'a/b+#',
  '\u0000\u001b[2J',
  '猫',
  'x'.repeat(4000),
  '"}',
];

test('what is announced is what Home Assistant documents, whatever classes are called', () => {
  for (const installable of [true, false])
    expect(
      faultsOf(announceDevice(topics, { kid: device, name: 'porch', taVersion: '0.1.0', installable })),
    ).toEqual([]);
  const announcement = announceSensor(topics, { ...facts, classes: HOSTILE });
  expect(faultsOf(announcement)).toEqual([]);
  expect(Object.keys(announcement.cmps)).toHaveLength(4 + HOSTILE.length);
  for (const name of HOSTILE) expect(topics.class(device, kid, name)).toMatch(/^[a-z0-9/_-]+$/);
});

test('the schema refuses what is wrong', () => {
  const good = announceSensor(topics, { ...facts, classes: ['person'] });
  const wrong: [string, object][] = [
    ['no origin', { ...good, o: undefined }],
    ['no identifiers', { ...good, dev: { name: 'x' } }],
    ['a mode', { ...good, availability_mode: 'some' }],
    ['a platform', { ...good, cmps: { top: { ...good.cmps.top, p: 'lamp' } } }],
    ['a key', { ...good, cmps: { top: { ...good.cmps.top, colour: 'red' } } }],
    ['a key of another component', { ...good, cmps: { top: { ...good.cmps.top, payload_on: 'ON' } } }],
    ['a device class', { ...good, cmps: { top: { ...good.cmps.top, device_class: 'cat' } } }],
    ['a state class', { ...good, cmps: { score: { ...good.cmps.score, state_class: 'mean' } } }],
    ['no state topic', { ...good, cmps: { top: { p: 'sensor', unique_id: 'x' } } }],
    ['a wildcard', { ...good, cmps: { top: { ...good.cmps.top, state_topic: 'a/+' } } }],
    [
      'an angle in percent',
      { ...good, cmps: { score: { ...good.cmps.score, state_class: 'measurement_angle' } } },
    ],
    ['a unit of a class', { ...good, cmps: { score: { ...good.cmps.score, device_class: 'temperature' } } }],
    ['a category', { ...good, cmps: { top: { ...good.cmps.top, entity_category: 'config' } } }],
    [
      'a reset',
      { ...good, cmps: { score: { ...good.cmps.score, last_reset_value_template: '{{ value }}' } } },
    ],
    ['an update without a state', { ...good, cmps: { model: { p: 'update', unique_id: 'x' } } }],
    ['no event types', { ...good, cmps: { event: { ...good.cmps.event, event_types: [] } } }],
  ];
  for (const [name, each] of wrong)
    expect([name, faultsOf(JSON.parse(JSON.stringify(each)))]).not.toEqual([name, []]);
  const right: object[] = [
    { ...good.cmps, gone: { p: 'binary_sensor' } },
    { top: { ...good.cmps.top, device_class: 'uptime', group: ['another'] } },
    { score: { ...good.cmps.score, state_class: 'measurement_angle', unit_of_measurement: '°' } },
    { model: { p: 'update', unique_id: 'x', state_topic: 'y' } },
  ];
  for (const cmps of right) expect(faultsOf({ ...good, cmps })).toEqual([]);
});

test('ids are made of kids; classes with other names have other keys', () => {
  expect(parseObjectId(sensorId(device, kid))).toEqual({ device, sensor: kid });
  expect(parseObjectId('smartzone_xyz')).toBeUndefined();
  expect(new Set(HOSTILE.map(classKey)).size).toBe(HOSTILE.length);
  expect(classKey('traffic light')).toMatch(/^traffic_light_[0-9a-f]{8}$/);
  expect(shortened('猫'.repeat(300))).toHaveLength(255);
});

test('of what the broker kept only what a bridge could have announced is taken back', () => {
  const remains = new Remains(topics);
  const id = sensorId(device, kid);
  const read = (value: unknown, at = topics.config(id)): ReturnType<Remains['read']> =>
    remains.read(at, Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));
  const good = announceSensor(topics, { ...facts, classes: ['person', 'cat'] });
  expect(read(good)).toMatchObject({
    device,
    sensor: kid,
    ours: true,
    error: true,
    classes: ['person', 'cat'],
  });
  const { top } = good.cmps;
  const forged = {
    ...good,
    cmps: { top: { ...top, state_topic: 'lamp/set' }, class_x: { p: 'binary_sensor', name: 'y' } },
  };
  expect(read(forged)).toMatchObject({ ours: false, states: [], classes: [] });
  for (const bad of [
    '',
    '{',
    '[]',
    'null',
    '{"o":{"name":"smart-zone"},"cmps":[]}',
    { ...good, o: { name: 'other' } },
  ])
    expect(read(bad)).toBeUndefined();
  expect(read(good, 'homeassistant/device/other/config')).toBeUndefined();
  expect(read({ ...good, cmps: { a: { p: 'camera' }, b: 3 } })).toMatchObject({
    components: [],
    classes: [],
  });
});
