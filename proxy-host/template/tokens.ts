import { malformed } from './template-fault.ts';

export type Token =
  | { readonly kind: 'name'; readonly text: string }
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'integer'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'operator'; readonly text: string };

/** A template cut at its `{{`, `{%` and `{#`. Comments are gone, white space control is applied. */
export type Segment =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'expression' | 'statement'; readonly tokens: readonly Token[] };

const OPERATORS = /(?:\*\*|\/\/|==|!=|<=|>=|[-+*/%~<>=()[\]{}.,:|])/y;
const NAME = /[\p{L}_][\p{L}\p{N}_]*/uy;
const NUMBER = /(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][-+]?\d+)?)/y;
const SPACE = /\s+/y;
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['t', '\t'],
  ['r', '\r'],
  ['b', '\b'],
  ['f', '\f'],
  ['0', '\0'],
  ['\\', '\\'],
  ["'", "'"],
  ['"', '"'],
  ['\n', ''],
]);
const OPEN = /\{[{%#]/g;
const RAW_END = /\{%[-+]?\s*endraw\s*[-+]?%\}/g;

function searchFrom(pattern: RegExp, source: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(source);
}

function matchAt(pattern: RegExp, source: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0];
}

export function segments(source: string): Segment[] {
  const found: Segment[] = [];
  let at = 0;
  let trimNext = false;
  const addText = (raw: string, trimEnd: boolean): void => {
    let text = trimNext ? raw.trimStart() : raw;
    if (trimEnd) text = text.trimEnd();
    if (text !== '') found.push({ kind: 'text', text });
  };
  while (at < source.length) {
    const open = searchFrom(OPEN, source, at);
    if (open === null) break;
    const start = open.index;
    const trimBefore = source[start + 2] === '-';
    addText(source.slice(at, start), trimBefore);
    let inside = start + 2;
    if (trimBefore || source[inside] === '+') inside += 1;
    if (source[start + 1] === '#') {
      const end = source.indexOf('#}', inside);
      if (end < 0) throw malformed('expected #} to end a comment, came the end: add it');
      trimNext = source[end - 1] === '-';
      at = end + 2;
      continue;
    }
    const isExpression = source[start + 1] === '{';
    const read = readTokens(source, inside, isExpression ? '}}' : '%}');
    trimNext = read.trimAfter;
    at = read.end;
    const [first] = read.tokens;
    if (!isExpression && read.tokens.length === 1 && first?.kind === 'name' && first.text === 'raw') {
      const end = searchFrom(RAW_END, source, at);
      if (end === null) throw malformed('expected {% endraw %}, came the end: add it');
      addText(source.slice(at, end.index), end[0].startsWith('{%-'));
      trimNext = end[0].endsWith('-%}');
      at = end.index + end[0].length;
      continue;
    }
    found.push({ kind: isExpression ? 'expression' : 'statement', tokens: read.tokens });
  }
  addText(source.slice(at), false);
  return found;
}

function readTokens(
  source: string,
  from: number,
  close: '}}' | '%}',
): { tokens: Token[]; end: number; trimAfter: boolean } {
  const tokens: Token[] = [];
  let brackets = 0;
  let at = from;
  while (at < source.length) {
    const space = matchAt(SPACE, source, at);
    if (space !== undefined) {
      at += space.length;
      continue;
    }
    if (brackets === 0) {
      const control = source[at] === '-' || source[at] === '+' ? 1 : 0;
      if (source.startsWith(close, at + control)) {
        return { tokens, end: at + control + 2, trimAfter: source[at] === '-' };
      }
    }
    const char = source[at];
    if (char === "'" || char === '"') {
      const read = readString(source, at, char);
      tokens.push({ kind: 'string', text: read.text });
      at = read.end;
      continue;
    }
    const numeral = matchAt(NUMBER, source, at);
    if (numeral !== undefined) {
      const value = Number(numeral.replaceAll('_', ''));
      const float = !/^0[xXbBoO]/.test(numeral) && /[.eE]/.test(numeral);
      tokens.push({ kind: float ? 'float' : 'integer', value });
      at += numeral.length;
      continue;
    }
    const name = matchAt(NAME, source, at);
    if (name !== undefined) {
      tokens.push({ kind: 'name', text: name });
      at += name.length;
      continue;
    }
    const operator = matchAt(OPERATORS, source, at);
    if (operator === undefined)
      throw malformed(`expected an expression, came ${JSON.stringify(source[at])}: remove it`);
    if ('([{'.includes(operator)) brackets += 1;
    else if (')]}'.includes(operator)) brackets -= 1;
    if (brackets < 0) throw malformed(`expected a matching bracket before "${operator}": balance the brackets`);
    tokens.push({ kind: 'operator', text: operator });
    at += operator.length;
  }
  throw malformed(`expected ${close}, came the end: add it`);
}

function readString(source: string, start: number, quote: string): { text: string; end: number } {
  let text = '';
  let at = start + 1;
  while (at < source.length) {
    const char = source[at];
    if (char === quote) return { text, end: at + 1 };
    if (char !== '\\') {
      text += char;
      at += 1;
      continue;
    }
    const code = /^\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/.exec(source.slice(at, at + 10));
    if (code !== null) {
      const point = Number.parseInt(code[1] ?? code[2] ?? code[3] ?? '0', 16);
      if (point > 0x10ffff) throw malformed('expected a code point up to 10FFFF after \\U: correct it');
      text += String.fromCodePoint(point);
      at += code[0].length;
      continue;
    }
    const escaped = source[at + 1] ?? '';
    text += ESCAPES.get(escaped) ?? `\\${escaped}`;
    at += 2;
  }
  throw malformed(`expected ${quote} to end a string, came the end: add it`);
}
