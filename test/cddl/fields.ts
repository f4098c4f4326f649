import {
  decodeStrict,
  encodeDeterministic,
  Float,
  Tag,
  type CborKey,
  type CborValue,
} from '../../protocol/cbor.js';
import type { Entry, Grammar, Type } from './grammar.js';
import { Validator, type Scope } from './validate.js';

/** One field of a message, as the grammar divides it: also inside byte strings that are CBOR themselves. */
export interface Field {
  /** Keys and indices; "<<" enters a byte string. */
  readonly path: string;
  readonly value: CborValue;
  /** The message with another value of this field. */
  readonly replace: (value: CborValue) => Uint8Array;
}

type Put = (value: CborValue) => CborValue;

/** All fields of a message that is an item of the rule. */
export function fieldsOf(grammar: Grammar, rule: string, bytes: Uint8Array): Field[] {
  const fields: Field[] = [];
  const walker = new Walker(grammar, (path, value, put) =>
    fields.push({ path, value, replace: (other) => encodeDeterministic(put(other)) }),
  );
  walker.walk(decodeStrict(bytes), { kind: 'name', name: rule, args: [] }, new Map(), rule, (value) => value);
  return fields;
}

/** Another value of the same type: for fields in which two messages happen to agree. */
export function anotherValue(value: CborValue): CborValue {
  if (typeof value === 'number') return value < 0 ? value - 1 : value + 1;
  if (typeof value === 'bigint') return value + 1n;
  if (typeof value === 'string') return `${value}x`;
  if (typeof value === 'boolean') return !value;
  if (value instanceof Float) return new Float(value.value + 1);
  if (value instanceof Uint8Array)
    return value.length === 0 ? Uint8Array.of(0) : value.map((byte, i) => (i === 0 ? byte ^ 1 : byte));
  return 0;
}

class Walker {
  readonly #validator: Validator;

  constructor(
    readonly grammar: Grammar,
    readonly leaf: (path: string, value: CborValue, put: Put) => void,
  ) {
    this.#validator = new Validator(grammar);
  }

  walk(value: CborValue, type: Type, scope: Scope, path: string, put: Put): void {
    const fits = (each: Type): boolean => this.#validator.match(value, each, scope, path) === undefined;
    switch (type.kind) {
      case 'choice': {
        const chosen = type.of.find(fits);
        if (chosen === undefined) throw new Error(`${path} is none of the choices`);
        return this.walk(value, chosen, scope, path, put);
      }
      case 'name': {
        const bound = scope.get(type.name);
        if (bound) return this.walk(value, bound.type, bound.scope, path, put);
        const rule = this.grammar.get(type.name);
        if (rule === undefined) return this.leaf(path, value, put);
        const inner = new Map(
          rule.parameters.map((name, i) => [name, { type: type.args[i] ?? type, scope }] as const),
        );
        return this.walk(value, rule.type, inner, path, put);
      }
      case 'tag': {
        const { tag, value: content } = value as Tag;
        return this.walk(content, type.type, scope, path, (other) => put(new Tag(tag, other)));
      }
      case 'cbor':
        return this.walk(decodeStrict(value as Uint8Array), type.argument, scope, `${path}<<`, (other) =>
          put(encodeDeterministic(other)),
        );
      case 'array':
        return this.#array(value as readonly CborValue[], type.entries, scope, path, put);
      case 'map':
        return this.#map(value as ReadonlyMap<CborKey, CborValue>, type.entries, scope, path, put);
      case 'literal':
      case 'range':
      case 'size':
        this.leaf(path, value, put);
    }
  }

  #array(items: readonly CborValue[], entries: readonly Entry[], scope: Scope, path: string, put: Put): void {
    let at = 0;
    for (const { most, type } of entries)
      for (let count = 0; count < most && at < items.length; count++, at++) {
        const item = items[at] ?? null;
        if (this.#validator.match(item, type, scope, path) !== undefined) break;
        const place = at;
        this.walk(item, type, scope, `${path}[${at}]`, (other) =>
          put(items.map((each, i) => (i === place ? other : each))),
        );
      }
  }

  #map(
    map: ReadonlyMap<CborKey, CborValue>,
    entries: readonly Entry[],
    scope: Scope,
    path: string,
    put: Put,
  ): void {
    for (const [key, value] of map) {
      const entry = entries.find(
        (each) => each.key && this.#validator.match(key, each.key, scope, path) === undefined,
      );
      if (entry === undefined) throw new Error(`${path}: key ${key} is not in the grammar`);
      this.walk(value, entry.type, scope, `${path}.${key}`, (other) => put(new Map([...map, [key, other]])));
    }
  }
}
