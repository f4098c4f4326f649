/** docs/first-label.md, command for command, on a machine that has nothing yet. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Machine } from './machine.js';
import { makeImage, missingForMachines, type Image } from './image.js';
import { folder, makePackage, MODEL, PICTURE, root } from './package.js';

const missing = missingForMachines();
if (missing !== undefined) console.log(`skipped: no virtual machine without ${missing}`);

const MOST_COMMANDS = 10;

interface Step {
  readonly command: string;
  /** Lines that it prints, in this order; "…" is anything, alone any number of lines. */
  readonly shown: readonly string[];
}

const stepsOf = (page: string): Step[] => {
  const [, block = ''] = /```console\n([^]*?)```/.exec(page) ?? [];
  return block
    .split(/^# /m)
    .slice(1)
    .map((text) => {
      const [command = '', ...shown] = text.trimEnd().split('\n');
      return { command, shown };
    });
};

const literal = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

const patternOf = (shown: readonly string[]): RegExp =>
  new RegExp(
    shown
      .map((line) =>
        line === '…' ? '(?:[^\\n]*\\n)*?' : `${line.split('…').map(literal).join('[^\\n]*')}\\s*\\n`,
      )
      .join('')
      .replace(/^/, '^'),
  );

(missing === undefined ? describe : describe.skip)('the first label', () => {
  const steps = stepsOf(readFileSync(join(root, 'docs/first-label.md'), 'utf8'));
  let scratch: string;
  let image: Image;
  let machine: Machine;

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'smart-zone-vm-first-'));
    mkdirSync(folder, { recursive: true });
    image = makeImage(folder, [makePackage(), MODEL, PICTURE]);
    machine = await Machine.boot(image, scratch);
    await machine.ok(
      'mkdir ~/start && cp /srv/*.deb /srv/*.tflite ~/start && cp /srv/sample1.jpg ~/start/door.jpg',
    );
  });
  afterAll(async () => {
    await machine.cut();
    rmSync(scratch, { recursive: true });
    if (existsSync(image.disk)) rmSync(image.disk);
  });

  test('in at most ten commands', () => {
    expect(steps.length).toBeGreaterThan(5);
    expect(steps.length).toBeLessThanOrEqual(MOST_COMMANDS);
  });

  test.each(steps)('$command', async ({ command, shown }) => {
    const { output } = await machine.run(
      `export DEBIAN_FRONTEND=noninteractive; cd ~/start; ${command}`,
      300_000,
    );
    process.stdout.write(`# ${command}\n${output}`);
    expect(`${output}\n`).toMatch(patternOf(shown));
  });
});
