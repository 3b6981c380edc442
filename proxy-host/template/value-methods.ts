import { calendarOf, formatMoment, strftime } from './moment-format.ts';
import { equal, iterate } from './operators.ts';
import { strFormat } from './printf.ts';
import { malformed } from './template-fault.ts';
import { capitalize, replaceText, stripText, titleCase } from './text-filters.ts';
import {
  argument,
  type CallArguments,
  Duration,
  dictEntries,
  dictGet,
  dictKey,
  floatValue,
  isDict,
  isFloat,
  isNumeric,
  Moment,
  numberOf,
  sequenceOf,
  TemplateFunction,
  type TemplateRun,
  type TemplateValue,
  Tuple,
  typeName,
  WholeFloat,
} from './value.ts';

type TextMethod = (text: string, given: CallArguments, run: TemplateRun) => TemplateValue;

function textArgument(given: CallArguments, index: number, method: string): string {
  const value = given.positional[index];
  if (typeof value !== 'string') throw malformed(`expected a string as argument of "${method}"`);
  return value;
}

function countArgument(given: CallArguments, index: number, name: string, fallback: number): number {
  const value = argument(given, index, name, fallback);
  return isNumeric(value) ? Math.trunc(numberOf(value)) : fallback;
}

function split(fromEnd: boolean): TextMethod {
  return (text, given, run) => {
    const separator = argument(given, 0, 'sep', null);
    const limit = countArgument(given, 1, 'maxsplit', -1);
    if (separator === '' || (separator !== null && typeof separator !== 'string')) {
      throw malformed('expected a separator of at least one character');
    }
    const pieces = separator === null ? text.split(/\s+/).filter((piece) => piece !== '') : text.split(separator);
    if (limit < 0 || pieces.length <= limit + 1) return run.budget.items(pieces);
    const glue = separator ?? ' ';
    run.budget.reserveItems(limit + 1);
    return fromEnd
      ? [pieces.slice(0, pieces.length - limit).join(glue), ...pieces.slice(pieces.length - limit)]
      : [...pieces.slice(0, limit), pieces.slice(limit).join(glue)];
  };
}

function anyAffix(name: string, holds: (text: string, affix: string) => boolean): TextMethod {
  return (text, given) => {
    const affix = given.positional[0] ?? null;
    const affixes = affix instanceof Tuple ? affix.items : [affix];
    return affixes.some((one) => {
      if (typeof one !== 'string') throw malformed(`expected a string as argument of "${name}"`);
      return holds(text, one);
    });
  };
}

function find(name: string, fromEnd: boolean, mustFind: boolean): TextMethod {
  return (text, given) => {
    const part = textArgument(given, 0, name);
    const at = fromEnd ? text.lastIndexOf(part) : text.indexOf(part, countArgument(given, 1, 'start', 0));
    if (at < 0 && mustFind) throw malformed(`expected "${part.slice(0, 20)}" in the text for "${name}", came none`);
    return at;
  };
}

function justify(place: 'left' | 'right' | 'center' | 'zero'): TextMethod {
  return (text, given, run) => {
    const width = countArgument(given, 0, 'width', 0);
    const missing = width - text.length;
    if (missing <= 0) return text;
    run.budget.reserveText(width);
    const fill = typeof given.positional[1] === 'string' ? given.positional[1].charAt(0) : ' ';
    if (place === 'zero') {
      const sign = /^[-+]/.exec(text)?.[0] ?? '';
      return sign + '0'.repeat(missing) + text.slice(sign.length);
    }
    const before = place === 'left' ? 0 : place === 'right' ? missing : Math.floor(missing / 2);
    return fill.repeat(before) + text + fill.repeat(missing - before);
  };
}

function every(pattern: RegExp): TextMethod {
  return (text) => pattern.test(text);
}

function partition(fromEnd: boolean): TextMethod {
  return (text, given) => {
    const separator = textArgument(given, 0, 'partition');
    const at = fromEnd ? text.lastIndexOf(separator) : text.indexOf(separator);
    if (at < 0) return new Tuple(fromEnd ? ['', '', text] : [text, '', '']);
    return new Tuple([text.slice(0, at), separator, text.slice(at + separator.length)]);
  };
}

const TEXT_METHODS: ReadonlyMap<string, TextMethod> = new Map<string, TextMethod>([
  ['lower', (text) => text.toLowerCase()],
  ['casefold', (text) => text.toLowerCase()],
  ['upper', (text, _given, run) => run.budget.text(text.toUpperCase())],
  ['title', (text) => titleCase(text)],
  ['capitalize', (text) => capitalize(text)],
  [
    'swapcase',
    (text) => text.replace(/\p{L}/gu, (one) => (one === one.toLowerCase() ? one.toUpperCase() : one.toLowerCase())),
  ],
  ['strip', (text, given) => stripText(text, argument(given, 0, 'chars', null), 'both')],
  ['lstrip', (text, given) => stripText(text, argument(given, 0, 'chars', null), 'start')],
  ['rstrip', (text, given) => stripText(text, argument(given, 0, 'chars', null), 'end')],
  ['split', split(false)],
  ['rsplit', split(true)],
  ['splitlines', (text, _given, run) => run.budget.items(text.replace(/\r?\n$/, '').split(/\r?\n/))],
  ['partition', partition(false)],
  ['rpartition', partition(true)],
  ['startswith', anyAffix('startswith', (text, affix) => text.startsWith(affix))],
  ['endswith', anyAffix('endswith', (text, affix) => text.endsWith(affix))],
  ['removeprefix', (text, given) => without(text, textArgument(given, 0, 'removeprefix'), true)],
  ['removesuffix', (text, given) => without(text, textArgument(given, 0, 'removesuffix'), false)],
  ['find', find('find', false, false)],
  ['rfind', find('rfind', true, false)],
  ['index', find('index', false, true)],
  ['count', (text, given) => text.split(textArgument(given, 0, 'count')).length - 1],
  [
    'replace',
    (text, given, run) =>
      replaceText(
        text,
        textArgument(given, 0, 'replace'),
        textArgument(given, 1, 'replace'),
        countArgument(given, 2, 'count', -1),
        run,
      ),
  ],
  [
    'join',
    (text, given, run) => {
      let length = 0;
      const parts = iterate(given.positional[0] ?? null, run.budget).map((part) => {
        if (typeof part !== 'string') throw malformed(`expected strings to join, came ${typeName(part)}`);
        length += part.length + text.length;
        run.budget.reserveText(length);
        return part;
      });
      return parts.join(text);
    },
  ],
  ['format', (text, given, run) => strFormat(text, given.positional, given.named, run.budget)],
  ['zfill', justify('zero')],
  ['ljust', justify('left')],
  ['rjust', justify('right')],
  ['center', justify('center')],
  ['isdigit', every(/^\p{Nd}+$/u)],
  ['isdecimal', every(/^\p{Nd}+$/u)],
  ['isnumeric', every(/^\p{N}+$/u)],
  ['isalpha', every(/^\p{L}+$/u)],
  ['isalnum', every(/^[\p{L}\p{N}]+$/u)],
  ['isspace', every(/^\s+$/)],
  ['islower', (text) => text === text.toLowerCase() && text !== text.toUpperCase()],
  ['isupper', (text) => text === text.toUpperCase() && text !== text.toLowerCase()],
]);

function without(text: string, affix: string, start: boolean): string {
  if (affix === '') return text;
  if (start) return text.startsWith(affix) ? text.slice(affix.length) : text;
  return text.endsWith(affix) ? text.slice(0, -affix.length) : text;
}

type ValueMethod = (value: TemplateValue, given: CallArguments, run: TemplateRun) => TemplateValue;

function dictMethod(apply: (entries: [TemplateValue, TemplateValue][]) => TemplateValue[]): ValueMethod {
  return (value, _given, run) => run.budget.items(apply(isDict(value) ? dictEntries(value) : []));
}

const DICT_METHODS: ReadonlyMap<string, ValueMethod> = new Map<string, ValueMethod>([
  ['keys', dictMethod((entries) => entries.map(([key]) => key))],
  ['values', dictMethod((entries) => entries.map(([, item]) => item))],
  ['items', dictMethod((entries) => entries.map((entry) => new Tuple(entry)))],
  [
    'get',
    (value, given) => {
      const found = isDict(value) ? dictGet(value, dictKey(given.positional[0] ?? null)) : undefined;
      return found === undefined ? argument(given, 1, 'default', null) : found;
    },
  ],
]);

const LIST_METHODS: ReadonlyMap<string, ValueMethod> = new Map<string, ValueMethod>([
  [
    'index',
    (value, given, run) => {
      const wanted = given.positional[0] ?? null;
      const at = (sequenceOf(value) ?? []).findIndex((item) => equal(item, wanted, run.budget));
      if (at < 0) throw malformed('expected an item of the list for "index", came another value');
      return at;
    },
  ],
  [
    'count',
    (value, given, run) => {
      const wanted = given.positional[0] ?? null;
      return (sequenceOf(value) ?? []).filter((item) => equal(item, wanted, run.budget)).length;
    },
  ],
]);

const MOMENT_METHODS: ReadonlyMap<string, ValueMethod> = new Map<string, ValueMethod>([
  ['isoformat', (value) => (value instanceof Moment ? formatMoment(value, 'T') : null)],
  ['timestamp', (value) => (value instanceof Moment ? floatValue(value.epochMs / 1000) : null)],
  ['weekday', (value) => (value instanceof Moment ? (calendarOf(value).getUTCDay() + 6) % 7 : null)],
  ['isoweekday', (value) => (value instanceof Moment ? ((calendarOf(value).getUTCDay() + 6) % 7) + 1 : null)],
  [
    'strftime',
    (value, given, run) =>
      value instanceof Moment ? run.budget.text(strftime(value, textArgument(given, 0, 'strftime'))) : null,
  ],
]);

const MOMENT_FIELDS: ReadonlyMap<string, (date: Date) => number> = new Map([
  ['year', (date: Date) => date.getUTCFullYear()],
  ['month', (date: Date) => date.getUTCMonth() + 1],
  ['day', (date: Date) => date.getUTCDate()],
  ['hour', (date: Date) => date.getUTCHours()],
  ['minute', (date: Date) => date.getUTCMinutes()],
  ['second', (date: Date) => date.getUTCSeconds()],
  ['microsecond', (date: Date) => date.getUTCMilliseconds() * 1000],
]);

const DURATION_METHODS: ReadonlyMap<string, ValueMethod> = new Map<string, ValueMethod>([
  ['total_seconds', (value) => (value instanceof Duration ? floatValue(value.ms / 1000) : null)],
]);

const FLOAT_METHODS: ReadonlyMap<string, ValueMethod> = new Map<string, ValueMethod>([
  ['is_integer', (value) => value instanceof WholeFloat],
]);

/** Names that are methods on a dictionary: there `value_json.items` is the method, as in Python, not the key. */
export function isDictMethod(name: string): boolean {
  return DICT_METHODS.has(name);
}

function methodsOf(value: TemplateValue): ReadonlyMap<string, ValueMethod> | undefined {
  if (sequenceOf(value) !== undefined) return LIST_METHODS;
  if (value instanceof Moment) return MOMENT_METHODS;
  if (value instanceof Duration) return DURATION_METHODS;
  if (isFloat(value)) return FLOAT_METHODS;
  return isDict(value) ? DICT_METHODS : undefined;
}

/** The method or plain field `name` of a value, from fixed tables only. */
export function builtinMember(value: TemplateValue, name: string): TemplateValue | undefined {
  if (typeof value === 'string') {
    const method = TEXT_METHODS.get(name);
    if (method === undefined) return undefined;
    return new TemplateFunction(name, (run, given) => {
      run.budget.step(Math.floor(value.length / 64));
      return method(value, given, run);
    });
  }
  if (value instanceof Moment) {
    const field = MOMENT_FIELDS.get(name);
    if (field !== undefined) return field(calendarOf(value));
  }
  if (value instanceof Duration && name === 'days') return Math.floor(value.ms / 86_400_000);
  if (value instanceof Duration && name === 'seconds')
    return Math.floor((((value.ms / 1000) % 86_400) + 86_400) % 86_400);
  const method = methodsOf(value)?.get(name);
  return method === undefined ? undefined : new TemplateFunction(name, (run, given) => method(value, given, run));
}
