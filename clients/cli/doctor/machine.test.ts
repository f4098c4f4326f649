import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { jest } from '@jest/globals';
import { TA_UUID, VERSION_NUMBER } from '../../../protocol/codes.js';
import { signedTa } from '../../../test/support/signed-ta.js';
import {
  checkClock,
  checkDevice,
  checkGroup,
  checkLinuxMemory,
  checkMachine,
  checkSecureMemory,
  checkSupplicant,
  checkTa,
  thisMachine,
  type Machine,
} from './machine.js';

/* Each check on real files, devices and processes, working and really broken. Devices can only be made by root, as in CI. */

const GROUP = 61_234;
const asRoot = process.getuid?.() === 0;
if (!asRoot) console.log('skipped: what needs device nodes, which only root can make');
let root: string;
let machine: Machine;
const children: ChildProcess[] = [];

const write = (path: string, content: string | Buffer): string => {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  return file;
};
const verdicts = (findings: readonly { verdict: string }[]): string[] =>
  findings.map(({ verdict }) => verdict);
/** Everything that is said, to be searched. */
const words = (findings: readonly { detail: string; fix?: string }[]): string =>
  findings.map(({ detail, fix = '' }) => `${detail} | ${fix}`).join('\n');

/** /dev/null's numbers: a character device that opens. */
const makeDevice = (mode: number, gid: number): void => {
  const node = join(root, 'dev/tee0');
  mkdirSync(dirname(node), { recursive: true });
  rmSync(node, { force: true });
  if (asRoot) {
    expect(spawnSync('mknod', [node, 'c', '1', '3']).status).toBe(0);
    chownSync(node, 0, gid);
    chmodSync(node, mode);
  } else symlinkSync('/dev/null', node);
};

/** A process whose name is tee-supplicant. */
const startSupplicant = async (): Promise<void> => {
  const program = join(root, 'tee-supplicant');
  copyFileSync('/bin/sleep', program);
  chmodSync(program, 0o755);
  const child = spawn(program, ['60'], { stdio: 'ignore' });
  children.push(child);
  await new Promise((resolve) => child.once('spawn', resolve));
};

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'smart-zone-doctor-'));
  machine = { ...thisMachine('optee'), root, run: () => undefined };
  write('etc/group', `root:x:0:\ntee:x:${GROUP}:\n`);
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }
  rmSync(root, { recursive: true });
});

describe('the device', () => {
  test('missing: fails where OP-TEE is configured, is worth a word elsewhere', () => {
    expect(verdicts(checkDevice(machine))).toEqual(['fail']);
    expect(words(checkDevice(machine))).toContain('CONFIG_OPTEE');
    for (const library of ['soft', undefined])
      expect(
        verdicts(checkDevice({ root, proc: '/proc', run: machine.run, ...(library && { library }) })),
      ).toEqual(['warn']);
  });

  (asRoot ? test : test.skip)('there, and the agent configured for the software TEE', () => {
    makeDevice(0o660, GROUP);
    const findings = checkDevice({ ...machine, library: 'soft' });
    expect(verdicts(findings)).toEqual(['warn']);
    expect(words(findings)).toMatch(/although there is a \/dev\/tee0 \| set tee\.library to optee/);
  });

  test('a file in its place', () => {
    write('dev/tee0', '');
    expect(words(checkDevice(machine))).toContain('is no device');
  });

  (asRoot ? test : test.skip).each([
    [0o660, 'ok', 'mode 660'],
    [0o600, 'fail', 'cannot be opened by its group'],
    [0o640, 'fail', 'udevadm trigger'],
    [0o666, 'warn', 'by everybody'],
  ])('mode %o', (mode, verdict, said) => {
    makeDevice(mode, GROUP);
    const findings = checkDevice(machine);
    expect(verdicts(findings)).toEqual([verdict]);
    expect(words(findings)).toContain(said);
  });
});

(asRoot ? describe : describe.skip)('the group', () => {
  const dropIn = (name: string, ...groups: string[]) =>
    write(
      `etc/systemd/system/smart-zone-agent.service.d/${name}`,
      `[Service]\n${groups.map((group) => `SupplementaryGroups=${group}\n`).join('')}`,
    );
  beforeEach(() => makeDevice(0o660, GROUP));

  test('no unit', () => expect(words(checkGroup(machine))).toContain('install the package'));

  test('the unit belongs to it, or not, or no more', () => {
    write('usr/lib/systemd/system/smart-zone-agent.service', '[Service]\n');
    expect(words(checkGroup(machine))).toContain('the agent to none');
    dropIn('optee.conf', 'tee');
    expect(verdicts(checkGroup(machine))).toEqual(['ok']);
    dropIn('tee-group.conf', '', 'teeclnt');
    const findings = checkGroup(machine);
    expect(verdicts(findings)).toEqual(['fail']);
    expect(words(findings)).toContain(
      'belongs to group tee, the agent to teeclnt | SupplementaryGroups=tee ',
    );
  });

  test('root’s device', () => {
    write('usr/lib/systemd/system/smart-zone-agent.service', '[Service]\nSupplementaryGroups=root\n');
    makeDevice(0o660, 0);
    expect(verdicts(checkGroup(machine))).toEqual(['fail']);
  });
});

describe('tee-supplicant', () => {
  test('it does not run, and its unit failed', () => {
    write('run/systemd/system/.keep', '');
    // A machine of its own: nothing but this test's processes are looked at, and there is none.
    write('proc/self/comm', 'tee-supplicant\n');
    const findings = checkSupplicant({ ...machine, proc: join(root, 'proc'), run: () => 'failed' });
    expect(verdicts(findings)).toEqual(['fail']);
    expect(words(findings)).toContain('its unit failed');
    expect(words(findings)).toContain('systemctl restart tee-supplicant');
  });

  test('it runs; without a unit it will not at the next boot', async () => {
    await startSupplicant();
    expect(verdicts(checkSupplicant(machine))).toEqual(['ok']);
    write('run/systemd/system/.keep', '');
    expect(verdicts(checkSupplicant({ ...machine, run: () => 'inactive' }))).toEqual(['warn']);
    expect(
      verdicts(
        checkSupplicant({
          ...machine,
          run: (_, __, unit) => (unit === 'tee-supplicant.service' ? 'active' : 'inactive'),
        }),
      ),
    ).toEqual(['ok']);
  });
});

describe('the TA and its memory', () => {
  const file = `lib/optee_armtz/${TA_UUID}.ta`;
  const reserve = (kibibytes: number): void => {
    const reg = Buffer.alloc(16);
    reg.writeUInt32BE(0x0e100000, 4);
    reg.writeUInt32BE(kibibytes * 1024, 12);
    write('proc/device-tree/reserved-memory/optee_core@e100000/reg', reg);
    for (const name of ['#address-cells', '#size-cells'])
      write(`proc/device-tree/reserved-memory/${name}`, Buffer.from([0, 0, 0, 2]));
  };

  test('another TA, and one without a version', () => {
    write(file, signedTa(VERSION_NUMBER, 65_536, 'aaaaaaaa-0000-0000-0000-000000000000'));
    expect(verdicts(checkTa(machine))[0]).toBe('fail');
    expect(words(checkTa(machine))).toContain(
      'is TA aaaaaaaa-0000-0000-0000-000000000000 | build it for this board',
    );
    write(file, signedTa(undefined));
    expect(verdicts(checkTa(machine))).toEqual(['warn']);
    expect(words(checkTa(machine))).toMatch(/it has no version: .* \| build it with ta\/Makefile/);
  });

  test('missing, damaged, of another release, right', () => {
    expect(words(checkTa(machine))).toContain('docs/op-tee.md');
    write(file, signedTa(VERSION_NUMBER).subarray(1));
    expect(words(checkTa(machine))).toContain('it does not start as a signed TA does');
    write(file, signedTa(VERSION_NUMBER - 1));
    expect(verdicts(checkTa(machine))).toEqual(['warn', 'warn']);
    reserve(15_360);
    write(file, signedTa(VERSION_NUMBER));
    expect(verdicts(checkTa(machine))).toEqual(['ok', 'ok']);
    expect(words(checkTa(machine))).toContain('the TA takes 72 KiB of the 15,360 KiB');
  });

  test.each([
    [7848, 15_360, 'ok'],
    [8300, 15_360, 'warn'],
    [15_361, 15_360, 'fail'],
  ])('a TA of %d KiB in %d KiB', (needed, reserved, verdict) => {
    reserve(reserved);
    const findings = checkSecureMemory(root, needed * 1024);
    expect(verdicts(findings)).toEqual([verdict]);
    if (verdict !== 'ok') expect(words(findings)).toContain('TA_DATA_SIZE_KIB');
  });

  test('Linux’s own', () => {
    expect(verdicts(checkLinuxMemory(machine))).toEqual(['ok']);
    write('proc/meminfo', 'MemTotal: 900000 kB\nMemAvailable:   90000 kB\n');
    expect(words(checkLinuxMemory({ ...machine, proc: join(root, 'proc') }))).toContain(
      '90,000 KiB are free',
    );
  });
});

describe('the clock', () => {
  afterEach(() => jest.useRealTimers());

  test('synchronised by systemd, by somebody else, by nobody', () => {
    expect(words(checkClock(machine))).toContain('nothing here says');
    expect(words(checkClock({ ...machine, run: () => 'no' }))).toContain('nothing synchronises it');
    expect(verdicts(checkClock({ ...machine, run: () => 'yes' }))).toEqual(['ok']);
    write('run/systemd/timesync/synchronized', '');
    expect(verdicts(checkClock(machine))).toEqual(['ok']);
  });

  test('a board without a battery starts in 1970', () => {
    jest.useFakeTimers({ now: 86_400_000, advanceTimers: true });
    const findings = checkClock(machine);
    expect(verdicts(findings)).toEqual(['fail']);
    expect(words(findings)).toContain('1970-01-02');
  });
});

test('a machine with the software TEE is not asked for what OP-TEE needs', () => {
  const checks = checkMachine({ ...machine, library: 'soft' }).map(({ check }) => check);
  expect(checks).toEqual(['TEE device', 'memory', 'clock']);
});
