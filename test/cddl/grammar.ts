/**
 * Reads the part of CDDL (RFC 8610) that protocol/smart-zone.cddl uses: rules, generics, maps, arrays, occurrences,
 * choices, ranges, literals, tags, and the controls .size and .cbor. Anything else is a syntax error.
 */
export type Type =
  | { readonly kind: 'choice'; readonly of: readonly Type[] }
  | { readonly kind: 'literal'; readonly value: number | string | Uint8Array }
  | { readonly kind: 'range'; readonly from: number; readonly to: number }
  | { readonly kind: 'name'; readonly name: string; readonly args: readonly Type[] }
  | { readonly kind: 'map' | 'array'; readonly entries: readonly Entry[] }
  | { readonly kind: 'tag'; readonly tag: number; readonly type: Type }
  | { readonly kind: 'size' | 'cbor'; readonly target: Type; readonly argument: Type };

export interface Entry {
  readonly least: number;
  readonly most: number;
  readonly key?: Type;
  readonly type: Type;
}

export interface Rule {
  readonly parameters: readonly string[];
  readonly type: Type;
}

export type Grammar = ReadonlyMap<string, Rule>;

const TOKEN =
  /;[^\n]*|\s+|(#6\.\d+|\d*\*\d*|-?\d+|\.\.|\.(?:size|cbor)\b|=>|[A-Za-z][\w-]*|"[^"]*"|'[^']*'|[=/()[\]{}<>,:?+])/gy;

export function parseGrammar(source: string): Grammar {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < source.length) {
    const at = TOKEN.lastIndex;
    const found = TOKEN.exec(source);
    if (found === null) throw new SyntaxError(`CDDL: ${JSON.stringify(source.slice(at, at + 40))}`);
    if (found[1] !== undefined) tokens.push(found[1]);
  }
  return new Parser(tokens).grammar();
}

class Parser {
  #at = 0;
  constructor(readonly tokens: readonly string[]) {}

  grammar(): Grammar {
    const rules = new Map<string, Rule>();
    while (this.#at < this.tokens.length) {
      const name = this.#next();
      const parameters: string[] = [];
      if (this.#accept('<')) {
        do parameters.push(this.#next());
        while (this.#accept(','));
        this.#expect('>');
      }
      this.#expect('=');
      if (rules.has(name)) throw new SyntaxError(`CDDL: second rule ${name}`);
      rules.set(name, { parameters, type: this.#type() });
    }
    return rules;
  }

  #type(): Type {
    const of = [this.#controlled()];
    while (this.#accept('/')) of.push(this.#controlled());
    const [only] = of;
    return of.length === 1 && only !== undefined ? only : { kind: 'choice', of };
  }

  #controlled(): Type {
    const target = this.#primary();
    if (this.#accept('.size')) return { kind: 'size', target, argument: this.#primary() };
    if (this.#accept('.cbor')) return { kind: 'cbor', target, argument: this.#primary() };
    return target;
  }

  #primary(): Type {
    const token = this.#next();
    if (token === '(') {
      const type = this.#type();
      this.#expect(')');
      return type;
    }
    if (token === '{' || token === '[') return this.#group(token);
    if (token.startsWith('#6.')) {
      this.#expect('(');
      const type = this.#type();
      this.#expect(')');
      return { kind: 'tag', tag: Number(token.slice(3)), type };
    }
    if (token.startsWith('"')) return { kind: 'literal', value: token.slice(1, -1) };
    if (token.startsWith("'"))
      return { kind: 'literal', value: new TextEncoder().encode(token.slice(1, -1)) };
    if (/^-?\d+$/.test(token)) {
      if (this.#accept('..')) return { kind: 'range', from: Number(token), to: Number(this.#next()) };
      return { kind: 'literal', value: Number(token) };
    }
    if (!/^[A-Za-z]/.test(token)) throw new SyntaxError(`CDDL: unexpected ${token}`);
    const args: Type[] = [];
    if (this.#accept('<')) {
      do args.push(this.#type());
      while (this.#accept(','));
      this.#expect('>');
    }
    return { kind: 'name', name: token, args };
  }

  #group(open: '{' | '['): Type {
    const close = open === '{' ? '}' : ']';
    const entries: Entry[] = [];
    while (!this.#accept(close)) {
      entries.push(this.#entry());
      this.#accept(',');
    }
    return { kind: open === '{' ? 'map' : 'array', entries };
  }

  #entry(): Entry {
    const occurrence = this.#occurrence();
    const type = this.#type();
    if (this.#accept(':') || this.#accept('=>')) return { ...occurrence, key: type, type: this.#type() };
    return { ...occurrence, type };
  }

  #occurrence(): { least: number; most: number } {
    if (this.#accept('?')) return { least: 0, most: 1 };
    if (this.#accept('+')) return { least: 1, most: Infinity };
    const range = /^(\d*)\*(\d*)$/.exec(this.tokens[this.#at] ?? '');
    if (range === null) return { least: 1, most: 1 };
    this.#at++;
    return { least: Number(range[1] ?? 0), most: range[2] ? Number(range[2]) : Infinity };
  }

  #next(): string {
    const token = this.tokens[this.#at++];
    if (token === undefined) throw new SyntaxError('CDDL: ends early');
    return token;
  }

  #accept(token: string): boolean {
    if (this.tokens[this.#at] !== token) return false;
    this.#at++;
    return true;
  }

  #expect(token: string): void {
    const found = this.#next();
    if (found !== token) throw new SyntaxError(`CDDL: ${found} where ${token} is due`);
  }
}
