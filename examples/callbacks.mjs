// What began and ended, by callbacks, and a file of rules beside it. SMART_ZONE_COUNT ends it after so many labels.
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { setImmediate } from 'node:timers';
import { ActionRunner, connectRules, readRuleFile, RuleEngine } from 'smart-zone/rules';

const home = process.env.SMART_ZONE_HOME ?? '.';
const rules = await connectRules({
  broker: process.env.SMART_ZONE_BROKER_URL ?? 'mqtt://127.0.0.1:1883',
  devices: [process.env.SMART_ZONE_DEVICE_NAME ?? 'porch-pi'],
  key: join(home, 'rules.key.json'),
  owner: join(home, 'owner.pub'),
  events: { score: 0.5, quiet: 5000 },
});

const engine = new RuleEngine(readRuleFile(fileURLToPath(new URL('porch.yaml', import.meta.url))));
const actions = new ActionRunner({ print: console.log, link: rules.link }, (error) =>
  console.error(error.message),
);
engine.on('edge', (edge) => actions.take(edge));

let labels = 0;
rules
  .on('event', ({ phase, class: name, count, id }) => console.log(phase, JSON.stringify(name), count, id))
  .on('model', ({ from, to }) => console.log('model', from ?? 'first', '→', to))
  .on('connection', ({ connected }) => console.log(connected ? 'the broker is back' : 'the broker is away'))
  .on('label', ({ label }) => {
    engine.apply(label);
    if (++labels === Number(process.env.SMART_ZONE_COUNT)) setImmediate(() => void stop());
  });
process.once('SIGINT', () => void stop());

async function stop() {
  engine.close();
  await actions.settled();
  await rules.close();
}
