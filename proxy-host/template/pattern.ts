import type { Budget } from './budget.ts';
import { malformed } from './template-fault.ts';

/**
 * Regular expressions for templates, the part of Python's syntax that devices use, matched by an own machine whose every
 * step counts against the budget: JavaScript's engine cannot be stopped when a pattern backtracks without end.
 *
 * Groups (capturing, `(?:`, `(?P<name>`), `|`, `* + ? {m,n}` greedy and lazy, classes, `. ^ $ \b \B \d \w \s`.
 * No look-around, no back-references.
 */
export interface Pattern {
  readonly code: readonly Instruction[];
  readonly groups: number;
}

/** `captures[2n]` and `captures[2n + 1]` bound group n; -1 where the group took no part. */
export interface Match {
  readonly captures: readonly number[];
}

type CharTest = (code: number) => boolean;

type Instruction =
  | { readonly op: 'char'; readonly test: CharTest }
  | { readonly op: 'split'; readonly first: number; readonly second: number }
  | { readonly op: 'jump'; readonly to: number }
  | { readonly op: 'save'; readonly slot: number }
  | { readonly op: 'assert'; readonly holds: (text: string, at: number) => boolean }
  /** Refuses a loop that went round without taking a character. */
  | { readonly op: 'progress'; readonly slot: number }
  | { readonly op: 'match' };

const MAX_INSTRUCTIONS = 2_000;
const MAX_GROUPS = 32;
const MAX_REPEAT = 256;
const MAX_NESTING = 32;

const isDigit: CharTest = (code) => code >= 48 && code <= 57;
const isWord: CharTest = (code) =>
  isDigit(code) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 95 || code > 127;
const isSpace: CharTest = (code) => code === 32 || (code >= 9 && code <= 13) || code === 160;
const not =
  (test: CharTest): CharTest =>
  (code) =>
    !test(code);

function boundary(text: string, at: number): boolean {
  const before = at > 0 && isWord(text.charCodeAt(at - 1));
  const after = at < text.length && isWord(text.charCodeAt(at));
  return before !== after;
}

class PatternCompiler {
  readonly #source: string;
  readonly #ignoreCase: boolean;
  #at = 0;
  #groups = 1;
  #slots = 0;
  #nesting = 0;

  constructor(source: string, ignoreCase: boolean) {
    this.#source = source;
    this.#ignoreCase = ignoreCase;
  }

  compile(): Pattern {
    const body = this.#alternatives();
    if (this.#at < this.#source.length) throw malformed('expected balanced brackets in a regular expression');
    const code: Instruction[] = [{ op: 'save', slot: 0 }, ...shift(body, 1), { op: 'save', slot: 1 }, { op: 'match' }];
    // Slots of the progress checks lie behind those of the groups.
    const groupSlots = this.#groups * 2;
    const placed = code.map(
      (one): Instruction => (one.op === 'progress' ? { ...one, slot: one.slot + groupSlots } : one),
    );
    return { code: placed, groups: this.#groups };
  }

  #alternatives(): Instruction[] {
    this.#nesting += 1;
    if (this.#nesting > MAX_NESTING) throw malformed(`expected at most ${MAX_NESTING} nested groups`);
    let code = this.#sequence();
    while (this.#source[this.#at] === '|') {
      this.#at += 1;
      const right = this.#sequence();
      code = this.#limited([
        { op: 'split', first: 1, second: code.length + 2 },
        ...shift(code, 1),
        { op: 'jump', to: code.length + right.length + 2 },
        ...shift(right, code.length + 2),
      ]);
    }
    this.#nesting -= 1;
    return code;
  }

  #sequence(): Instruction[] {
    let code: Instruction[] = [];
    while (this.#at < this.#source.length && this.#source[this.#at] !== '|' && this.#source[this.#at] !== ')') {
      const one = this.#repeated(this.#one());
      code = this.#limited([...code, ...shift(one, code.length)]);
    }
    return code;
  }

  #limited(code: Instruction[]): Instruction[] {
    if (code.length > MAX_INSTRUCTIONS) throw malformed('expected a smaller regular expression: shorten it');
    return code;
  }

  #repeated(one: Instruction[]): Instruction[] {
    const quantifier = /^(?:([*+?])|\{(\d{1,4})(,?)(\d{0,4})\})(\??)/.exec(this.#source.slice(this.#at, this.#at + 12));
    if (quantifier === null) return one;
    this.#at += quantifier[0].length;
    if (/^[*+]|^\{\d/.test(this.#source.slice(this.#at, this.#at + 2))) {
      throw malformed('expected one quantifier in a row in a regular expression');
    }
    const [, sign, low, comma, high, lazy] = quantifier;
    const min = sign === undefined ? Number(low) : sign === '+' ? 1 : 0;
    const bounded = sign === undefined ? comma === '' || high !== '' : sign === '?';
    const max = !bounded ? undefined : sign === '?' ? 1 : comma === '' ? min : Number(high);
    if (min > MAX_REPEAT || (max !== undefined && (max > MAX_REPEAT || max < min))) {
      throw malformed(`expected a quantifier of at most ${MAX_REPEAT} in a regular expression`);
    }
    const split = (inside: number, outside: number): Instruction =>
      lazy === '?' ? { op: 'split', first: outside, second: inside } : { op: 'split', first: inside, second: outside };
    let code: Instruction[] = [];
    const add = (more: Instruction[]): void => {
      code = this.#limited([...code, ...shift(more, code.length)]);
    };
    for (let done = 0; done < min; done += 1) add(one);
    if (max === undefined) {
      const slot = this.#slots;
      this.#slots += 1;
      add([split(1, one.length + 3), ...shift(one, 1), { op: 'progress', slot }, { op: 'jump', to: 0 }]);
    } else {
      for (let done = min; done < max; done += 1) add([split(1, one.length + 1), ...shift(one, 1)]);
    }
    return code;
  }

  #one(): Instruction[] {
    const char = this.#source[this.#at] ?? '';
    this.#at += 1;
    switch (char) {
      case '(':
        return this.#group();
      case '[':
        return [{ op: 'char', test: this.#class() }];
      case '.':
        return [{ op: 'char', test: (code) => code !== 10 }];
      case '^':
        return [{ op: 'assert', holds: (_text, at) => at === 0 }];
      case '$':
        return [
          {
            op: 'assert',
            holds: (text, at) => at === text.length || (at === text.length - 1 && text.charCodeAt(at) === 10),
          },
        ];
      case '\\':
        return [this.#escape()];
      case '*':
      case '+':
      case '?':
        throw malformed(`expected something to repeat before "${char}" in a regular expression`);
      default:
        return [{ op: 'char', test: this.#literal(char.charCodeAt(0)) }];
    }
  }

  #literal(code: number): CharTest {
    if (!this.#ignoreCase) return (other) => other === code;
    const lower = String.fromCharCode(code).toLowerCase();
    return (other) => other === code || String.fromCharCode(other).toLowerCase() === lower;
  }

  #group(): Instruction[] {
    const kind = /^\?(?::|P?<([A-Za-z_]\w*)>)/.exec(this.#source.slice(this.#at, this.#at + 64));
    if (kind === null && this.#source[this.#at] === '?') {
      throw malformed('expected a plain, (?: or (?P<name> group in a regular expression: no look-around here');
    }
    if (kind !== null) this.#at += kind[0].length;
    const captured = kind === null || kind[1] !== undefined;
    const index = this.#groups;
    if (captured) this.#groups += 1;
    if (this.#groups > MAX_GROUPS) throw malformed(`expected at most ${MAX_GROUPS} groups in a regular expression`);
    const body = this.#alternatives();
    if (this.#source[this.#at] !== ')') throw malformed('expected ) to end a group of a regular expression');
    this.#at += 1;
    if (!captured) return body;
    return [{ op: 'save', slot: index * 2 }, ...shift(body, 1), { op: 'save', slot: index * 2 + 1 }];
  }

  #classEscape(char: string): CharTest | undefined {
    switch (char) {
      case 'd':
        return isDigit;
      case 'D':
        return not(isDigit);
      case 'w':
        return isWord;
      case 'W':
        return not(isWord);
      case 's':
        return isSpace;
      case 'S':
        return not(isSpace);
      default:
        return undefined;
    }
  }

  #escape(): Instruction {
    const char = this.#source[this.#at] ?? '';
    this.#at += 1;
    if (char === 'b') return { op: 'assert', holds: boundary };
    if (char === 'B') return { op: 'assert', holds: (text, at) => !boundary(text, at) };
    const known = this.#classEscape(char);
    if (known !== undefined) return { op: 'char', test: known };
    return { op: 'char', test: this.#literal(this.#escapedCode(char)) };
  }

  #escapedCode(char: string): number {
    if (char === 'n') return 10;
    if (char === 'r') return 13;
    if (char === 't') return 9;
    if (char === '' || /[A-Za-z0-9]/.test(char)) {
      throw malformed(`expected an escape that templates know, came "\\${char}" in a regular expression`);
    }
    return char.charCodeAt(0);
  }

  #class(): CharTest {
    const tests: CharTest[] = [];
    const negated = this.#source[this.#at] === '^';
    if (negated) this.#at += 1;
    for (let first = true; ; first = false) {
      const char = this.#source[this.#at];
      if (char === undefined) throw malformed('expected ] to end a class of a regular expression');
      this.#at += 1;
      if (char === ']' && !first) break;
      if (char === '\\') {
        const escaped = this.#source[this.#at] ?? '';
        const known = this.#classEscape(escaped);
        if (known !== undefined) {
          this.#at += 1;
          tests.push(known);
          continue;
        }
      }
      const low = this.#classChar(char);
      if (
        this.#source[this.#at] === '-' &&
        this.#source[this.#at + 1] !== ']' &&
        this.#source[this.#at + 1] !== undefined
      ) {
        const next = this.#source[this.#at + 1] ?? '';
        this.#at += 2;
        const high = this.#classChar(next);
        tests.push(this.#range(low, high));
      } else tests.push(this.#literal(low));
      if (tests.length > MAX_INSTRUCTIONS) throw malformed('expected a smaller regular expression: shorten it');
    }
    const any: CharTest = (code) => tests.some((test) => test(code));
    return negated ? not(any) : any;
  }

  #classChar(char: string): number {
    if (char !== '\\') return char.charCodeAt(0);
    const escaped = this.#source[this.#at] ?? '';
    this.#at += 1;
    return this.#escapedCode(escaped);
  }

  #range(low: number, high: number): CharTest {
    const within: CharTest = (code) => code >= low && code <= high;
    if (!this.#ignoreCase) return within;
    return (code) =>
      within(code) ||
      within(String.fromCharCode(code).toLowerCase().charCodeAt(0)) ||
      within(String.fromCharCode(code).toUpperCase().charCodeAt(0));
  }
}

function shift(code: readonly Instruction[], by: number): Instruction[] {
  return code.map((one): Instruction => {
    if (one.op === 'split') return { op: 'split', first: one.first + by, second: one.second + by };
    return one.op === 'jump' ? { op: 'jump', to: one.to + by } : one;
  });
}

export function compilePattern(source: string, ignoreCase: boolean, budget: Budget): Pattern {
  if (source.length > 512) throw malformed('expected a regular expression of at most 512 characters: shorten it');
  budget.step(1 + source.length);
  return new PatternCompiler(source, ignoreCase).compile();
}

interface Thread {
  pc: number;
  at: number;
  slots: number[];
}

/** The match that begins exactly at `start`. Costs a step for every eight instructions and for every
 * group bound that it notes. */
export function matchAt(pattern: Pattern, text: string, start: number, budget: Budget): Match | undefined {
  const waiting: Thread[] = [{ pc: 0, at: start, slots: new Array<number>(pattern.groups * 2).fill(-1) }];
  let instructions = 0;
  for (let thread = waiting.pop(); thread !== undefined; thread = waiting.pop()) {
    let { pc, at, slots } = thread;
    run: for (;;) {
      instructions += 1;
      if (instructions % 8 === 0) budget.step();
      const one = pattern.code[pc];
      if (one === undefined) break;
      switch (one.op) {
        case 'match':
          return { captures: slots.slice(0, pattern.groups * 2) };
        case 'char':
          if (at >= text.length || !one.test(text.charCodeAt(at))) break run;
          at += 1;
          pc += 1;
          break;
        case 'split':
          waiting.push({ pc: one.second, at, slots });
          pc = one.first;
          break;
        case 'jump':
          pc = one.to;
          break;
        case 'save':
          budget.step();
          slots = slots.slice();
          slots[one.slot] = at;
          pc += 1;
          break;
        case 'progress':
          if (slots[one.slot] === at) break run;
          budget.step();
          slots = slots.slice();
          slots[one.slot] = at;
          pc += 1;
          break;
        default:
          if (!one.holds(text, at)) break run;
          pc += 1;
      }
    }
  }
  return undefined;
}

/** The first match at or after `from`. */
export function search(pattern: Pattern, text: string, from: number, budget: Budget): Match | undefined {
  for (let start = from; start <= text.length; start += 1) {
    const match = matchAt(pattern, text, start, budget);
    if (match !== undefined) return match;
  }
  return undefined;
}

/** All matches that do not overlap, from the left. */
export function allMatches(pattern: Pattern, text: string, budget: Budget): Match[] {
  const matches: Match[] = [];
  let from = 0;
  while (from <= text.length) {
    const match = search(pattern, text, from, budget);
    if (match === undefined) break;
    matches.push(match);
    budget.reserveItems(matches.length);
    const [start = 0, end = 0] = match.captures;
    from = end > start ? end : end + 1;
  }
  return matches;
}

export function captured(match: Match, text: string, group: number): string | undefined {
  const start = match.captures[group * 2] ?? -1;
  const end = match.captures[group * 2 + 1] ?? -1;
  return start < 0 || end < 0 ? undefined : text.slice(start, end);
}
