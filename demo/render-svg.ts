/* eslint-disable no-control-regex -- terminals are controlled by control characters */
/**
 * Makes the README's picture from what the demo drew on a terminal:
 *   script -qec 'stty cols 122 rows 26; node dist/demo/main.js --frames 9' /dev/null | node dist/demo/render-svg.js > docs/demo.svg
 */
const CELL = { width: 7.8, height: 17 } as const;
const MARGIN = 14;
const COLOURS: Readonly<Record<string, string>> = {
  '': '#d6dbe3',
  '1': '#ffffff',
  '2': '#8b95a5',
  '32': '#7ee2a8',
};

interface Run {
  readonly column: number;
  readonly text: string;
  readonly style: string;
}

/** The last whole screen before the terminal was given back. */
const lastScreen = (output: string): string[] => {
  const shown = output.split('\x1b[?1049l')[0] ?? '';
  const screen = shown.slice(shown.lastIndexOf('\x1b[H') + 3);
  return screen.split('\r\n').map((line) => line.replace(/\x1b\[[KJ]|\x1b\[\?25[hl]/g, ''));
};

const runsOf = (line: string): Run[] => {
  const runs: Run[] = [];
  let column = 0;
  let style = '';
  for (const part of line.split(/(\x1b\[\d*m)/)) {
    const code = /^\x1b\[(\d*)m$/.exec(part)?.[1];
    if (code !== undefined) style = code === '0' ? '' : code;
    else {
      if (part.trim() !== '') runs.push({ column, text: part, style });
      column += [...part].length;
    }
  }
  return runs;
};

const escape = (text: string): string =>
  text.replace(/[&<>]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[sign] ?? sign);

const render = (lines: readonly string[]): string => {
  const columns = Math.max(
    ...lines.map((line) =>
      runsOf(line).reduce((most, { column, text }) => Math.max(most, column + [...text.trimEnd()].length), 0),
    ),
  );
  const width = Math.ceil(columns * CELL.width + 2 * MARGIN);
  const height = lines.length * CELL.height + 2 * MARGIN;
  const texts = lines.flatMap((line, row) =>
    runsOf(line).map(({ column, text, style }) => {
      const lead = text.length - text.trimStart().length;
      const x = (MARGIN + (column + lead) * CELL.width).toFixed(1);
      const y = MARGIN + (row + 0.75) * CELL.height;
      const shown = text.trim();
      const weight = style === '1' ? ' font-weight="bold"' : '';
      // textLength keeps the columns whatever font there is.
      const length = ([...shown].length * CELL.width).toFixed(1);
      return `<text x="${x}" y="${y}" fill="${COLOURS[style] ?? COLOURS['']}" textLength="${length}"${weight}>${escape(shown)}</text>`;
    }),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="The demo: left what the broker saw, right what the rules host knows">`,
    `<rect width="100%" height="100%" rx="8" fill="#161b22"/>`,
    `<g font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="13" xml:space="preserve">`,
    ...texts,
    '</g>',
    '</svg>',
    '',
  ].join('\n');
};

const pieces: Buffer[] = [];
for await (const piece of process.stdin) pieces.push(piece as Buffer);
process.stdout.write(render(lastScreen(Buffer.concat(pieces).toString('utf8'))));
