/** Reading of a tree of unknown values: what is wrong, and where. */
export type Path = readonly (string | number)[];

/** One thing that is wrong in a rules file. */
export class RuleProblem extends Error {
  constructor(
    readonly path: Path,
    readonly problem: string,
  ) {
    super(`${pathText(path)}: ${problem}`);
  }
}

const pathText = (path: Path): string =>
  path.map((step, i) => (typeof step === 'number' ? `[${step}]` : i === 0 ? step : `.${step}`)).join('') ||
  'file';

export function fields<K extends string>(
  value: unknown,
  path: Path,
  known: readonly K[],
): Partial<Record<K, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new RuleProblem(path, 'not an object');
  for (const key of Object.keys(value))
    if (!(known as readonly string[]).includes(key))
      throw new RuleProblem([...path], `unknown key ${key}: one of ${known.join(', ')}`);
  return value;
}

export function list(value: unknown, path: Path, most = 1000): unknown[] {
  if (!Array.isArray(value)) throw new RuleProblem(path, 'not a list');
  if (value.length > most) throw new RuleProblem(path, `at most ${most}`);
  return value;
}

export function text(value: unknown, path: Path, mayBeEmpty = false): string {
  if (typeof value !== 'string' || (value === '' && !mayBeEmpty)) throw new RuleProblem(path, 'a string');
  return value;
}

export function number(value: unknown, path: Path, least: number, most: number, unit = ''): number {
  if (typeof value !== 'number' || !(value >= least && value <= most))
    throw new RuleProblem(path, `${least} to ${most}${unit}`);
  return value;
}

/** One string, or a list of them. */
export function textOrList(value: unknown, path: Path): string | string[] {
  if (!Array.isArray(value)) return text(value, path);
  if (value.length === 0) throw new RuleProblem(path, 'an empty list matches nothing');
  return list(value, path).map((item, i) => text(item, [...path, i]));
}

/** The entries of `object` that are not undefined. */
export function given<T extends Record<string, unknown>>(
  object: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
