// node coverage.mjs EXPORT LEAST: a table of what llvm-cov exported, the branches that nothing reached, and exit 1 where fewer than
// LEAST percent of ta/trust's were.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

const [path, least] = process.argv.slice(2);
const [{ files }] = JSON.parse(readFileSync(path, 'utf8')).data;
const percent = ({ covered, count }) => (count === 0 ? '' : ((100 * covered) / count).toFixed(1));
const row = (name, { branches, lines }) =>
  [
    name.padEnd(24),
    `${branches.covered}/${branches.count}`.padStart(10),
    percent(branches).padStart(7),
    `${lines.covered}/${lines.count}`.padStart(10),
    percent(lines).padStart(7),
  ].join('');

console.log(
  `${'file'.padEnd(24)}${'branches'.padStart(10)}${'%'.padStart(7)}${'lines'.padStart(10)}${'%'.padStart(7)}`,
);
const sum = { branches: { covered: 0, count: 0 }, lines: { covered: 0, count: 0 } };
const unreached = [];
for (const { filename, summary, branches } of files) {
  console.log(row(basename(filename), summary));
  if (filename.includes('/ta/trust/'))
    for (const kind of ['branches', 'lines'])
      for (const what of ['covered', 'count']) sum[kind][what] += summary[kind][what];
  const text = readFileSync(filename, 'utf8').split('\n');
  const outcomes = new Map(); // the same condition of several programs
  for (const [line, column, endLine, endColumn, yes, no] of branches) {
    const key = `${line}:${column}-${endLine}:${endColumn}`;
    const before = outcomes.get(key) ?? { line, column, endLine, endColumn, yes: 0, no: 0 };
    outcomes.set(key, { ...before, yes: before.yes + yes, no: before.no + no });
  }
  for (const { line, column, endLine, endColumn, yes, no } of outcomes.values()) {
    if (yes > 0 && no > 0) continue;
    const condition = text[line - 1].slice(column - 1, endLine === line ? endColumn - 1 : undefined);
    const never = yes === 0 && no === 0 ? 'evaluated' : yes === 0 ? 'true' : 'false';
    unreached.push(`${basename(filename)}:${line}: never ${never}: ${condition}`);
  }
}
console.log(`\n${row('ta/trust', sum)}\n\nnot reached:\n${unreached.join('\n')}`);
if (!(sum.branches.covered >= (sum.branches.count * Number(least)) / 100)) {
  console.error(`\nfewer than ${least} % of the branches of ta/trust are reached`);
  process.exit(1);
}
