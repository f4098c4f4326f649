import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Machine } from './machine.js';
import { makeImage, missingForMachines, type Image } from './image.js';
import { folder, makePackage, MODEL, PICTURE } from './package.js';

/* The Debian package in a Debian 13 with systemd, on the software TEE: what its user does, and what happens to it over the years. */

const missing = missingForMachines();
if (missing !== undefined) console.log(`skipped: no virtual machine without ${missing}`);

const TLS = `set -e
cd /etc/smart-zone/credentials
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out broker.ca -days 3650 -subj /CN=home
for name in broker agent client; do
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $name.key -out $name.csr -subj /CN=$name
  openssl x509 -req -in $name.csr -CA broker.ca -CAkey ca.key -CAcreateserial -out $name.crt -days 3650 \\
    -extfile <(echo subjectAltName=DNS:porch)
done
install -o mosquitto -m 600 broker.key /etc/mosquitto/certs/broker.key
install -m 644 broker.crt broker.ca /etc/mosquitto/certs/
mkdir -p ~/tls && mv client.key client.crt ~/tls/ && cp broker.ca ~/tls/
mv agent.key broker.key && mv agent.crt broker.cert && echo unused > broker.password
rm -f broker.crt client.* *.csr *.srl
cat > /etc/mosquitto/conf.d/tls.conf <<END
listener 8883
cafile /etc/mosquitto/certs/broker.ca
certfile /etc/mosquitto/certs/broker.crt
keyfile /etc/mosquitto/certs/broker.key
require_certificate true
use_identity_as_username true
END
systemctl restart mosquitto
cat > /etc/smart-zone/agent.json <<END
{
  "broker": {
    "url": "mqtts://porch:8883",
    "tls": { "ca": "credential:broker.ca", "cert": "credential:broker.cert", "key": "credential:broker.key" }
  },
  "tee": { "library": "soft" }
}
END
cp /usr/share/smart-zone/drop-ins/tls.conf /etc/systemd/system/smart-zone-agent.service.d/
systemctl daemon-reload
systemctl restart smart-zone-agent
`;

/** For every smart-zone command after it. */
const CLIENT = `export SMART_ZONE_BROKER_URL=mqtts://porch:8883 SMART_ZONE_BROKER_TLS_CA=~/tls/broker.ca
export SMART_ZONE_BROKER_TLS_CERT=~/tls/client.crt SMART_ZONE_BROKER_TLS_KEY=~/tls/client.key
export HOME=\${CLIENT_HOME:-$HOME}
cd $HOME
`;

const OWN = `${CLIENT}set -e
smart-zone owner init
smart-zone owner claim --device porch --accept software --yes
for role in sensor rules publisher; do smart-zone owner enrol "$(smart-zone key new $role | grep -o 'sz1[^ ]*')"; done
smart-zone model pack /srv/face_detection_short_range.tflite --name faces --out ~/faces.szm
smart-zone model wrap faces.szm --device porch
smart-zone model install faces.szm --directory /var/lib/smart-zone/models
`;

/** One picture to the device, one label back. */
const LABEL = `${CLIENT}
smart-zone --json rules watch --device porch --count 1 --max-age 300 > /run/label 2> /run/watch & watcher=$!
sleep 3
smart-zone sensor send --device porch --timeout 60 /srv/sample1.jpg || { kill $watcher; cat /run/watch; exit 1; }
for i in $(seq 60); do kill -0 $watcher 2> /dev/null || break; sleep 1; done
kill $watcher 2> /dev/null
cat /run/label /run/watch
grep -q face /run/label
`;

const show = (property: string): string => `systemctl show --value --property=${property} smart-zone-agent`;

(missing === undefined ? describe : describe.skip)('the package on Debian 13', () => {
  let image: Image;
  let machine!: Machine;
  const scratch = mkdtempSync(join(tmpdir(), 'smart-zone-vm-test-'));

  /** The same package as an older release. */
  const older = (deb: string): string => {
    const tree = join(scratch, 'older');
    execFileSync('dpkg-deb', ['-R', deb, tree]);
    execFileSync('sed', ['-i', 's/^Version: .*/Version: 0.0.1-1/', join(tree, 'DEBIAN/control')]);
    const file = join(scratch, 'smart-zone-agent_0.0.1-1_amd64.deb');
    execFileSync('dpkg-deb', ['--root-owner-group', '-Zgzip', '-b', tree, file], { stdio: 'ignore' });
    return file;
  };

  beforeAll(async () => {
    const deb = join(scratch, 'new.deb');
    copyFileSync(makePackage(), deb);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(scratch, 'own.sh'), OWN);
    writeFileSync(join(scratch, 'label.sh'), LABEL);
    writeFileSync(join(scratch, 'tls.sh'), TLS);
    const scripts = ['own.sh', 'label.sh', 'tls.sh'].map((file) => join(scratch, file));
    image = makeImage(folder, [older(deb), deb, MODEL, PICTURE, ...scripts]);
    machine = await Machine.boot(image, scratch);
  });
  afterAll(async () => {
    await machine.cut();
    rmSync(scratch, { recursive: true });
    if (existsSync(image.disk)) rmSync(image.disk);
  });

  const label = (): Promise<string> => machine.ok('bash /srv/label.sh');

  test('apt installs it, and an unclaimed agent runs on the software TEE, and says so', async () => {
    const said = await machine.ok(
      'DEBIAN_FRONTEND=noninteractive apt-get install -y /srv/smart-zone-agent_0.0.1-1_amd64.deb',
    );
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
    await machine.ok('bash /srv/own.sh', 300_000);
    expect(await label()).toContain('face');
    const log = await machine.ok('journalctl -u smart-zone-agent -b');
    expect(log).not.toMatch(/BEGIN|"label"|score/);
  });

  test('a frozen trusted application: it is replaced, and labels come again', async () => {
    const before = await machine.ok('pgrep -x smart-zone-ta');
    await machine.ok('pkill -STOP -x smart-zone-ta');
    await machine.until(`test "$(pgrep -x smart-zone-ta)" != "${before.trim()}"`, 150_000);
    await machine.until(show('StatusText'));
    expect(await label()).toContain('face');
  });

  test('a frozen agent: the watchdog restarts it', async () => {
    const before = Number(await machine.ok(show('NRestarts')));
    await machine.ok(`kill -STOP $(${show('MainPID')})`);
    await machine.until(`test $(${show('NRestarts')}) -gt ${before}`, 150_000);
    expect(await machine.ok('journalctl -u smart-zone-agent -b')).toContain('watchdog');
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

  test('an upgrade keeps what the device knows', async () => {
    await machine.ok('DEBIAN_FRONTEND=noninteractive apt-get install -y /srv/new.deb');
    await machine.until('systemctl is-active smart-zone-agent');
    expect(await machine.ok('dpkg-query -W smart-zone-agent')).not.toContain('0.0.1');
    expect(await label()).toContain('face');
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
