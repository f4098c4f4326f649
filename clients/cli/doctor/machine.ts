import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TA_UUID, VERSION, VERSION_NUMBER } from '../../../protocol/codes.js';
import { fail, ok, warn, type Finding } from './finding.js';
import { readTaFile, type TaFile } from './ta-file.js';

/** The machine that is looked at. */
export interface Machine {
  /** Its file system starts here. */
  readonly root: string;
  /** Its processes; a file system's root has them in proc. */
  readonly proc: string;
  /** The library that the agent's configuration names, where there is one: soft, optee or a path. */
  readonly library?: string;
  /** Output of a command without its line end; undefined where it cannot be run. */
  readonly run: (command: string, ...args: string[]) => string | undefined;
}

export const thisMachine = (library?: string): Machine => ({
  root: '/',
  proc: '/proc',
  ...(library === undefined ? {} : { library }),
  run: (command, ...args) => {
    const { error, stdout } = spawnSync(command, args, { encoding: 'utf8', timeout: 5000 });
    return error ? undefined : stdout.trim();
  },
});

const UNIT = 'smart-zone-agent.service';
const SUPPLICANTS = ['tee-supplicant.service', 'tee-supplicant@teepriv0.service'];
/** Of the memory that is reserved for it OP-TEE keeps at most this for itself on the boards that were looked at. */
const CORE = 7 * 1024 * 1024;
/** The agent and its TEE process: 99 MiB at most seen on aarch64, with a model of 11 MiB. */
const LINUX_MEMORY = 128 * 1024 * 1024;
const DAY_MS = 86_400_000;

const kibibytes = (bytes: number): string => `${Math.ceil(bytes / 1024).toLocaleString('en')} KiB`;

/** Everything on this machine that an agent with OP-TEE needs. */
export function checkMachine(machine: Machine): Finding[] {
  const device = checkDevice(machine);
  const withTee = existsSync(join(machine.root, 'dev/tee0')) || machine.library === 'optee';
  return [
    ...device,
    ...(withTee && machine.library !== 'soft'
      ? [...checkGroup(machine), ...checkSupplicant(machine), ...checkTa(machine)]
      : []),
    ...checkLinuxMemory(machine),
    ...checkClock(machine),
  ];
}

const statOf = (path: string): Stats | undefined => statSync(path, { throwIfNoEntry: false });

/** The TEE's device for clients. */
export function checkDevice({ root, library }: Machine): Finding[] {
  const check = 'TEE device';
  const node = statOf(join(root, 'dev/tee0'));
  if (library === 'soft')
    return [
      warn(
        check,
        `the agent is configured for the software TEE, which protects nobody${node ? ', although there is a /dev/tee0' : ''}`,
        node
          ? 'set tee.library to optee in the configuration, and install the drop-in optee.conf'
          : 'for trying things out only; protection needs a board with OP-TEE',
      ),
    ];
  if (node === undefined) {
    const detail = 'no /dev/tee0 here';
    return library === 'optee'
      ? [
          fail(
            check,
            `${detail}, and the agent is configured for OP-TEE`,
            'boot firmware with OP-TEE, and a kernel with CONFIG_OPTEE; dmesg | grep -i optee says how far it came',
          ),
        ]
      : [
          warn(
            check,
            `${detail}: an agent on this machine has the software TEE only, which protects nobody`,
            'for trying things out only; protection needs a board with OP-TEE',
          ),
        ];
  }
  if (!node.isCharacterDevice())
    return [fail(check, '/dev/tee0 is no device', 'remove it, and reboot: the driver makes the device')];
  const reload = 'install 60-smart-zone.rules, then: udevadm control --reload; udevadm trigger -s tee';
  if ((node.mode & 0o060) !== 0o060)
    return [fail(check, `/dev/tee0 cannot be opened by its group (mode ${modeOf(node)})`, reload)];
  if ((node.mode & 0o006) !== 0)
    return [warn(check, `/dev/tee0 can be opened by everybody (mode ${modeOf(node)})`, reload)];
  return [ok(check, `/dev/tee0, mode ${modeOf(node)}`)];
}

const modeOf = ({ mode }: Stats): string => (mode & 0o777).toString(8).padStart(3, '0');

/** Whether the unit belongs to the group of the device. */
export function checkGroup({ root }: Machine): Finding[] {
  const check = 'TEE group';
  const node = statOf(join(root, 'dev/tee0'));
  if (node === undefined) return [];
  const group = groupName(root, node.gid);
  const unit = ['etc/systemd/system', 'usr/lib/systemd/system', 'lib/systemd/system']
    .map((folder) => join(root, folder, UNIT))
    .find((file) => existsSync(file));
  if (unit === undefined)
    return [warn(check, `${group}; there is no ${UNIT} here that would belong to it`, 'install the package')];
  if (node.gid === 0)
    return [
      fail(
        check,
        '/dev/tee0 belongs to group root, to which no service should belong',
        'install smart-zone.sysusers and 60-smart-zone.rules, then: udevadm control --reload; udevadm trigger -s tee',
      ),
    ];
  const groups = groupsOf(root, unit);
  return groups.includes(group)
    ? [ok(check, `the agent belongs to group ${group}`)]
    : [
        fail(
          check,
          `/dev/tee0 belongs to group ${group}, the agent to ${groups.join(' and ') || 'none'}`,
          `SupplementaryGroups=${group} in /etc/systemd/system/${UNIT}.d/tee-group.conf, then: systemctl daemon-reload; systemctl restart smart-zone-agent`,
        ),
      ];
}

function groupName(root: string, gid: number): string {
  const file = join(root, 'etc/group');
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
  return lines.map((line) => line.split(':')).find(([, , id]) => id === String(gid))?.[0] ?? String(gid);
}

/** SupplementaryGroups= of a unit and its drop-ins: systemd reads these by file name, and an empty value forgets the earlier ones. */
function groupsOf(root: string, unit: string): string[] {
  const dropIns = ['usr/lib/systemd/system', 'etc/systemd/system'].flatMap((folder) => {
    const path = join(root, folder, `${UNIT}.d`);
    const names = existsSync(path) ? readdirSync(path).filter((name) => name.endsWith('.conf')) : [];
    return names.map((name) => ({ name, file: join(path, name) }));
  });
  dropIns.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const groups: string[] = [];
  for (const file of [unit, ...dropIns.map((dropIn) => dropIn.file)])
    for (const [, value = ''] of readFileSync(file, 'utf8').matchAll(/^SupplementaryGroups=(.*)$/gm))
      if (value.trim() === '') groups.length = 0;
      else groups.push(...value.trim().split(/\s+/));
  return groups;
}

/** tee-supplicant reads and writes what the TEE stores: without it a call that stores waits without end. */
export function checkSupplicant({ root, proc, run }: Machine): Finding[] {
  const check = 'tee-supplicant';
  const running = readdirSync(proc).some(
    (entry) => /^\d+$/.test(entry) && commandName(join(proc, entry, 'comm')) === 'tee-supplicant',
  );
  const booted = existsSync(join(root, 'run/systemd/system'));
  const states = booted ? SUPPLICANTS.map((unit) => run('systemctl', 'is-active', unit)) : [];
  if (!running)
    return [
      fail(
        check,
        `it does not run${states.includes('failed') ? ': its unit failed' : ''}; whatever the TEE stores would wait without end`,
        'apt install tee-supplicant; systemctl restart tee-supplicant (or tee-supplicant@teepriv0); journalctl -u tee-supplicant',
      ),
    ];
  if (booted && !states.includes('active'))
    return [
      warn(
        check,
        'it runs, but no unit of it is active: nothing starts it at the next boot',
        'systemctl enable tee-supplicant (or tee-supplicant@teepriv0)',
      ),
    ];
  return [ok(check, 'it runs')];
}

/** Processes come and go while they are listed. */
function commandName(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** The trusted application's file, its version, and whether the secure memory is enough for it. */
export function checkTa({ root }: Machine): Finding[] {
  const check = 'TA file';
  const install = `build it for this board (docs/op-tee.md) and put it to /lib/optee_armtz/${TA_UUID}.ta`;
  const path = ['lib/optee_armtz', 'usr/lib/optee_armtz']
    .map((folder) => join(root, folder, `${TA_UUID}.ta`))
    .find((file) => existsSync(file));
  if (path === undefined) return [fail(check, `there is no ${TA_UUID}.ta in /lib/optee_armtz`, install)];
  let ta: TaFile;
  try {
    ta = readTaFile(readFileSync(path));
  } catch (error) {
    return [fail(check, `${path}: ${(error as Error).message}`, install)];
  }
  return [versionOf(check, path, ta, install), ...checkSecureMemory(root, ta.memory)];
}

function versionOf(check: string, path: string, { uuid, version }: TaFile, install: string): Finding {
  if (uuid !== undefined && uuid !== TA_UUID) return fail(check, `${path} is TA ${uuid}`, install);
  if (version === undefined)
    return warn(
      check,
      'it has no version: OP-TEE cannot refuse an older one',
      'build it with ta/Makefile, which gives it one',
    );
  const detail = `TA version ${version}, this program is ${VERSION_NUMBER} (${VERSION})`;
  return version === VERSION_NUMBER
    ? ok(check, detail)
    : warn(check, detail, 'install the TA and the agent of the same release');
}

/** What the boot firmware reserved for OP-TEE, from the device tree that Linux got. */
export function checkSecureMemory(root: string, needed: number | undefined): Finding[] {
  const check = 'secure memory';
  if (needed === undefined) return [];
  const reserved = reservedForTee(join(root, 'proc/device-tree/reserved-memory'));
  const smaller =
    'build the TA with a smaller TA_DATA_SIZE_KIB (ta/Makefile), or OP-TEE with more memory for TAs';
  const takes = `the TA takes ${kibibytes(needed)}`;
  if (reserved === undefined)
    return [
      warn(check, `${takes}; how much there is is not in the device tree`, `if it does not open: ${smaller}`),
    ];
  const of = `${takes} of the ${kibibytes(reserved)} that are reserved for OP-TEE`;
  if (needed > reserved) return [fail(check, of, smaller)];
  if (needed > reserved - CORE)
    return [warn(check, `${of}, which needs some itself`, `if it does not open: ${smaller}`)];
  return [ok(check, of)];
}

/** Bytes: the sizes in `reg` of each optee_core node, of one or two cells of 32 bits. */
function reservedForTee(folder: string): number | undefined {
  if (!existsSync(folder)) return undefined;
  const cells = (name: string): number => {
    const file = join(folder, name);
    return existsSync(file) ? readFileSync(file).readUInt32BE(0) : 2;
  };
  const [addressCells, sizeCells] = [cells('#address-cells'), cells('#size-cells')];
  let total: number | undefined;
  for (const node of readdirSync(folder).filter((name) => name.startsWith('optee_core'))) {
    const reg = readFileSync(join(folder, node, 'reg'));
    const entry = 4 * (addressCells + sizeCells);
    for (let at = 0; at + entry <= reg.length; at += entry)
      total =
        (total ?? 0) + reg.readUIntBE(at + entry - Math.min(4 * sizeCells, 6), Math.min(4 * sizeCells, 6));
  }
  return total;
}

export function checkLinuxMemory({ proc }: Machine): Finding[] {
  const check = 'memory';
  const available = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync(join(proc, 'meminfo'), 'utf8'))?.[1];
  if (available === undefined) return [];
  const bytes = Number(available) * 1024;
  return bytes < LINUX_MEMORY
    ? [
        warn(
          check,
          `${kibibytes(bytes)} are free; the agent takes up to ${kibibytes(LINUX_MEMORY)}`,
          'end something else',
        ),
      ]
    : [ok(check, `${kibibytes(bytes)} are free`)];
}

/** Labels that are too old are ignored, certificates have dates: the clock has to be right. */
export function checkClock({ root, run }: Machine): Finding[] {
  const check = 'clock';
  const now = new Date();
  const made = statSync(fileURLToPath(import.meta.url)).mtime;
  const shown = now.toISOString();
  const set = 'apt install systemd-timesyncd; timedatectl set-ntp true';
  if (now.getTime() < made.getTime() - DAY_MS)
    return [fail(check, `it says ${shown}, which is before this program was installed`, set)];
  if (existsSync(join(root, 'run/systemd/timesync/synchronized')))
    return [ok(check, `synchronised, ${shown}`)];
  const synchronised = run('timedatectl', 'show', '--property=NTPSynchronized', '--value');
  if (synchronised === 'yes') return [ok(check, `synchronised, ${shown}`)];
  const why =
    synchronised === 'no' ? 'nothing synchronises it' : 'nothing here says whether it is synchronised';
  return [warn(check, `it says ${shown}; ${why}`, set)];
}
