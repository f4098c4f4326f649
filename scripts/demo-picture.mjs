// Draws docs/demo.svg from what a real run of the demo printed:  npm run build && node scripts/demo-picture.mjs
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const output = execFileSync(process.execPath, ['dist/demo/main.js', '--frames', '8', '--interval', '250'], {
  cwd: root,
  encoding: 'utf8',
});
const lines = output.trim().split('\n');
const from = lines.findIndex((line) => line.includes('streaming photographs'));
const last = lines.findIndex((line) => /^(ok|FAILED):/.test(line));
const shown = lines.slice(from + 1, last).filter((line) => !/receipt|state|hello/.test(line));

const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
const row = 18;
const height = 84 + shown.length * row + 44;
const text = (x, y, fill, content, more = '') =>
  `<text x="${x}" y="${y}" fill="${fill}"${more} xml:space="preserve">${escape(content)}</text>`;
const body = shown.map((line, i) => {
  const y = 92 + i * row;
  const content = line.replace(/^(broker|rules)\s{0,2}/, '');
  if (line.startsWith('broker')) return text(24, y, '#8b949e', content);
  return text(600, y, line.includes('→') ? '#f2cc60' : '#7ee787', content.trim());
});
const summary = (lines[last] ?? '').split('; ');

mkdirSync(`${root}docs`, { recursive: true });
writeFileSync(
  `${root}docs/demo.svg`,
  [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1120 ${height}" role="img" aria-label="The demo: what the broker sees, and what the rules host knows" font-family="ui-monospace, Menlo, Consolas, monospace" font-size="13">`,
    `<rect width="1120" height="${height}" rx="10" fill="#0d1117"/>`,
    text(24, 34, '#ffffff', 'npm run demo', ' font-weight="bold"'),
    text(24, 66, '#ff7b72', 'what the broker sees'),
    text(600, 66, '#7ee787', 'what you know'),
    '<line x1="584" y1="50" x2="584" y2="' + (height - 44) + '" stroke="#30363d"/>',
    ...body,
    text(24, height - 16, '#c9d1d9', summary.join('; ')),
    '</svg>',
    '',
  ].join('\n'),
);
console.log(lines[last]);
