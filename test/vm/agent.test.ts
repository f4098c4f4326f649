import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Machine } from './machine.js';
import { makeImage, missingForMachines, type Image } from './image.js';
import { LABEL, OWN, PACK, PUSH, PUSH_AND_CUT, TLS } from './household.js';
import { folder, LARGE_MODEL, makePackage, makePreviousPackage, MODEL, PICTURE } from './package.js';

/* The Debian package in a Debian 13 with systemd, on the software TEE: what its user does, and what happens to it over the years. */

const missing = missingForMachines();
if (missing !== undefined) console.log(`skipped: no virtual machine without ${missing}`);

const show = (property: string): string => `systemctl show --value --property=${property} smart-zone-agent`;

(missing === undefined ? describe : describe.skip)('the package on Debian 13', () => {
  let image: Image;
  let machine!: Machine;
  let scratch: string;

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'smart-zone-vm-test-'));
    mkdirSync(folder, { recursive: true });
    const older = join(scratch, 'older.deb');
    const deb = join(scratch, 'new.deb');
    copyFileSync(makePreviousPackage(), older);
    copyFileSync(makePackage(), deb);
    const scripts = Object.entries({
      'tls.sh': TLS,
      'own.sh': OWN,
      'label.sh': LABEL,
      'pack.sh': PACK,
      'push.sh': PUSH,
      'cut.sh': PUSH_AND_CUT,
    }).map(([name, text]) => {
      writeFileSync(join(scratch, name), text);
      return join(scratch, name);
    });
    image = makeImage(folder, [older, deb, MODEL, ...LARGE_MODEL, PICTURE, ...scripts]);
    machine = await Machine.boot(image, scratch);
  });
  afterAll(async () => {
    await machine?.cut();
    rmSync(scratch, { recursive: true });
    if (existsSync(image.disk)) rmSync(image.disk);
  });

  const label = (): Promise<string> => machine.ok('bash /srv/label.sh');
  /** Which model a label is of. */
  const digestOf = (said: string): string => {
    const [, digest = ''] = /"model":"([0-9a-f]+)"/.exec(said) ?? [];
    expect(digest).not.toBe('');
    return digest;
  };

  test('apt installs it, and an unclaimed agent runs on the software TEE, and says so', async () => {
    const said = await machine.ok('DEBIAN_FRONTEND=noninteractive apt-get install -y /srv/older.deb');
    expect(said).toContain('SOFTWARE TEE, which protects nobody');
    await machine.until('systemctl is-active smart-zone-agent');
    expect(await machine.ok('systemctl status smart-zone-agent')).toContain('SOFTWARE TEE');
    expect(await machine.ok('ps -o user= -C node')).not.toContain('root');
    expect(await machine.ok('stat -c %a /etc/smart-zone/credentials')).toBe('700\n');
    expect(await machine.ok('getent group tee')).toContain('tee:');
  });

  test('mosquitto with TLS and client certificates; claim, enrol, model, label', async () => {
    await machine.ok('bash /srv/tls.sh');
    await machine.until('journalctl -u smart-zone-agent -b | grep -q "connected"');
    await machine.ok('bash /srv/own.sh');
    expect(await label()).toContain('face');
    const log = await machine.ok('journalctl -u smart-zone-agent -b');
    expect(log).not.toMatch(/BEGIN|"label"|score/);
  });

  test('an upgrade from the version before keeps what the device knows', async () => {
    const before = digestOf(await label());
    await machine.ok('DEBIAN_FRONTEND=noninteractive apt-get install -y /srv/new.deb');
    await machine.until('systemctl is-active smart-zone-agent');
    expect(await machine.ok('dpkg-query -W smart-zone-agent')).not.toContain('~');
    expect(digestOf(await label())).toBe(before);
  });

  test('a frozen trusted application: it is replaced, and labels come again', async () => {
    const before = await machine.ok('pgrep -x smart-zone-ta');
    await machine.ok('pkill -STOP -x smart-zone-ta');
    await machine.until(`test "$(pgrep -x smart-zone-ta)" != "${before.trim()}"`, 150_000);
    await machine.until(show('StatusText'));
    expect(await label()).toContain('face');
  });

  test.each([
    ['a frozen TEE, what starts it too', 'pkill -STOP -x smart-zone-tee; pkill -STOP -x smart-zone-ta'],
    ['a frozen agent', `kill -STOP $(${show('MainPID')})`],
  ])('%s: the watchdog restarts all of it', async (_what, freeze) => {
    const timeouts = 'journalctl -u smart-zone-agent -b | grep -c "Watchdog timeout" || true';
    const before = Number(await machine.ok(show('NRestarts')));
    const fired = Number(await machine.ok(timeouts));
    await machine.ok(freeze);
    await machine.until(`test $(${show('NRestarts')}) -gt ${before}`, 240_000);
    expect(Number(await machine.ok(timeouts))).toBe(fired + 1);
    expect(await label()).toContain('face');
  });

  test('kill -9: running again, nothing to claim again', async () => {
    const before = Number(await machine.ok(show('NRestarts')));
    await machine.ok(`kill -9 $(${show('MainPID')})`);
    await machine.until(`test $(${show('NRestarts')}) -gt ${before}`);
    expect(await label()).toContain('face');
  });

  test('a reload with a bad file changes nothing', async () => {
    const pid = await machine.ok(show('MainPID'));
    await machine.ok('cp /etc/smart-zone/agent.json /run/good && echo "{ bad" > /etc/smart-zone/agent.json');
    await machine.run('systemctl reload smart-zone-agent');
    await machine.until('journalctl -u smart-zone-agent -b | grep -q "cannot be read as JSON"');
    await machine.ok('cp /run/good /etc/smart-zone/agent.json && systemctl reload smart-zone-agent');
    expect(await machine.ok(show('MainPID'))).toBe(pid);
    expect(await label()).toContain('face');
  });

  test('a full disk: labels go on', async () => {
    await machine.run('fallocate -l 100G /filler; dd if=/dev/zero of=/filler bs=1M; sync');
    expect(await machine.ok('df --output=avail / | tail -1')).toMatch(/^\s*0$/m);
    // The clients are elsewhere in life: their notes are not on the full disk.
    const said = await machine.run('cp -a ~ /run/client && CLIENT_HOME=/run/client bash /srv/label.sh');
    await machine.ok('rm /filler; sync; cp -a /run/client/. ~/');
    expect(said.output).toContain('face');
  });

  test('the clock jumps a day ahead, and back', async () => {
    await machine.ok('date -s "+1 day"');
    expect(await label()).toContain('face');
    await machine.ok('date -s "-1 day"');
    expect(await label()).toContain('face');
  });

  test('the broker restarts', async () => {
    await machine.ok('systemctl restart mosquitto');
    expect(await label()).toContain('face');
  });

  test('the plug is pulled: after the next start it labels by itself', async () => {
    await machine.ok('sync');
    await machine.cut();
    machine = await Machine.boot(image, scratch);
    await machine.until('systemctl is-active smart-zone-agent');
    expect(await label()).toContain('face');
  });

  describe.each([
    ['half of it is there', `test "$(stat -c %b $incoming/package.part 2> /dev/null || echo 0)" -gt 20000`],
    ['it is being installed', 'test -e $incoming/../package.new'],
  ])('the plug is pulled during a model push, when %s', (_when, condition) => {
    let pushed: string;

    test('after the next start one complete model answers', async () => {
      const before = digestOf(await label());
      pushed = (JSON.parse(await machine.ok('bash /srv/pack.sh')) as { digest: string }).digest;
      await machine.ok('sync');
      await machine.last(
        `incoming=/var/lib/private/smart-zone/models/incoming bash /srv/cut.sh '${condition}'`,
        300_000,
      );
      machine = await Machine.boot(image, scratch);
      await machine.until('systemctl is-active smart-zone-agent');
      expect([before, pushed]).toContain(digestOf(await label()));
    });

    test('the push, run again, completes', async () => {
      const said = await machine.ok('bash /srv/push.sh', 300_000);
      expect(JSON.parse(said)).toMatchObject({ targets: [{ state: 'committed' }] });
      expect(digestOf(await label())).toBe(pushed);
    });
  });

  test('remove keeps it, purge wipes it', async () => {
    await machine.ok('DEBIAN_FRONTEND=noninteractive apt-get remove -y smart-zone-agent');
    expect((await machine.run('systemctl is-active smart-zone-agent')).status).not.toBe(0);
    await machine.ok('test -s /etc/smart-zone/agent.json && test -d /var/lib/private/smart-zone/tee');
    await machine.ok('DEBIAN_FRONTEND=noninteractive apt-get purge -y smart-zone-agent');
    expect(
      await machine.ok('ls -d /etc/smart-zone /var/lib/smart-zone /var/lib/private/smart-zone 2>&1 || true'),
    ).not.toMatch(/^\//m);
    expect(
      await machine.ok(
        'find / -xdev -name "*smart-zone*" -not -path "/srv/*" -not -path "$HOME/*" -not -path "/proc/*" -not -path "/var/lib/apt/*" -not -path "/var/log/*" | head',
      ),
    ).toBe('');
  });
});
