import type { Life, LifeKind, PlanOverTime } from './plan-lives.js';

/** Picture and margins, in pixels. */
const WIDTH = 1000;
const HEIGHT = 580;
const LEFT = 84;
const RIGHT = 20;
const TOP = 118;
const BOTTOM = 56;

const KINDS: Record<LifeKind, { readonly label: string; readonly light: string; readonly dark: string }> = {
  input: { label: 'input', light: '#4c78a8', dark: '#6f9fd0' },
  activation: { label: 'activation', light: '#8fb8a0', dark: '#5f9477' },
  lines: { label: 'line buffer', light: '#e0a33a', dark: '#d9a441' },
  scratch: { label: 'scratch', light: '#b58bc2', dark: '#9c6fae' },
  output: { label: 'output', light: '#d0605e', dark: '#e07a78' },
};

/** Later ones are drawn over earlier ones. */
const ORDER: readonly LifeKind[] = ['input', 'activation', 'lines', 'output', 'scratch'];

const escape = (text: string): string =>
  text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c] ?? '');

const kib = (bytes: number): string =>
  `${(bytes / 1024).toLocaleString('en', { maximumFractionDigits: 1 })} KiB`;

const round = (pixels: number): string => pixels.toFixed(2).replace(/\.?0+$/, '');

/** The distance between lines of an axis: 1, 2 or 5 times a power of the base, at most `most` of them. */
const stepFor = (range: number, most: number): number => {
  for (let power = 1; ; power *= 10)
    for (const factor of [1, 2, 5]) if (range / (factor * power) <= most) return factor * power;
};

const STYLE = `
text { font: 12px system-ui, sans-serif; fill: #222 }
.title { font-size: 16px; font-weight: 600 }
.small { font-size: 11px; fill: #555 }
.paper { fill: #fff }
.grid { stroke: #ddd }
.life { stroke: #fff; stroke-width: .7 }
.bound { stroke: #222; stroke-width: 1.5; stroke-dasharray: 7 5 }
.peak { fill: none; stroke: #222 }
.bands { fill: #888; fill-opacity: .12 }
${ORDER.map((kind) => `.${kind} { fill: ${KINDS[kind].light} }`).join('\n')}
@media (prefers-color-scheme: dark) {
text { fill: #e6e6e6 }
.small { fill: #aaa }
.paper { fill: #16181c }
.grid { stroke: #34373d }
.life { stroke: #16181c }
.bound, .peak { stroke: #e6e6e6 }
${ORDER.map((kind) => `.${kind} { fill: ${KINDS[kind].dark} }`).join('\n')}
}
`;

/**
 * The plan as an SVG picture without scripts: operators from left to right, the arena from bottom to top, a rectangle for each
 * tensor as long as it is in use. Names appear where the pointer rests.
 * @param title the model's name
 */
export const drawPlan = (plan: PlanOverTime, title: string): string => {
  const columns = plan.operations.length + 2; // what the caller writes before and reads after
  const column = (WIDTH - LEFT - RIGHT) / columns;
  const height = HEIGHT - TOP - BOTTOM;
  const x = (operation: number): number => LEFT + (operation + 1) * column;
  const y = (bytes: number): number => TOP + height - (bytes / Math.max(plan.arena, 1)) * height;
  const life = ({ kind, name, offset, bytes, first, last }: Life): string =>
    `<rect class="life ${kind}" x="${round(x(first))}" y="${round(y(offset + bytes))}" width="${round((last - first + 1) * column)}" height="${round(y(offset) - y(offset + bytes))}"><title>${escape(name)}, ${kib(bytes)} at ${offset}</title></rect>`;
  const lives = ORDER.flatMap((kind) => plan.lives.filter((each) => each.kind === kind));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">
<title>Memory plan of ${escape(title)}</title>
<style>${STYLE}</style>
<rect class="paper" width="${WIDTH}" height="${HEIGHT}"/>
<text class="title" x="${LEFT}" y="28">${escape(title)}</text>
<text x="${LEFT}" y="48">${escape(summaryOf(plan))}</text>
${legend(new Set(plan.lives.map(({ kind }) => kind)))}
${axes(plan, x, y, column)}
${bandsOf(plan, x)}
${lives.map(life).join('\n')}
${peakOf(plan, x, y, column)}
</svg>
`;
};

/** Where an operator is in the order, for people. */
const nameOf = (plan: PlanOverTime, operation: number): string => {
  if (operation < 0) return 'the input';
  if (operation >= plan.operations.length) return 'the outputs';
  if (operation < plan.bands) return `the ${plan.bands} operators in bands`;
  return plan.operations[operation] ?? '';
};

/** One line: the arena, how far it is above what is in use at once, and where that is. */
export const summaryOf = (plan: PlanOverTime): string => {
  const { arena, peak } = plan;
  const above = arena - peak.bytes;
  const gap = above === 0 ? 'the lower bound' : `${kib(above)} above the lower bound`;
  return `arena ${kib(arena)}, ${gap}; peak ${kib(peak.bytes)} at ${nameOf(plan, peak.operation)}`;
};

const legend = (kinds: ReadonlySet<LifeKind>): string => {
  let at = LEFT;
  const entry = (mark: string, label: string): string => {
    const entryAt = at;
    at += 38 + label.length * 6.6;
    return `<g transform="translate(${round(entryAt)} 62)">${mark}<text x="18" y="11">${label}</text></g>`;
  };
  return [
    ...ORDER.filter((kind) => kinds.has(kind)).map((kind) =>
      entry(`<rect class="${kind}" width="12" height="12"/>`, KINDS[kind].label),
    ),
    entry('<path class="bound" d="M-4 6H14"/>', 'lower bound'),
  ].join('\n');
};

const axes = (
  plan: PlanOverTime,
  x: (operation: number) => number,
  y: (bytes: number) => number,
  column: number,
): string => {
  const marks: string[] = [];
  const step = stepFor(plan.arena / 1024, 10) * 1024;
  for (let bytes = 0; bytes <= plan.arena; bytes += step) {
    const at = round(y(bytes));
    marks.push(
      `<path class="grid" d="M${LEFT} ${at}H${WIDTH - RIGHT}"/><text class="small" x="${LEFT - 8}" y="${round(y(bytes) + 4)}" text-anchor="end">${(bytes / 1024).toLocaleString('en')} KiB</text>`,
    );
  }
  const every = stepFor(plan.operations.length, 20);
  for (let i = 0; i < plan.operations.length; i += every)
    marks.push(
      `<text class="small" x="${round(x(i) + column / 2)}" y="${HEIGHT - BOTTOM + 16}" text-anchor="middle">${i}</text>`,
    );
  marks.push(
    `<text class="small" x="${WIDTH - RIGHT}" y="${HEIGHT - 14}" text-anchor="end">operators in the order of execution</text>`,
  );
  return marks.join('\n');
};

const bandsOf = (plan: PlanOverTime, x: (operation: number) => number): string =>
  plan.bands === 0
    ? ''
    : `<rect class="bands" x="${round(x(0))}" y="${TOP - 6}" width="${round(x(plan.bands) - x(0))}" height="${HEIGHT - TOP - BOTTOM + 6}"/><text class="small" x="${round(x(0))}" y="${HEIGHT - BOTTOM + 32}">${plan.bands} operators in bands</text>`;

const peakOf = (
  plan: PlanOverTime,
  x: (operation: number) => number,
  y: (bytes: number) => number,
  column: number,
): string => {
  const { peak, bands } = plan;
  const name = nameOf(plan, peak.operation);
  const inBands = peak.operation >= 0 && peak.operation < bands;
  const [first, count] = inBands ? [0, bands] : [peak.operation, 1];
  const middle = x(first) + (count * column) / 2;
  const anchor = middle > WIDTH * 0.7 ? 'end' : middle < WIDTH * 0.3 ? 'start' : 'middle';
  const at = round(y(peak.bytes));
  return `<path class="bound" d="M${LEFT} ${at}H${WIDTH - RIGHT}"/>
<rect class="peak" x="${round(x(first))}" y="${TOP - 6}" width="${round(count * column)}" height="${HEIGHT - TOP - BOTTOM + 6}"/>
<text x="${round(middle)}" y="${TOP - 10}" text-anchor="${anchor}">${escape(name)}: ${kib(peak.bytes)}</text>`;
};
