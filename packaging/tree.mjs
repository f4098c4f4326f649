// What lies where in the package, below a folder that dpkg-deb then packs.
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { spawnSync } from 'node:child_process';
import { dirname, extname, join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { deadLinks } from './links.mjs';
import { manual } from './manual.mjs';
import { PRODUCTS } from './native.mjs';

const NAME = 'smart-zone-agent';
/** Debian's own variables name who built it. */
const { DEBFULLNAME = 'Smart-Zone authors', DEBEMAIL = 'smart-zone@example.org' } = process.env;
const MAINTAINER = `${DEBFULLNAME} <${DEBEMAIL}>`;
const HOME = 'usr/lib/smart-zone';
const DOC = `usr/share/doc/${NAME}`;
/** Besides docs/ and examples/. */
const DOCUMENTS = [
  'README.md',
  'ARCHITECTURE.md',
  'SECURITY.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'bench/README.md',
  'systemd/README.md',
  'node-red-contrib-smart-zone/README.md',
  'config/rules.schema.json',
];

/** In modules: documentation, types, sources and tests that nothing loads. */
const UNUSED_FILES =
  /(\.(md|markdown|ts|mts|cts|map|flow|html|yml|yaml|txt|test\.js|o|cc|h|gyp|gypi)|^\..*|Makefile)$/i;
const UNUSED_FOLDERS = new Set([
  'test',
  'tests',
  'example',
  'examples',
  'benchmark',
  'benchmarks',
  'docs',
  'types',
  '.github',
]);
/** Needed to compile, or by compilers only. */
const UNUSED_MODULES = ['@types', 'undici-types', 'node-addon-api'];

const LICENCE_FILE = /^(licen[cs]e|copying|notice)/i;

/** Every file below a folder. */
const filesBelow = (folder) =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));

const writeText = (file, text, mode = 0o644) => {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  chmodSync(file, mode);
};

const gzipped = (text) => gzipSync(text, { level: 9 });

/** Removes what nothing loads, and returns the licences of what stays. */
const pruneModules = (modules) => {
  for (const name of UNUSED_MODULES) rmSync(join(modules, name), { recursive: true, force: true });
  const licences = new Map();
  const visit = (folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      const inModule = relative(modules, path).replaceAll('\\', '/');
      if (entry.isSymbolicLink() || entry.name === '.bin') rmSync(path, { recursive: true });
      else if (entry.isDirectory()) {
        const unused = UNUSED_FOLDERS.has(entry.name) && !existsSync(join(path, 'package.json'));
        if (unused) rmSync(path, { recursive: true });
        else visit(path);
      } else if (LICENCE_FILE.test(entry.name)) {
        licences.set(inModule, readFileSync(path, 'utf8'));
        rmSync(path);
      } else if (UNUSED_FILES.test(entry.name)) rmSync(path);
      else chmodSync(path, readFileSync(path).subarray(0, 2).toString() === '#!' ? 0o755 : 0o644);
    }
  };
  visit(modules);
  return licences;
};

/** DEP-5 copyright file: ours, and each module's with the text that it came with. */
const copyright = (root, modules, licences) => {
  const indent = (text) =>
    text
      .trim()
      .split(/\r?\n/)
      .map((line) => (line.trim() === '' ? ' .' : ` ${line.trimEnd()}`))
      .join('\n');
  const paragraphs = [
    'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: smart-zone',
    'Files: *\nCopyright: the Smart-Zone authors\nLicense: Apache-2.0\n' +
      ' On Debian systems the full text of the Apache License 2.0 is in /usr/share/common-licenses/Apache-2.0.',
  ];
  const packages = filesBelow(modules).filter((file) => file.endsWith('package.json'));
  for (const file of packages) {
    const { name, license, author } = JSON.parse(readFileSync(file, 'utf8'));
    if (name === undefined || license === undefined) continue;
    const folder = relative(modules, dirname(file));
    const text = [...licences].find(([path]) => dirname(path) === folder)?.[1];
    const holder = typeof author === 'string' ? author : (author?.name ?? `the authors of ${name}`);
    paragraphs.push(
      `Files: ${HOME}/node_modules/${folder}/*\nCopyright: ${holder.replaceAll(/\s+/g, ' ')}\n` +
        `License: ${typeof license === 'string' ? license : license.type} (${folder})\n` +
        (text === undefined || /Apache License\s+Version 2\.0, January 2004/.test(text)
          ? ` ${typeof license === 'string' ? license : license.type}; of Apache-2.0 the text is in /usr/share/common-licenses.`
          : indent(text)),
    );
  }
  return `${paragraphs.join('\n\n')}\n`;
};

/** What is new is in changelog.gz; Debian's own file only says which revision of the package this is. */
const debianChangelog = (version) =>
  `${NAME} (${version}) unstable; urgency=medium\n\n  * See changelog.gz.\n\n -- ${MAINTAINER}  ` +
  `${new Date().toUTCString().replace('GMT', '+0000')}\n`;

const control = ({ version, arch, kibibytes }) => `Package: ${NAME}
Version: ${version}
Architecture: ${arch}
Maintainer: ${MAINTAINER}
Installed-Size: ${kibibytes}
Depends: nodejs (>= 20), libc6 (>= 2.34), libstdc++6, libssl3t64 | libssl3, systemd (>= 252)
${arch === 'arm64' ? 'Recommends: tee-supplicant, libteec2\n' : ''}Suggests: mosquitto
Section: net
Priority: optional
Description: private camera and microphone inference in a trusted application
 Sensors publish sealed frames to an MQTT broker. This agent takes them to a
 trusted application in OP-TEE, which opens them, runs a complete neural
 network, and seals the label for those who may read it. The agent, the broker
 and Linux never hold a frame, a label or a model in the clear.
 .
 Without OP-TEE it runs a software TEE, for trying it out: that one protects
 nobody from root on the same machine.
`;

const sizeOf = (tree) => filesBelow(tree).reduce((sum, file) => sum + lstatSync(file).size, 0);

/** Fills `tree` with the package's files and its control information. */
export const layOut = ({ root, tree, native, modules, program, arch, version, ta }) => {
  const at = (...path) => join(tree, ...path);
  const copy = (from, to, mode = 0o644) => {
    mkdirSync(dirname(at(to)), { recursive: true });
    cpSync(from, at(to));
    chmodSync(at(to), mode);
  };

  for (const folder of ['agent', 'clients', 'protocol', 'broker-dev'])
    cpSync(join(root, 'dist', folder), at(HOME, 'dist', folder), {
      recursive: true,
      filter: (file) => !['.ts', '.map'].includes(extname(file)),
    });
  for (const file of filesBelow(at(HOME, 'dist'))) chmodSync(file, file.endsWith('main.js') ? 0o755 : 0o644);
  copy(join(root, 'package.json'), `${HOME}/package.json`);
  copy(join(root, 'config/default.json'), `${HOME}/config/default.json`);
  const page = 'clients/rules/dashboard/page';
  for (const file of readdirSync(join(root, page))) copy(join(root, page, file), `${HOME}/${page}/${file}`);
  const licences = pruneModules(modules);
  cpSync(modules, at(HOME, 'node_modules'), { recursive: true });
  for (const product of PRODUCTS) {
    const program = !/\.(so|node)$/.test(product);
    copy(join(native, product), `${HOME}/build/${product}`, program ? 0o755 : 0o644);
    const strip = arch === 'arm64' && process.arch !== 'arm64' ? 'aarch64-linux-gnu-strip' : 'strip';
    if (spawnSync(strip, ['--strip-unneeded', at(HOME, 'build', product)]).status !== 0)
      throw new Error(`${strip} failed on ${product}`);
  }
  for (const file of filesBelow(at(HOME, 'node_modules')))
    if (/\.(so|node)[.\d]*$/.test(file)) chmodSync(file, 0o644);

  mkdirSync(at('usr/bin'), { recursive: true });
  symlinkSync('../lib/smart-zone/dist/agent/main.js', at('usr/bin/smart-zone-agent'));
  symlinkSync('../lib/smart-zone/dist/clients/cli/main.js', at('usr/bin/smart-zone'));

  const systemd = join(root, 'systemd');
  copy(join(systemd, 'smart-zone-agent.service'), 'usr/lib/systemd/system/smart-zone-agent.service');
  copy(join(systemd, 'smart-zone.sysusers'), 'usr/lib/sysusers.d/smart-zone.conf');
  copy(join(systemd, 'smart-zone.tmpfiles'), 'usr/lib/tmpfiles.d/smart-zone.conf');
  copy(join(systemd, '60-smart-zone.rules'), 'usr/lib/udev/rules.d/60-smart-zone.rules');
  if (arch === 'arm64')
    copy(
      join(systemd, 'tee-supplicant.conf'),
      'usr/lib/systemd/system/tee-supplicant.service.d/smart-zone.conf',
    );
  for (const name of readdirSync(join(systemd, 'drop-ins')))
    copy(join(systemd, 'drop-ins', name), `usr/share/smart-zone/drop-ins/${name}`);
  if (ta !== undefined) copy(ta, `usr/lib/optee_armtz/7c3a1f52-5b0e-4c55-9d2b-3f6e0a8c41d7.ta`);

  for (const page of readdirSync(join(root, 'packaging/man'))) {
    const section = extname(page).slice(1);
    const text = readFileSync(join(root, 'packaging/man', page), 'utf8');
    writeText(
      at(`usr/share/man/man${section}/${page}.gz`),
      gzipped(page === 'smart-zone.1' ? manual(program, text) : text),
    );
  }
  writeText(at(DOC, 'copyright'), copyright(root, modules, licences));
  writeText(at(DOC, 'changelog.gz'), gzipped(readFileSync(join(root, 'CHANGELOG.md'))));
  writeText(at(DOC, 'changelog.Debian.gz'), gzipped(debianChangelog(version)));
  const whole = ['docs', 'examples'].flatMap((folder) =>
    readdirSync(join(root, folder)).map((name) => `${folder}/${name}`),
  );
  for (const file of [...DOCUMENTS, ...whole]) copy(join(root, file), `${DOC}/${file}`);
  const dead = deadLinks(at(DOC), filesBelow(at(DOC)));
  if (dead.length > 0) throw new Error(`links that lead nowhere in the package: ${dead.join(', ')}`);
  copy(join(root, 'config/example.json'), `${DOC}/examples/agent.json`);
  copy(join(root, 'packaging/debian/lintian-overrides'), `usr/share/lintian/overrides/${NAME}`);

  for (const folder of readdirSync(tree, { withFileTypes: true, recursive: true }))
    if (folder.isDirectory()) chmodSync(join(folder.parentPath ?? folder.path, folder.name), 0o755);
  const sums = filesBelow(tree)
    .filter((file) => lstatSync(file).isFile())
    .map((file) => `${createHash('md5').update(readFileSync(file)).digest('hex')}  ${relative(tree, file)}\n`)
    .sort();
  const kibibytes = Math.ceil(sizeOf(tree) / 1024);
  for (const script of ['postinst', 'prerm', 'postrm'])
    writeText(at('DEBIAN', script), readFileSync(join(root, 'packaging/debian', script), 'utf8'), 0o755);
  writeText(at('DEBIAN/md5sums'), sums.join(''));
  writeText(at('DEBIAN/control'), control({ version, arch, kibibytes }));
  chmodSync(at('DEBIAN'), 0o755);
  chmodSync(tree, 0o755);
};
