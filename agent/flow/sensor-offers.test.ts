import { Log } from '../log.js';
import { Counters } from '../telemetry.js';
import { SensorOffers } from './sensor-offers.js';

const SENSOR = '0011223344556677';

test('a frame without a channel waits for the offer that arrived before it, and for no other', async () => {
  const given: Buffer[] = [];
  const offers = new SensorOffers(
    (offer) => Promise.resolve(given.push(Buffer.from(offer))),
    new Log({ write: () => undefined }),
    new Counters(),
  );
  const offer = Buffer.from('an offer');
  let turn: () => void = () => undefined;
  const before = new Promise<void>((resolve) => (turn = resolve));
  offers.expect(
    SENSOR,
    before.then(() => offers.receive(SENSOR, offer)),
  );

  expect(await offers.replay('7766554433221100')).toBe(false);
  let helped: boolean | undefined;
  const frame = offers.replay(SENSOR).then((answer) => (helped = answer));
  await new Promise((resolve) => setImmediate(resolve));
  expect(helped).toBeUndefined();
  turn();
  await frame;
  expect(helped).toBe(true);
  expect(given[0]).toEqual(offer);
});
