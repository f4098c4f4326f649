/** One message as the broker saw it. */
export interface BrokerLine {
  readonly topic: string;
  readonly size: number;
  /** The payload's first bytes. */
  readonly head: Uint8Array;
}

export interface Screen {
  /** What is being done, before the stream starts. */
  step(text: string): void;
  broker(line: BrokerLine): void;
  rules(text: string): void;
  /** How it stands: the line at the bottom. */
  status(text: string): void;
  close(): void;
}

const DIM = '\x1b[2m';
const BOLD = '\x1b[1m';
const GREEN = '\x1b[32m';
const PLAIN = '\x1b[0m';
const HEAD_BYTES = 12;

const sizeText = (bytes: number): string =>
  bytes < 1024 ? `${bytes} B` : `${(bytes / 1024).toFixed(1)} KiB`;

const headText = (head: Uint8Array): string =>
  (Buffer.from(head.subarray(0, HEAD_BYTES)).toString('hex').match(/../g) ?? []).join(' ');

/** Topics are long and begin alike: without the prefix, and with the kid shortened. */
const shortTopic = (topic: string, prefix: string): string =>
  topic.replace(`${prefix}/`, '').replace(/[0-9a-f]{16}/, (kid) => `${kid.slice(0, 4)}…`);

/** One line after the other: for files and pipes. */
export class LineScreen implements Screen {
  #closed = false;

  constructor(
    private readonly prefix: string,
    private readonly write: (text: string) => void,
  ) {}

  step(text: string): void {
    this.write(`        ${text}\n`);
  }

  broker({ topic, size, head }: BrokerLine): void {
    if (this.#closed) return; // the summary comes last; what follows is everybody leaving
    const where = shortTopic(topic, this.prefix).padEnd(20);
    this.write(`broker  ${where} ${sizeText(size).padStart(9)}  ${headText(head)} …\n`);
  }

  rules(text: string): void {
    this.write(`rules   ${text}\n`);
  }

  status(): void {
    // Said once at the end, by the summary.
  }

  close(): void {
    this.#closed = true;
  }
}

/** Two columns, drawn anew with every change: left what the broker saw, right what the rules host knows. */
export class ColumnScreen implements Screen {
  readonly #steps: string[] = [];
  readonly #left: string[] = [];
  readonly #right: string[] = [];
  #status = '';
  #streaming = false;
  #closed = false;
  #drawn: NodeJS.Timeout | undefined;
  readonly #resized = (): void => this.#draw();

  constructor(
    private readonly prefix: string,
    private readonly out: NodeJS.WriteStream,
  ) {
    // The other screen, without a cursor: what was there before comes back at the end.
    out.write('\x1b[?1049h\x1b[?25l');
    out.on('resize', this.#resized);
  }

  step(text: string): void {
    this.#steps.push(text);
    this.#soon();
  }

  broker({ topic, size, head }: BrokerLine): void {
    this.#streaming = true;
    const where = shortTopic(topic, this.prefix);
    this.#left.push(`${where.padEnd(21)}${sizeText(size).padStart(9)}  ${headText(head)}`);
    this.#soon();
  }

  rules(text: string): void {
    this.#right.push(text);
    this.#soon();
  }

  status(text: string): void {
    this.#status = text;
    this.#soon();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#drawn);
    this.#draw();
    this.out.off('resize', this.#resized);
    this.out.write('\x1b[?25h\x1b[?1049l');
  }

  #soon(): void {
    if (!this.#closed) this.#drawn ??= setTimeout(() => this.#draw(), 30);
  }

  #draw(): void {
    this.#drawn = undefined;
    const { columns = 100, rows = 30 } = this.out;
    const half = Math.floor((columns - 3) / 2);
    const cell = (text: string): string => text.slice(0, half).padEnd(half);
    const lines: string[] = [];
    if (!this.#streaming) lines.push(...this.#steps);
    else {
      lines.push(`${BOLD}${cell('What the broker saw')}   ${cell('What the rules host knows')}${PLAIN}`, '');
      const body = Math.max(1, rows - 5);
      const left = this.#left.slice(-body);
      const right = this.#right.slice(-body);
      for (let i = 0; i < body; i += 1)
        lines.push(`${DIM}${cell(left[i] ?? '')}${PLAIN}   ${GREEN}${cell(right[i] ?? '')}${PLAIN}`);
      lines.push('', this.#status.slice(0, columns));
    }
    this.out.write(`\x1b[H${lines.map((line) => `${line}\x1b[K`).join('\r\n')}\x1b[J`);
  }
}

/** One JSON object per line, for machines. */
export class JsonScreen implements Screen {
  #closed = false;

  constructor(private readonly write: (text: string) => void) {}

  step(text: string): void {
    this.object('step', { text });
  }

  broker({ topic, size, head }: BrokerLine): void {
    if (this.#closed) return; // as above: the summary comes last
    this.object('broker', { topic, size, head: Buffer.from(head.subarray(0, HEAD_BYTES)).toString('hex') });
  }

  rules(): void {
    // Said in full by object().
  }

  status(): void {
    // Machines count for themselves; the summary comes at the end.
  }

  close(): void {
    this.#closed = true;
  }

  object(type: string, fields: object): void {
    this.write(`${JSON.stringify({ type, ...fields })}\n`);
  }
}
