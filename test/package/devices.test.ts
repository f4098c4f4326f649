import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/*
 * A driver that is a module makes its devices some seconds into the boot. A unit that needs one has to want its .device unit and to
 * be ordered after it, and udev has to tell systemd of it: with any of the three missing, the unit starts too early or never.
 */

const systemd = fileURLToPath(new URL('../../systemd', import.meta.url));
const files = ['', 'drop-ins']
  .flatMap((folder) => readdirSync(join(systemd, folder)).map((name) => join(folder, name)))
  .filter((name) => /\.(service|conf)$/.test(name));
const rules = readFileSync(join(systemd, '60-smart-zone.rules'), 'utf8');

/** All values of a setting, several on a line or not. */
const values = (text: string, setting: string): string[] =>
  [...text.matchAll(new RegExp(`^${setting}=(.*)$`, 'gm'))].flatMap(([, list = '']) => list.split(/\s+/));

/** What udev's pattern of a rule line that tags for systemd matches. */
const tagged = [...rules.matchAll(/^SUBSYSTEM=="tee", KERNEL=="([a-z]+)\[0-9\]\*".*TAG\+="systemd"/gm)].map(
  ([, stem]) => new RegExp(`^${stem}\\d+$`),
);

const needs = files.flatMap((file) => {
  const text = readFileSync(join(systemd, file), 'utf8');
  const conditions = values(text, 'ConditionPathExists')
    .filter((path) => path.startsWith('/dev/'))
    .map((path) => path.slice('/dev/'.length));
  const ordered = [...values(text, 'After'), ...values(text, 'Wants')]
    .map((unit) => /^dev-(\w+)\.device$/.exec(unit)?.[1])
    .filter((name) => name !== undefined);
  return [...new Set([...conditions, ...ordered])].map((device) => [file, device, text] as const);
});

test('both devices of OP-TEE are waited for', () => {
  expect(needs.map(([, device]) => device).sort()).toEqual(['tee0', 'teepriv0']);
});

test.each(needs)('%s: %s is wanted, waited for, and known to systemd', (_file, device, text) => {
  expect(values(text, 'Wants')).toContain(`dev-${device}.device`);
  expect(values(text, 'After')).toContain(`dev-${device}.device`);
  expect(tagged.some((pattern) => pattern.test(device))).toBe(true);
});

test('a driver that is later than systemd waits starts the agent, and tee-supplicant is started until it finds its device', () => {
  const read = (name: string): string => readFileSync(join(systemd, name), 'utf8');
  expect(values(read('smart-zone-agent.service'), 'WantedBy')).toContain('dev-tee0.device');
  const supplicant = read('tee-supplicant.conf');
  expect(values(supplicant, 'Restart')).toEqual(['always']);
  expect(values(supplicant, 'StartLimitIntervalSec')).toEqual(['0']);
});
