import { jsonText } from './json-text.ts';
import type { Filter } from './number-filters.ts';
import { allMatches, captured, compilePattern, matchAt, search } from './pattern.ts';
import { printf } from './printf.ts';
import { pythonStr } from './python-format.ts';
import { malformed } from './template-fault.ts';
import {
  argument,
  isNumeric,
  numberOf,
  optionalArgument,
  type TemplateRun,
  type TemplateValue,
  Tuple,
  truthy,
  typeName,
  Undefined,
} from './value.ts';

/** Text of a filter's value: as Jinja, undefined is the empty text. */
function soft(value: TemplateValue, run: TemplateRun): string {
  return pythonStr(value, run.budget);
}

function needText(value: TemplateValue, filter: string): string {
  if (typeof value !== 'string') throw malformed(`expected a string for "${filter}", came ${typeName(value)}`);
  return value;
}

export function titleCase(text: string): string {
  return text.replace(/[^\s\-({[<]+/g, (word) => word.charAt(0).toUpperCase() + word.slice(1).toLowerCase());
}

export function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1).toLowerCase();
}

/** Python's `text.replace`, its length known before it is made. */
export function replaceText(text: string, old: string, replacement: string, count: number, run: TemplateRun): string {
  if (count === 0) return text;
  const pieces = old === '' ? ['', ...text, ''] : text.split(old);
  const taken = count < 0 ? pieces.length - 1 : Math.min(count, pieces.length - 1);
  run.budget.reserveText(text.length + taken * (replacement.length - old.length));
  return pieces.slice(0, taken).reduce((done, piece) => done + piece + replacement, '') + pieces.slice(taken).join(old);
}

export function stripText(text: string, characters: TemplateValue, sides: 'both' | 'start' | 'end'): string {
  if (typeof characters !== 'string') {
    return sides === 'both' ? text.trim() : sides === 'start' ? text.trimStart() : text.trimEnd();
  }
  let start = 0;
  let end = text.length;
  while (sides !== 'end' && start < end && characters.includes(text.charAt(start))) start += 1;
  while (sides !== 'start' && end > start && characters.includes(text.charAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function replace(value: TemplateValue, given: Parameters<Filter>[1], run: TemplateRun): TemplateValue {
  const old = needText(argument(given, 0, 'old', null), 'replace');
  const replacement = needText(argument(given, 1, 'new', null), 'replace');
  const limit = argument(given, 2, 'count', null);
  return replaceText(soft(value, run), old, replacement, isNumeric(limit) ? numberOf(limit) : -1, run);
}

function regexTest(name: string, anchored: boolean): Filter {
  return (value, given, run) => {
    const text = needText(value, name);
    const pattern = compilePattern(
      needText(argument(given, 0, 'find', ''), name),
      truthy(argument(given, 1, 'ignorecase', false)),
      run.budget,
    );
    return (anchored ? matchAt(pattern, text, 0, run.budget) : search(pattern, text, 0, run.budget)) !== undefined;
  };
}

function regexReplace(value: TemplateValue, given: Parameters<Filter>[1], run: TemplateRun): TemplateValue {
  const text = needText(value, 'regex_replace');
  const replacement = needText(argument(given, 1, 'replace', ''), 'regex_replace');
  const pattern = compilePattern(
    needText(argument(given, 0, 'find', ''), 'regex_replace'),
    truthy(argument(given, 2, 'ignorecase', false)),
    run.budget,
  );
  let made = '';
  let from = 0;
  for (const match of allMatches(pattern, text, run.budget)) {
    const [start = 0, end = 0] = match.captures;
    const put = replacement.replace(/\\(?:(\d{1,2})|g<(\d{1,2})>)/g, (_whole, short?: string, long?: string) => {
      return captured(match, text, Number(short ?? long)) ?? '';
    });
    made += text.slice(from, start) + put;
    run.budget.reserveText(made.length);
    from = end;
  }
  return run.budget.text(made + text.slice(from));
}

function regexFindall(value: TemplateValue, given: Parameters<Filter>[1], run: TemplateRun): TemplateValue[] {
  const text = needText(value, 'regex_findall');
  const pattern = compilePattern(
    needText(argument(given, 0, 'find', ''), 'regex_findall'),
    truthy(argument(given, 1, 'ignorecase', false)),
    run.budget,
  );
  return allMatches(pattern, text, run.budget).map((match): TemplateValue => {
    if (pattern.groups <= 2) return captured(match, text, pattern.groups - 1) ?? '';
    const groups: TemplateValue[] = [];
    for (let group = 1; group < pattern.groups; group += 1) groups.push(captured(match, text, group) ?? '');
    return new Tuple(groups);
  });
}

function base64(text: string): string {
  return btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(''));
}

function fromBase64(text: string): string {
  try {
    return new TextDecoder().decode(Uint8Array.from(atob(text), (char) => char.charCodeAt(0)));
  } catch {
    throw malformed('expected base64 text for "base64_decode"');
  }
}

export const TEXT_FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ['lower', (value, _given, run) => soft(value, run).toLowerCase()],
  ['upper', (value, _given, run) => run.budget.text(soft(value, run).toUpperCase())],
  ['title', (value, _given, run) => run.budget.text(titleCase(soft(value, run)))],
  ['capitalize', (value, _given, run) => run.budget.text(capitalize(soft(value, run)))],
  ['trim', (value, given, run) => stripText(soft(value, run), argument(given, 0, 'chars', null), 'both')],
  ['string', (value, _given, run) => soft(value, run)],
  ['safe', (value) => value],
  ['replace', replace],
  ['format', (value, given, run) => printf(soft(value, run), given.positional, run.budget)],
  [
    'truncate',
    (value, given, run) => {
      const text = soft(value, run);
      const length = numberOrFail(argument(given, 0, 'length', 255));
      const end = soft(argument(given, 2, 'end', '...'), run);
      return text.length <= length + 5 ? text : text.slice(0, Math.max(0, length - end.length)) + end;
    },
  ],
  [
    'slugify',
    (value, given, run) => {
      const separator = soft(argument(given, 0, 'separator', '_'), run);
      const plain = soft(value, run)
        .normalize('NFKD')
        .toLowerCase()
        .replace(/[\u0300-\u036f]/g, '');
      return run.budget.text(
        plain
          .split(/[^a-z0-9]+/)
          .filter(Boolean)
          .join(separator),
      );
    },
  ],
  [
    'urlencode',
    (value, _given, run) => run.budget.text(encodeURIComponent(soft(value, run).toWellFormed()).replaceAll('%2F', '/')),
  ],
  ['base64_encode', (value, _given, run) => run.budget.text(base64(soft(value, run)))],
  ['base64_decode', (value, _given, run) => run.budget.text(fromBase64(needText(value, 'base64_decode')))],
  ['ord', (value) => needText(value, 'ord').codePointAt(0) ?? 0],
  ['regex_match', regexTest('regex_match', true)],
  ['regex_search', regexTest('regex_search', false)],
  ['regex_replace', regexReplace],
  ['regex_findall', regexFindall],
  [
    'regex_findall_index',
    (value, given, run) => {
      const index = numberOrFail(argument(given, 1, 'index', 0));
      const found = regexFindall(value, { positional: given.positional.slice(0, 1), named: given.named }, run);
      const one = found.at(index);
      if (one === undefined)
        throw malformed(`expected a match number ${index} for "regex_findall_index", came ${found.length}`);
      return one;
    },
  ],
  [
    'to_json',
    (value, given, run) => {
      const pretty = truthy(argument(given, 1, 'pretty_print', false));
      const layout = {
        itemSeparator: ',',
        keySeparator: pretty ? ': ' : ':',
        sortKeys: truthy(argument(given, 2, 'sort_keys', false)),
        ascii: truthy(argument(given, 0, 'ensure_ascii', false)),
      };
      return jsonText(value, layout, run.budget);
    },
  ],
  [
    'tojson',
    (value, _given, run) => {
      const layout = { itemSeparator: ', ', keySeparator: ': ', sortKeys: true, ascii: true };
      const escaped = jsonText(value, layout, run.budget).replace(
        /[<>&']/g,
        (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
      );
      return run.budget.text(escaped);
    },
  ],
  [
    'from_json',
    (value, given, run) => {
      const text = needText(value, 'from_json');
      run.budget.step(1 + Math.floor(text.length / 16));
      try {
        // JSON text holds nothing but template values.
        return JSON.parse(text) as TemplateValue;
      } catch {
        const fallback = optionalArgument(given, 0, 'default');
        if (fallback !== undefined) return fallback;
        throw malformed('expected JSON for "from_json": give it a default');
      }
    },
  ],
]);

function numberOrFail(value: TemplateValue): number {
  if (!isNumeric(value)) throw malformed(`expected a number, came ${typeName(value)}`);
  return Math.trunc(numberOf(value));
}

/** `value` if it is defined, and with `boolean` also not empty; else `fallback`. */
export function defaultFilter(value: TemplateValue, given: Parameters<Filter>[1]): TemplateValue {
  const missing = value instanceof Undefined || (truthy(argument(given, 1, 'boolean', false)) && !truthy(value));
  return missing ? argument(given, 0, 'default_value', '') : value;
}
