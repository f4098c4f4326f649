import {
  decodeStrict,
  encodeDeterministic,
  Float,
  Tag,
  type CborKey,
  type CborValue,
} from '../../protocol/cbor.js';
import type { Entry, Grammar, Type } from './grammar.js';

/** A generic's argument, with the scope that it was written in. */
export type Scope = ReadonlyMap<string, { readonly type: Type; readonly scope: Scope }>;

const PRELUDE: Readonly<Record<string, (value: CborValue) => boolean>> = {
  bstr: (value) => value instanceof Uint8Array,
  tstr: (value) => typeof value === 'string',
  uint: (value) => isInteger(value) && value >= 0,
  int: (value) => isInteger(value),
  float: (value) => value instanceof Float,
  bool: (value) => typeof value === 'boolean',
  nil: (value) => value === null,
};

function isInteger(value: CborValue): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}

/** Undefined where `bytes` are one item of the rule, else what is wrong. */
export function validate(grammar: Grammar, rule: string, bytes: Uint8Array): string | undefined {
  return new Validator(grammar).match(
    decodeStrict(bytes),
    { kind: 'name', name: rule, args: [] },
    new Map(),
    rule,
  );
}

export class Validator {
  constructor(readonly grammar: Grammar) {}

  match(value: CborValue, type: Type, scope: Scope, where: string): string | undefined {
    const expect = (right: boolean, what: string) => (right ? undefined : `${where}: not ${what}`);
    switch (type.kind) {
      case 'choice': {
        const reasons = type.of.map((each) => this.match(value, each, scope, where));
        return reasons.includes(undefined) ? undefined : reasons.join(' and ');
      }
      case 'literal':
        return expect(sameLiteral(value, type.value), String(type.value));
      case 'range':
        return expect(isInteger(value) && value >= type.from && value <= type.to, `${type.from}..${type.to}`);
      case 'name':
        return this.#named(value, type, scope, where);
      case 'tag':
        if (!(value instanceof Tag) || value.tag !== type.tag) return `${where}: not tag ${type.tag}`;
        return this.match(value.value, type.type, scope, `${where}#`);
      case 'size': {
        const length = typeof value === 'string' ? Buffer.byteLength(value) : (value as Uint8Array).length;
        return (
          this.match(value, type.target, scope, where) ??
          this.match(length, type.argument, scope, `${where}.size`)
        );
      }
      case 'cbor':
        if (!(value instanceof Uint8Array)) return `${where}: not a byte string`;
        return this.match(decodeStrict(value), type.argument, scope, `${where}<<`);
      case 'array':
        return Array.isArray(value)
          ? this.#array(value as readonly CborValue[], type.entries, scope, where)
          : `${where}: not an array`;
      case 'map':
        return value instanceof Map
          ? this.#map(value as ReadonlyMap<CborKey, CborValue>, type.entries, scope, where)
          : `${where}: not a map`;
    }
  }

  #named(value: CborValue, type: Type & { kind: 'name' }, scope: Scope, where: string): string | undefined {
    const bound = scope.get(type.name);
    if (bound !== undefined) return this.match(value, bound.type, bound.scope, where);
    const rule = this.grammar.get(type.name);
    if (rule !== undefined) {
      if (rule.parameters.length !== type.args.length) throw new Error(`CDDL: arguments of ${type.name}`);
      const inner = new Map(
        rule.parameters.map((name, i) => [name, { type: type.args[i] ?? type, scope }] as const),
      );
      return this.match(value, rule.type, inner, where);
    }
    const builtIn = PRELUDE[type.name];
    if (builtIn === undefined) throw new Error(`CDDL: no rule ${type.name}`);
    return builtIn(value) ? undefined : `${where}: not ${type.name}`;
  }

  /** Takes as many items per entry as fit: enough for grammars whose neighbouring entries cannot be confused. */
  #array(
    items: readonly CborValue[],
    entries: readonly Entry[],
    scope: Scope,
    where: string,
  ): string | undefined {
    let at = 0;
    for (const entry of entries) {
      let count = 0;
      let reason: string | undefined = `${where}[${at}]: missing`;
      while (count < entry.most && at < items.length) {
        reason = this.match(items[at] ?? null, entry.type, scope, `${where}[${at}]`);
        if (reason !== undefined) break;
        at++;
        count++;
      }
      if (count < entry.least) return reason ?? `${where}: too few items`;
    }
    return at === items.length ? undefined : `${where}: more than ${at} items`;
  }

  #map(
    map: ReadonlyMap<CborKey, CborValue>,
    entries: readonly Entry[],
    scope: Scope,
    where: string,
  ): string | undefined {
    const counts = entries.map(() => 0);
    for (const [key, value] of map) {
      const at = entries.findIndex(
        (entry) => entry.key !== undefined && this.match(key, entry.key, scope, where) === undefined,
      );
      const entry = entries[at];
      if (entry === undefined) return `${where}: key ${key} is not in the grammar`;
      counts[at] = (counts[at] ?? 0) + 1;
      const reason = this.match(value, entry.type, scope, `${where}.${key}`);
      if (reason !== undefined) return reason;
    }
    const missing = entries.findIndex((entry, i) => {
      const count = counts[i] ?? 0;
      return count < entry.least || count > entry.most;
    });
    return missing < 0 ? undefined : `${where}: entry ${missing + 1} occurs ${counts[missing]} times`;
  }
}

function sameLiteral(value: CborValue, literal: number | string | Uint8Array): boolean {
  if (literal instanceof Uint8Array)
    return (
      value instanceof Uint8Array &&
      Buffer.compare(encodeDeterministic(value), encodeDeterministic(literal)) === 0
    );
  return value === literal;
}
