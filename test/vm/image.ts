import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { mirrors } from '../../scripts/unpack-debian.mjs';

const SUITE = 'trixie';
/** What the agent's package asks for comes with it from the same place; this is the machine itself, and what the story needs. */
const PACKAGES = [
  ...[
    'linux-image-cloud-amd64',
    'initramfs-tools',
    'init',
    'systemd-sysv',
    'udev',
    'dbus',
    'kmod',
    'iproute2',
  ],
  ...['nodejs', 'libssl3t64', 'libstdc++6', 'mosquitto', 'openssl', 'ca-certificates', 'procps'],
];

/** A root shell on the second serial line: how the test speaks to the machine. */
const SHELL_UNIT = `[Unit]
Description=Shell for the test
[Service]
ExecStart=/bin/sh /usr/local/sbin/test-shell
StandardInput=tty-force
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS1
TTYReset=no
Restart=always
RestartSec=0
[Install]
WantedBy=multi-user.target
`;

/** Reads one base64 line, runs it, prints its output as base64 and its status: no byte of either is taken for the protocol's. */
const SHELL = `export HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin
stty raw -echo
echo ready
while read -r line; do
  printf %s "$line" | base64 -d > /run/test-command
  bash /run/test-command > /run/test-output 2>&1 < /dev/null
  status=$?
  printf '%s %s\\n' "$status" "$(base64 -w0 < /run/test-output)"
done
`;

/** What is missing to build and boot a machine; undefined when nothing is. */
export const missingForMachines = (): string | undefined => {
  if (process.arch !== 'x64') return 'an x86-64 machine';
  if (process.getuid?.() !== 0) return 'root (Debian is installed into a folder)';
  for (const program of ['mmdebstrap', 'qemu-system-x86_64', 'mkfs.ext4'])
    if (spawnSync(program, ['--version']).error !== undefined)
      return `${program} (sudo apt-get install mmdebstrap qemu-system-x86 e2fsprogs)`;
  return undefined;
};

export interface Image {
  readonly disk: string;
  readonly kernel: string;
  readonly initrd: string;
}

/** Debian from its packages, once; kept in `folder`. */
const baseArchive = (folder: string): string => {
  const archive = join(folder, `${SUITE}.tar`);
  if (existsSync(archive)) return archive;
  mkdirSync(folder, { recursive: true });
  const settings = ['--variant=apt', '--format=tar', '--quiet', `--include=${PACKAGES.join(',')}`];
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
  const sources = mirrors().map((mirror) => `deb [signed-by=${keyring}] ${mirror} ${SUITE} main`);
  execFileSync('mmdebstrap', [...settings, SUITE, `${archive}.new`, ...sources], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  execFileSync('mv', [`${archive}.new`, archive]);
  return archive;
};

/**
 * A disk with Debian 13 and some files in /srv.
 * @param folder for the archive that later runs use again; the disk is made anew
 */
export const makeImage = (folder: string, files: readonly string[]): Image => {
  const archive = baseArchive(folder);
  const root = mkdtempSync(join(tmpdir(), 'smart-zone-vm-'));
  try {
    execFileSync('tar', ['-xf', archive, '-C', root, '--numeric-owner']);
    const write = (path: string, text: string): void => {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    };
    write('etc/hostname', 'porch\n');
    write('etc/hosts', '127.0.0.1 localhost porch\n');
    write('etc/fstab', '/dev/vda / ext4 rw 0 1\n');
    write('etc/systemd/system/test-shell.service', SHELL_UNIT);
    write('usr/local/sbin/test-shell', SHELL);
    mkdirSync(join(root, 'etc/systemd/system/multi-user.target.wants'), { recursive: true });
    execFileSync('ln', [
      '-s',
      '../test-shell.service',
      join(root, 'etc/systemd/system/multi-user.target.wants/'),
    ]);
    mkdirSync(join(root, 'srv'), { recursive: true });
    for (const file of files) copyFileSync(file, join(root, 'srv', basename(file)));
    const boot = readdirSync(join(root, 'boot'));
    const bootFile = (start: string): string => {
      const name = boot.find((candidate) => candidate.startsWith(start));
      if (name === undefined) throw new Error(`Debian's kernel package has no ${start}`);
      const copy = join(folder, start);
      copyFileSync(join(root, 'boot', name), copy);
      return copy;
    };
    const disk = join(folder, 'disk.img');
    rmSync(disk, { force: true });
    execFileSync('mkfs.ext4', ['-q', '-F', '-d', root, disk, '2G']);
    return { disk, kernel: bootFile('vmlinuz'), initrd: bootFile('initrd.img') };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
};
