// Every event of a device, as an iterator. SMART_ZONE_COUNT ends it after so many labels.
import { join } from 'node:path';
import { setImmediate } from 'node:timers';
import { connectRules } from 'smart-zone/rules';

const home = process.env.SMART_ZONE_HOME ?? '.';
const rules = await connectRules({
  broker: process.env.SMART_ZONE_BROKER_URL ?? 'mqtt://127.0.0.1:1883',
  devices: (process.env.SMART_ZONE_DEVICE_NAME ?? 'porch-pi').split(','),
  key: join(home, 'rules.key.json'),
  ...(process.env.SMART_ZONE_PASSPHRASE && { passphrase: process.env.SMART_ZONE_PASSPHRASE }),
  owner: join(home, 'owner.pub'),
});
process.once('SIGINT', () => void rules.close());

let labels = 0;
for await (const event of rules) {
  // Class names are a stranger's text: JSON keeps them from forging a line.
  if (event.type === 'event')
    console.log(event.phase, JSON.stringify(event.class), 'at', event.sensor.name, event.score.toFixed(2));
  if (event.type === 'device' && event.device) console.log('device', event.device.name, 'model', event.model);
  if (event.type === 'gap') console.log(event.missed, 'labels are missing at', event.sensor.name);
  if (event.type === 'label' && ++labels === Number(process.env.SMART_ZONE_COUNT))
    setImmediate(() => rules.close());
}
