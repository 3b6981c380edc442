import { toFloat } from './number-conversion.ts';
import { binary, contains, equal, iterate, order } from './operators.ts';
import { pythonStr } from './python-format.ts';
import { malformed } from './template-fault.ts';
import {
  argument,
  type CallArguments,
  dictEntries,
  dictGet,
  dictSize,
  floatValue,
  isDict,
  isNumeric,
  numberOf,
  optionalArgument,
  orUndefined,
  sequenceOf,
  type TemplateRun,
  type TemplateValue,
  Tuple,
  truthy,
  typeName,
  Undefined,
} from './value.ts';

/** Finds filters and tests by name; the interpreter gives it, so that `map` and `select` can name any of them. */
export interface Registry {
  filter(name: string, value: TemplateValue, given: CallArguments, run: TemplateRun): TemplateValue;
  test(name: string, value: TemplateValue, given: CallArguments, run: TemplateRun): boolean;
}

export type RegistryFilter = (
  value: TemplateValue,
  given: CallArguments,
  run: TemplateRun,
  registry: Registry,
) => TemplateValue;

export function lengthOf(value: TemplateValue): number {
  // Python counts code points: a pair of surrogates is one.
  if (typeof value === 'string') return value.length - (value.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);
  const items = sequenceOf(value);
  if (items !== undefined) return items.length;
  if (isDict(value)) return dictSize(value);
  if (value instanceof Undefined) return 0;
  throw malformed(`expected something with a length, came ${typeName(value)}`);
}

/** `attribute` as `map`, `sort` and others take it: a key, an index, or several joined by dots. */
export function attributeOf(value: TemplateValue, attribute: TemplateValue): TemplateValue {
  const path = typeof attribute === 'string' ? attribute.split('.') : [attribute];
  let at = value;
  for (const step of path) {
    const index = typeof step === 'number' ? step : /^\d+$/.test(String(step)) ? Number(step) : undefined;
    const items = sequenceOf(at);
    const found =
      items !== undefined && index !== undefined
        ? items.at(index)
        : isDict(at)
          ? dictGet(at, typeof step === 'string' ? step : (index ?? null))
          : undefined;
    if (found === undefined) return new Undefined(`attribute ${pathText(attribute)}`);
    at = found;
  }
  return at;
}

function pathText(attribute: TemplateValue): string {
  return typeof attribute === 'string' || typeof attribute === 'number' ? String(attribute) : typeName(attribute);
}

/** Arguments from `from` on, for a filter or test that another filter calls. */
function rest(given: CallArguments, from: number): CallArguments {
  return { positional: given.positional.slice(from), named: new Map() };
}

function nameArgument(given: CallArguments, index: number, filter: string): string {
  const name = given.positional[index];
  if (typeof name !== 'string') throw malformed(`expected a name as argument of "${filter}"`);
  return name;
}

function map(value: TemplateValue, given: CallArguments, run: TemplateRun, registry: Registry): TemplateValue {
  const items = iterate(value, run.budget);
  const attribute = given.named.get('attribute');
  run.budget.reserveItems(items.length);
  if (attribute !== undefined) {
    const fallback = given.named.get('default');
    return items.map((item) => {
      run.budget.step();
      const found = attributeOf(item, attribute);
      return found instanceof Undefined && fallback !== undefined ? fallback : found;
    });
  }
  const name = nameArgument(given, 0, 'map');
  const call = { positional: given.positional.slice(1), named: given.named };
  return items.map((item) => {
    run.budget.step();
    return registry.filter(name, item, call, run);
  });
}

function choose(byAttribute: boolean, wanted: boolean, filter: string): RegistryFilter {
  return (value, given, run, registry) => {
    const attribute = given.positional[0];
    if (byAttribute && attribute === undefined) throw malformed(`expected an attribute as argument of "${filter}"`);
    const from = byAttribute ? 1 : 0;
    const test = given.positional.length > from ? nameArgument(given, from, filter) : undefined;
    const call = rest(given, from + 1);
    return run.budget.items(
      iterate(value, run.budget).filter((item) => {
        run.budget.step();
        const subject = byAttribute && attribute !== undefined ? attributeOf(item, attribute) : item;
        const holds = test === undefined ? truthy(subject) : registry.test(test, subject, call, run);
        return holds === wanted;
      }),
    );
  };
}

/** The items, each with the value that it is compared by. */
function keyed(value: TemplateValue, given: CallArguments, run: TemplateRun): [TemplateValue, TemplateValue][] {
  const attribute = given.named.get('attribute');
  const folded = !truthy(given.named.get('case_sensitive') ?? false);
  return run.budget.items(
    iterate(value, run.budget).map((item): [TemplateValue, TemplateValue] => {
      run.budget.step();
      const key = attribute === undefined ? item : attributeOf(item, attribute);
      return [item, folded && typeof key === 'string' ? key.toLowerCase() : key];
    }),
  );
}

function extreme(sign: 1 | -1): RegistryFilter {
  return (value, given, run) => {
    let best: [TemplateValue, TemplateValue] | undefined;
    for (const one of keyed(value, given, run)) {
      if (best === undefined || order(one[1], best[1], run.budget) * sign > 0) best = one;
    }
    return orUndefined(best?.[0], 'an item of an empty list');
  };
}

function sort(value: TemplateValue, given: CallArguments, run: TemplateRun): TemplateValue {
  const reverse = truthy(argument(given, 0, 'reverse', false)) ? -1 : 1;
  return keyed(value, given, run)
    .sort(([, left], [, right]) => {
      run.budget.step();
      return order(left, right, run.budget) * reverse;
    })
    .map(([item]) => item);
}

function unique(value: TemplateValue, given: CallArguments, run: TemplateRun): TemplateValue {
  const kept: [TemplateValue, TemplateValue][] = [];
  for (const one of keyed(value, given, run)) {
    if (!kept.some(([, key]) => equal(key, one[1], run.budget))) kept.push(one);
  }
  return kept.map(([item]) => item);
}

function sum(value: TemplateValue, given: CallArguments, run: TemplateRun): TemplateValue {
  const attribute = optionalArgument(given, 0, 'attribute') ?? null;
  let total: TemplateValue = argument(given, 1, 'start', 0);
  for (const item of iterate(value, run.budget)) {
    run.budget.step();
    total = binary('+', total, attribute === null ? item : attributeOf(item, attribute), run.budget);
  }
  return total;
}

function average(value: TemplateValue, given: CallArguments, run: TemplateRun): TemplateValue {
  const numbers = iterate(value, run.budget).map((item) => {
    run.budget.step();
    return toFloat(item);
  });
  const total = numbers.reduce<number>((done, one) => done + (one ?? Number.NaN), 0);
  if (numbers.length > 0 && !Number.isNaN(total)) return floatValue(total / numbers.length);
  const fallback = optionalArgument(given, 0, 'default');
  if (fallback !== undefined) return fallback;
  throw malformed('expected a list of numbers for "average": give it a default');
}

function join(value: TemplateValue, given: CallArguments, run: TemplateRun): TemplateValue {
  const separator = pythonStr(argument(given, 0, 'd', ''), run.budget);
  const attribute = optionalArgument(given, 1, 'attribute') ?? null;
  let length = 0;
  const parts = iterate(value, run.budget).map((item) => {
    const text = pythonStr(attribute === null ? item : attributeOf(item, attribute), run.budget);
    length += text.length + separator.length;
    run.budget.reserveText(length);
    return text;
  });
  return parts.join(separator);
}

function flatten(value: TemplateValue, run: TemplateRun, depth: number): TemplateValue[] {
  const flat: TemplateValue[] = [];
  for (const item of iterate(value, run.budget)) {
    run.budget.step();
    if (sequenceOf(item) === undefined || depth >= run.budget.limits.maxDepth) flat.push(item);
    else flat.push(...flatten(item, run, depth + 1));
    if (flat.length > run.budget.limits.maxItems) run.budget.reserveItems(flat.length);
  }
  return flat;
}

function entriesOf(value: TemplateValue, filter: string, run: TemplateRun): TemplateValue[] {
  if (value instanceof Undefined) return [];
  if (!isDict(value)) throw malformed(`expected a dictionary for "${filter}", came ${typeName(value)}`);
  return run.budget.items(dictEntries(value).map(([key, item]) => new Tuple([key, item])));
}

function dictsort(value: TemplateValue, given: CallArguments, run: TemplateRun): TemplateValue {
  const by = argument(given, 1, 'by', 'key') === 'value' ? 1 : 0;
  const reverse = truthy(argument(given, 2, 'reverse', false)) ? -1 : 1;
  const fold = (pair: TemplateValue): TemplateValue => {
    const key = sequenceOf(pair)?.[by] ?? null;
    return typeof key === 'string' ? key.toLowerCase() : key;
  };
  return entriesOf(value, 'dictsort', run).sort((left, right) => {
    run.budget.step();
    return order(fold(left), fold(right), run.budget) * reverse;
  });
}

export const COLLECTION_FILTERS: ReadonlyMap<string, RegistryFilter> = new Map<string, RegistryFilter>([
  ['length', lengthOf],
  ['count', lengthOf],
  ['first', (value, _given, run) => orUndefined(iterate(value, run.budget)[0], 'the first of an empty list')],
  ['last', (value, _given, run) => orUndefined(iterate(value, run.budget).at(-1), 'the last of an empty list')],
  ['list', (value, _given, run) => run.budget.items([...iterate(value, run.budget)])],
  [
    'reverse',
    (value, _given, run) => {
      const items = [...iterate(value, run.budget)].reverse();
      return typeof value === 'string' ? items.join('') : run.budget.items(items);
    },
  ],
  ['map', map],
  ['select', choose(false, true, 'select')],
  ['reject', choose(false, false, 'reject')],
  ['selectattr', choose(true, true, 'selectattr')],
  ['rejectattr', choose(true, false, 'rejectattr')],
  ['max', extreme(1)],
  ['min', extreme(-1)],
  ['sort', sort],
  ['unique', unique],
  ['sum', sum],
  ['average', average],
  ['join', join],
  ['flatten', (value, _given, run) => run.budget.items(flatten(value, run, 0))],
  ['items', (value, _given, run) => entriesOf(value, 'items', run)],
  ['dictsort', dictsort],
  ['contains', (value, given, run) => contains(argument(given, 0, 'value', null), value, run.budget)],
  [
    'iif',
    (value, given) => {
      if (value === null && given.positional.length > 2) return given.positional[2] ?? null;
      return truthy(value) ? argument(given, 0, 'if_true', true) : argument(given, 1, 'if_false', false);
    },
  ],
]);

/** An index as Python reads it: an integer, negative from the end. */
export function needIndex(value: TemplateValue): number {
  if (!isNumeric(value)) throw malformed(`expected an integer as an index, came ${typeName(value)}`);
  return numberOf(value);
}
