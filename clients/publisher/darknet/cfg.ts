import { SectionProblem } from './problem.js';

/** What is wrong with the text itself, rather than with one section. */
export class CfgError extends Error {}

/** Far above any network's; the largest that Darknet comes with has 50 KB. */
const MOST_BYTES = 1 << 20;
const MOST_SECTIONS = 4096;

/** A [section] and its options, of which the first counts where one is given twice. */
export class Section {
  readonly #options = new Map<string, string>();

  constructor(
    /** Without brackets. */
    readonly type: string,
    /** Where it begins, from 1. */
    readonly line: number,
  ) {}

  set(key: string, value: string): void {
    if (!this.#options.has(key)) this.#options.set(key, value);
  }

  text(key: string, otherwise: string): string {
    return this.#options.get(key) ?? otherwise;
  }

  has(key: string): boolean {
    return this.#options.has(key);
  }

  /** An integer from `least` to `most`. */
  integer(key: string, otherwise: number, least: number, most: number): number {
    const text = this.#options.get(key);
    if (text === undefined) return otherwise;
    const value = /^[+-]?\d+$/.test(text) ? Number(text) : NaN;
    if (!(value >= least && value <= most))
      throw new SectionProblem(`has ${key}=${text}, an integer from ${least} to ${most} is possible`);
    return value;
  }

  flag(key: string): boolean {
    return this.integer(key, 0, 0, 1) === 1;
  }

  number(key: string, otherwise: number): number {
    const text = this.#options.get(key);
    return text === undefined ? otherwise : finite(key, text);
  }

  /** Numbers with commas between them; undefined where the option is not there. */
  numbers(key: string, most: number): number[] | undefined {
    const text = this.#options.get(key);
    if (text === undefined) return undefined;
    const parts = text.replace(/,$/, '').split(',');
    if (parts.length > most)
      throw new SectionProblem(`has ${parts.length} ${key}, at most ${most} are possible`);
    return parts.map((part) => finite(key, part));
  }

  integers(key: string, most: number): number[] | undefined {
    const numbers = this.numbers(key, most);
    const other = numbers?.find((number) => !Number.isSafeInteger(number));
    if (other !== undefined) throw new SectionProblem(`has ${other} among its ${key}, integers are expected`);
    return numbers;
  }

  /** Options that change what a layer computes, in ways that are not known here: each must be absent or 0. */
  refuse(...keys: readonly string[]): void {
    for (const key of keys) {
      const text = this.#options.get(key);
      if (text !== undefined && Number(text) !== 0)
        throw new SectionProblem(`has ${key}=${text}, which is not supported`);
    }
  }
}

const finite = (key: string, text: string): number => {
  const value = text === '' ? NaN : Number(text);
  if (!Number.isFinite(value)) throw new SectionProblem(`has ${key}=${text}, a number is expected`);
  return value;
};

const decode = (bytes: Uint8Array): string => {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new CfgError('this is no text: give the .cfg file, not the .weights');
  }
};

/** Tells a Darknet configuration from other files: text whose first section is [net]. */
export const looksLikeCfg = (bytes: Uint8Array): boolean =>
  /^(?:\s*(?:[#;].*)?\n)*\s*\[net(?:work)?\]/.test(
    Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 4096)).toString('latin1'),
  );

/**
 * Sections in order. White space counts nowhere; # and ; begin comments.
 * @throws CfgError where it is no configuration
 */
export const readCfg = (source: string | Uint8Array): Section[] => {
  if (source.length > MOST_BYTES)
    throw new CfgError(`it has ${source.length} bytes, at most ${MOST_BYTES} are read`);
  const text = typeof source === 'string' ? source : decode(source);
  // eslint-disable-next-line no-control-regex -- that is what is looked for
  if (/[\0-\x08\x0e-\x1f]/.test(text))
    throw new CfgError('this is no text: give the .cfg file, not the .weights');
  const sections: Section[] = [];
  for (const [i, raw] of text
    .replace(/^\ufeff/, '')
    .split(/\r\n|\n|\r/)
    .entries()) {
    const line = raw.replace(/[#;].*$/, '').replaceAll(/\s/g, '');
    if (line === '') continue;
    const title = /^\[([^\]]*)\]$/.exec(line);
    if (title) {
      if (sections.length === MOST_SECTIONS) throw new CfgError(`it has more than ${MOST_SECTIONS} sections`);
      sections.push(new Section(title[1] ?? '', i + 1));
      continue;
    }
    const equals = line.indexOf('=');
    const section = sections.at(-1);
    if (equals < 1) throw new CfgError(`line ${i + 1} is neither a [section] nor key=value`);
    if (section === undefined) throw new CfgError(`line ${i + 1} is before the first [section]`);
    section.set(line.slice(0, equals), line.slice(equals + 1));
  }
  return sections;
};
