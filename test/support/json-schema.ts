/**
 * Checks a value against a JSON Schema (draft 7), as far as the schemas here use it; a keyword that it does not know is an
 * error, so that no part of a schema is passed over in silence. Source: json-schema.org, "JSON Schema Validation", draft 7.
 */
export type Schema = boolean | { readonly [keyword: string]: unknown };

const ANNOTATIONS = new Set(['$schema', '$id', 'title', 'description', 'default', 'examples', 'definitions']);

/** What is wrong, each with its place; empty where the value fits. */
export function schemaProblems(root: Schema, value: unknown): string[] {
  const problems: string[] = [];
  check(root, value, '', (place, what) => problems.push(`${place === '' ? '/' : place}: ${what}`));
  return problems;

  function fits(schema: Schema, item: unknown): boolean {
    let good = true;
    check(schema, item, '', () => (good = false));
    return good;
  }

  function check(
    schema: Schema,
    item: unknown,
    place: string,
    say: (place: string, what: string) => void,
  ): void {
    if (typeof schema === 'boolean') {
      if (!schema) say(place, 'not allowed');
      return;
    }
    const object =
      typeof item === 'object' && item !== null && !Array.isArray(item)
        ? (item as Record<string, unknown>)
        : undefined;
    const list = Array.isArray(item) ? (item as unknown[]) : undefined;
    const bound = (
      measure: number | undefined,
      keyword: string,
      good: (a: number, b: number) => boolean,
    ): void => {
      if (measure !== undefined && !good(measure, schema[keyword] as number))
        say(place, `${keyword} ${String(schema[keyword])}`);
    };
    const least = (a: number, b: number): boolean => a >= b;
    const most = (a: number, b: number): boolean => a <= b;
    const amount = typeof item === 'number' ? item : undefined;
    const length = typeof item === 'string' ? [...item].length : undefined;
    for (const [keyword, rule] of Object.entries(schema)) {
      if (ANNOTATIONS.has(keyword)) continue;
      switch (keyword) {
        case '$ref':
          check(resolve(rule as string), item, place, say);
          break;
        case 'type':
          if (!isType(rule as string, item)) say(place, `is not of type ${rule as string}`);
          break;
        case 'enum':
          if (!(rule as unknown[]).includes(item)) say(place, `is none of ${JSON.stringify(rule)}`);
          break;
        case 'const':
          if (rule !== item) say(place, `is not ${JSON.stringify(rule)}`);
          break;
        case 'minimum':
          bound(amount, keyword, least);
          break;
        case 'maximum':
          bound(amount, keyword, most);
          break;
        case 'minLength':
          bound(length, keyword, least);
          break;
        case 'maxLength':
          bound(length, keyword, most);
          break;
        case 'minItems':
          bound(list?.length, keyword, least);
          break;
        case 'maxItems':
          bound(list?.length, keyword, most);
          break;
        case 'minProperties':
          bound(object && Object.keys(object).length, keyword, least);
          break;
        case 'pattern':
          if (typeof item === 'string' && !new RegExp(rule as string, 'u').test(item))
            say(place, `does not match ${rule as string}`);
          break;
        case 'items':
          list?.forEach((each, i) => check(rule as Schema, each, `${place}/${i}`, say));
          break;
        case 'required':
          for (const key of object ? (rule as string[]) : [])
            if (!Object.hasOwn(object ?? {}, key)) say(place, `lacks ${key}`);
          break;
        case 'dependencies':
          for (const [key, needs] of Object.entries(rule as Record<string, string[]>))
            if (object && Object.hasOwn(object, key))
              for (const need of needs) if (!Object.hasOwn(object, need)) say(place, `${key} needs ${need}`);
          break;
        case 'propertyNames':
          for (const key of Object.keys(object ?? {})) check(rule as Schema, key, `${place}/${key}`, say);
          break;
        case 'properties':
          for (const [key, each] of Object.entries(rule as Record<string, Schema>))
            if (object && Object.hasOwn(object, key)) check(each, object[key], `${place}/${key}`, say);
          break;
        case 'additionalProperties':
          for (const [key, each] of Object.entries(object ?? {}))
            if (!Object.hasOwn(schema.properties ?? {}, key))
              check(rule as Schema, each, `${place}/${key}`, say);
          break;
        case 'not':
          if (fits(rule as Schema, item)) say(place, 'is what it must not be');
          break;
        case 'allOf':
          for (const each of rule as Schema[]) check(each, item, place, say);
          break;
        case 'anyOf':
          if (!(rule as Schema[]).some((each) => fits(each, item))) say(place, 'fits none of anyOf');
          break;
        case 'oneOf': {
          const fitting = (rule as Schema[]).filter((each) => fits(each, item)).length;
          if (fitting !== 1) say(place, `fits ${fitting} of oneOf`);
          break;
        }
        default:
          throw new Error(`${place}: the keyword ${keyword} is not known here`);
      }
    }
  }

  function resolve(ref: string): Schema {
    let found: unknown = root;
    for (const step of ref.replace(/^#\//, '').split('/')) found = (found as Record<string, unknown>)[step];
    if (found === undefined) throw new Error(`${ref} leads nowhere`);
    return found as Schema;
  }
}

function isType(type: string, value: unknown): boolean {
  switch (type) {
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'array':
      return Array.isArray(value);
    case 'integer':
      return Number.isInteger(value);
    case 'null':
      return value === null;
    default:
      return typeof value === type;
  }
}
