/**
 * A validator for the part of CDDL (RFC 8610) in which docs/protocol is written: rules, choices, arrays and maps with
 * occurrences, ranges, literals, `.size`, `.gt`, and the types int, uint, number, bytes, text, bool, null and any. It works
 * on values that any CBOR decoder gives with maps as Map.
 */
type Node =
  | { readonly kind: 'choice'; readonly options: readonly Node[] }
  | { readonly kind: 'literal'; readonly value: number | string }
  | { readonly kind: 'range'; readonly min: number; readonly max: number }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'control'; readonly base: Node; readonly operator: string; readonly argument: Node }
  | { readonly kind: 'array' | 'map'; readonly members: readonly Member[] };

interface Member {
  readonly min: number;
  readonly max: number;
  /** Maps: the type of the key. */
  readonly key: Node | undefined;
  readonly value: Node;
}

const TOKEN = /\s*(?:;[^\n]*\n?\s*)*(=>|\.\.|\.(?:size|gt)|[[\]{}(),:=/?*]|\d+|"[^"]*"|[A-Za-z][A-Za-z0-9-]*|$)/y;

function tokens(source: string): string[] {
  const found: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < source.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(source);
    if (match === null) throw new Error(`Not CDDL as it is understood here: ${source.slice(at, at + 40)}`);
    if (match[1] === '') break;
    found.push(match[1] ?? '');
  }
  return found;
}

/** The rules of a CDDL text. */
export class Cddl {
  readonly #rules = new Map<string, Node>();
  readonly #tokens: string[];
  #at = 0;

  constructor(source: string) {
    this.#tokens = tokens(source);
    while (this.#at < this.#tokens.length) {
      const name = this.#next();
      this.#expect('=');
      if (this.#rules.has(name)) throw new Error(`Rule ${name} is defined twice`);
      this.#rules.set(name, this.#choice());
    }
  }

  get rules(): readonly string[] {
    return [...this.#rules.keys()];
  }

  /** Whether a value is of the type that the rule names. */
  matches(rule: string, value: unknown): boolean {
    return this.#matches({ kind: 'name', name: rule }, value);
  }

  #matches(node: Node, value: unknown): boolean {
    switch (node.kind) {
      case 'choice':
        return node.options.some((option) => this.#matches(option, value));
      case 'literal':
        return value === node.value;
      case 'range':
        return typeof value === 'number' && Number.isInteger(value) && value >= node.min && value <= node.max;
      case 'name':
        return this.#matchesName(node.name, value);
      case 'control':
        return this.#matches(node.base, value) && this.#controls(node.operator, node.argument, value);
      case 'array':
        return Array.isArray(value) && this.#matchesArray(node.members, value);
      case 'map':
        return value instanceof Map && this.#matchesMap(node.members, value);
    }
  }

  #matchesName(name: string, value: unknown): boolean {
    const rule = this.#rules.get(name);
    if (rule !== undefined) return this.#matches(rule, value);
    switch (name) {
      case 'any':
        return true;
      case 'int':
        return typeof value === 'bigint' || Number.isInteger(value);
      case 'uint':
        return this.#matchesName('int', value) && (value as number) >= 0;
      case 'bytes':
        return value instanceof Uint8Array;
      case 'text':
        return typeof value === 'string';
      case 'bool':
        return typeof value === 'boolean';
      case 'null':
        return value === null;
      case 'number':
        return typeof value === 'number' || typeof value === 'bigint';
      default:
        throw new Error(`No rule is named ${name}`);
    }
  }

  #controls(operator: string, argument: Node, value: unknown): boolean {
    if (operator === '.gt') return argument.kind === 'literal' && Number(value) > Number(argument.value);
    const size = typeof value === 'string' ? Buffer.byteLength(value) : (value as Uint8Array).length;
    return this.#matches(argument, size);
  }

  #matchesArray(members: readonly Member[], values: readonly unknown[]): boolean {
    // Each member takes as many values as it can: enough, as no member here could take what the next one needs.
    let at = 0;
    for (const { min, max, value } of members) {
      let count = 0;
      while (count < max && at < values.length && this.#matches(value, values[at])) {
        count++;
        at++;
      }
      if (count < min) return false;
    }
    return at === values.length;
  }

  #matchesMap(members: readonly Member[], map: ReadonlyMap<unknown, unknown>): boolean {
    const left = new Map(map);
    for (const { min, max, key, value } of members) {
      let count = 0;
      for (const [entryKey, entryValue] of left) {
        if (count === max || key === undefined || !this.#matches(key, entryKey)) continue;
        if (!this.#matches(value, entryValue)) return false;
        left.delete(entryKey);
        count++;
      }
      if (count < min) return false;
    }
    return left.size === 0;
  }

  #choice(): Node {
    const options = [this.#controlled()];
    while (this.#peek() === '/') {
      this.#next();
      options.push(this.#controlled());
    }
    return options.length === 1 && options[0] !== undefined ? options[0] : { kind: 'choice', options };
  }

  #controlled(): Node {
    const base = this.#primary();
    const operator = this.#peek();
    if (operator !== '.size' && operator !== '.gt') return base;
    this.#next();
    return { kind: 'control', base, operator, argument: this.#primary() };
  }

  #primary(): Node {
    const token = this.#next();
    if (token === '[') return { kind: 'array', members: this.#members(']') };
    if (token === '{') return { kind: 'map', members: this.#members('}') };
    if (token === '(') {
      const inner = this.#choice();
      this.#expect(')');
      return inner;
    }
    if (/^\d/.test(token)) {
      if (this.#peek() !== '..') return { kind: 'literal', value: Number(token) };
      this.#next();
      return { kind: 'range', min: Number(token), max: Number(this.#next()) };
    }
    if (token.startsWith('"')) return { kind: 'literal', value: token.slice(1, -1) };
    return { kind: 'name', name: token };
  }

  #members(end: string): Member[] {
    const members: Member[] = [];
    while (this.#peek() !== end) {
      const [min, max] = this.#occurrence();
      let key: Node | undefined;
      let value = this.#choice();
      if (this.#peek() === '=>') {
        this.#next();
        key = value;
        value = this.#choice();
      } else if (this.#peek() === ':') {
        // The name of an array's member is for people.
        this.#next();
        value = this.#choice();
      }
      members.push({ min, max, key, value });
      if (this.#peek() === ',') this.#next();
    }
    this.#next();
    return members;
  }

  #occurrence(): [number, number] {
    if (this.#peek() === '?') {
      this.#next();
      return [0, 1];
    }
    const counted = this.#tokens[this.#at + 1] === '*' && /^\d+$/.test(this.#peek() ?? '');
    if (!counted && this.#peek() !== '*') return [1, 1];
    const min = counted ? Number(this.#next()) : 0;
    this.#next();
    return [
      min,
      /^\d+$/.test(this.#peek() ?? '') && this.#tokens[this.#at + 1] !== '=>' ? Number(this.#next()) : Infinity,
    ];
  }

  #peek(): string | undefined {
    return this.#tokens[this.#at];
  }

  #next(): string {
    const token = this.#tokens[this.#at++];
    if (token === undefined) throw new Error('The CDDL ends in the middle of a rule');
    return token;
  }

  #expect(token: string): void {
    const found = this.#next();
    if (found !== token) throw new Error(`Expected ${token} and found ${found}, token ${this.#at} of the CDDL`);
  }
}
