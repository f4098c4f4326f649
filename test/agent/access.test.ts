import { AccessList, type Party } from '../../broker-dev/access.js';

const access = new AccessList({ users: { 'sensor:0011223344556677': 'secret' } });
const sensor: Party = { role: 'sensor', name: '0011223344556677' };
const rules: Party = { role: 'rules', name: 'aabbccddeeff0011' };
const agent: Party = { role: 'agent', name: 'porch' };

test('a user needs the right password, a certificate only its name', () => {
  expect(access.authenticate('sensor:0011223344556677', 'secret')).toEqual(sensor);
  expect(access.authenticate('sensor:0011223344556677', 'wrong')).toBeUndefined();
  expect(access.authenticate('sensor:0011223344556677')).toBeUndefined();
  expect(access.authenticate('sensor:other', 'secret')).toBeUndefined();
  expect(access.authenticate(undefined, undefined)).toBeUndefined();
  expect(access.authenticate(undefined, undefined, 'agent:porch')).toEqual(agent);
  expect(access.authenticate(undefined, undefined, 'root:porch')).toBeUndefined();
  expect(() => new AccessList({ users: { nobody: 'x' } })).toThrow(/role:name/);
});

test.each<[Party, string, boolean]>([
  [sensor, 'smartzone/porch/sensor/0011223344556677/frame', true],
  [sensor, 'smartzone/porch/sensor/0011223344556677/offer', true],
  [sensor, 'smartzone/porch/sensor/ffffffffffffffff/frame', false],
  [sensor, 'smartzone/porch/label/0011223344556677', false],
  [sensor, 'smartzone/porch/roster', false],
  [rules, 'smartzone/porch/rules/aabbccddeeff0011/hello', true],
  [rules, 'smartzone/porch/owner', false],
  [agent, 'smartzone/porch/label/0011223344556677', true],
  [agent, 'smartzone/garden/label/0011223344556677', false],
  [agent, 'smartzone/porch/roster', false],
  [{ role: 'owner', name: 'a' }, 'smartzone/porch/roster', true],
  [{ role: 'publisher', name: 'a' }, 'smartzone/model/00/segment/0', true],
  [sensor, 'smartzone/zone/aa/sensor/0011223344556677/frame', true],
  [sensor, 'smartzone/zone/aa/sensor/ffffffffffffffff/offer', false],
  [sensor, 'smartzone/zone/aa/sensor/0011223344556677/receipt/bb', false],
  [agent, 'smartzone/zone/aa/sensor/0011223344556677/receipt/bb', true],
  [agent, 'smartzone/zone/aa/sensor/0011223344556677/frame', true],
  [agent, 'smartzone/zone/aa/sensor/0011223344556677/offer', false],
  [rules, 'smartzone/zone/aa/sensor/0011223344556677/frame', false],
])('%j publishes to %s: %s', (party, topic, allowed) => {
  expect(access.mayPublish(party, topic)).toBe(allowed);
});

test.each<[Party, string, boolean]>([
  [sensor, 'smartzone/porch/sensor/0011223344556677/receipt', true],
  [sensor, 'smartzone/porch/hello', true],
  [sensor, 'smartzone/+/hello', true],
  [sensor, 'smartzone/porch/sensor/+/receipt', false],
  [sensor, 'smartzone/zone/aa/sensor/0011223344556677/receipt/+', true],
  [sensor, 'smartzone/zone/aa/sensor/+/receipt/+', false],
  [agent, 'smartzone/zone/aa/sensor/+/offer', true],
  [agent, '$share/aa/smartzone/zone/aa/sensor/0011223344556677/frame', true],
  [rules, '$share/aa/smartzone/zone/aa/sensor/0011223344556677/frame', false],
  [sensor, 'smartzone/porch/#', false],
  [sensor, '#', false],
  [sensor, 'smartzone/porch/label/+', false],
  [rules, 'smartzone/porch/label/+', true],
  [rules, 'smartzone/porch/label/#', false],
  [rules, 'smartzone/porch/rules/+/offer', false],
  [agent, 'smartzone/porch/sensor/+/frame', true],
  [agent, 'smartzone/+/sensor/+/frame', false],
])('%j subscribes to %s: %s', (party, filter, allowed) => {
  expect(access.maySubscribe(party, filter)).toBe(allowed);
});
