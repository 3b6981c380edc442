import { COLLECTION_FILTERS, type Registry } from './collection-filters.ts';
import { isFiniteNumber, NUMBER_FILTERS } from './number-filters.ts';
import { iterate } from './operators.ts';
import { malformed, overloaded } from './template-fault.ts';
import { asDatetime, asTimestamp } from './time-filters.ts';
import {
  argument,
  type CallArguments,
  type DictKey,
  Duration,
  dictEntries,
  dictKey,
  floatValue,
  isDict,
  isNumeric,
  Moment,
  Namespace,
  numberOf,
  sequenceOf,
  TemplateFunction,
  type TemplateRun,
  type TemplateValue,
  Tuple,
  typeName,
} from './value.ts';

type Call = (run: TemplateRun, given: CallArguments) => TemplateValue;

/** Functions of Home Assistant that read its state machine or its registries. */
const UNAVAILABLE: ReadonlySet<string> = new Set([
  'states',
  'state_attr',
  'is_state',
  'is_state_attr',
  'has_value',
  'expand',
  'device_id',
  'device_attr',
  'is_device_attr',
  'device_entities',
  'area_id',
  'area_name',
  'area_entities',
  'area_devices',
  'integration_entities',
  'closest',
  'distance',
  'relative_time',
  'time_since',
  'time_until',
  'today_at',
]);

function integer(value: TemplateValue, name: string): number {
  if (!isNumeric(value)) throw malformed(`expected an integer for "${name}", came ${typeName(value)}`);
  return Math.trunc(numberOf(value));
}

function range(run: TemplateRun, given: CallArguments): TemplateValue {
  const [first = null, second, third] = given.positional;
  const start = second === undefined ? 0 : integer(first, 'range');
  const stop = integer(second === undefined ? first : second, 'range');
  const step = third === undefined ? 1 : integer(third, 'range');
  if (step === 0) throw malformed('expected a step other than 0 for "range", came 0');
  const count = Math.max(0, Math.ceil((stop - start) / step));
  if (!(count <= run.budget.limits.maxItems)) {
    throw overloaded(`expected a range of at most ${run.budget.limits.maxItems} numbers, came ${count}`);
  }
  run.budget.reserveItems(count);
  return Array.from({ length: count }, (_none, index) => start + index * step);
}

function dict(run: TemplateRun, given: CallArguments): TemplateValue {
  const made = new Map<DictKey, TemplateValue>();
  const [source] = given.positional;
  if (source !== undefined && isDict(source)) for (const [key, value] of dictEntries(source)) made.set(key, value);
  else if (source !== undefined) addPairs(made, source, run);
  for (const [name, value] of given.named) made.set(name, value);
  run.budget.reserveItems(made.size);
  return made;
}

function addPairs(made: Map<DictKey, TemplateValue>, source: TemplateValue, run: TemplateRun): void {
  for (const pair of iterate(source, run.budget)) {
    run.budget.step();
    const items = sequenceOf(pair);
    if (items?.length !== 2) throw malformed('expected pairs of a key and a value to make a dictionary');
    made.set(dictKey(items[0] ?? null), items[1] ?? null);
  }
}

function namespace(run: TemplateRun, given: CallArguments): TemplateValue {
  const made = new Namespace();
  const [source] = given.positional;
  if (source !== undefined && isDict(source)) {
    for (const [key, value] of dictEntries(source)) made.members.set(String(key), value);
  }
  for (const [name, value] of given.named) made.members.set(name, value);
  run.budget.reserveItems(made.members.size);
  return made;
}

function zip(run: TemplateRun, given: CallArguments): TemplateValue {
  const lists = given.positional.map((list) => iterate(list, run.budget));
  const count = lists.length === 0 ? 0 : Math.min(...lists.map((list) => list.length));
  run.budget.reserveItems(count * lists.length);
  return Array.from({ length: count }, (_none, index) => new Tuple(lists.map((list) => list[index] ?? null)));
}

function timedelta(_run: TemplateRun, given: CallArguments): TemplateValue {
  const unit = (index: number, name: string, ms: number): number => {
    const value = argument(given, index, name, 0);
    if (!isNumeric(value)) throw malformed(`expected a number of ${name} for "timedelta", came ${typeName(value)}`);
    return numberOf(value) * ms;
  };
  return new Duration(
    unit(0, 'days', 86_400_000) +
      unit(1, 'seconds', 1000) +
      unit(2, 'microseconds', 0.001) +
      unit(3, 'milliseconds', 1) +
      unit(4, 'minutes', 60_000) +
      unit(5, 'hours', 3_600_000) +
      unit(6, 'weeks', 604_800_000),
  );
}

/** A filter as a function: its first argument is the filter's value. */
function asFunction(name: string, registry: Registry): Call {
  return (run, given) => {
    if (given.positional.length === 0) throw malformed(`expected an argument for "${name}", came none`);
    return registry.filter(
      name,
      given.positional[0] ?? null,
      { positional: given.positional.slice(1), named: given.named },
      run,
    );
  };
}

/** `max(1, 2)` and `max([1, 2])` alike. */
function ofAll(name: string, registry: Registry): Call {
  return (run, given) => {
    const only = given.positional.length === 1 ? (given.positional[0] ?? null) : [...given.positional];
    return registry.filter(name, only, { positional: [], named: new Map() }, run);
  };
}

/** The global names of a template: functions and the constants pi and e. */
export function templateGlobals(registry: Registry): ReadonlyMap<string, TemplateValue> {
  const globals = new Map<string, TemplateValue>();
  const add = (name: string, call: Call): void => {
    globals.set(name, new TemplateFunction(name, call));
  };
  for (const name of NUMBER_FILTERS.keys()) add(name, asFunction(name, registry));
  for (const name of ['iif', 'average', 'flatten', 'contains']) {
    if (COLLECTION_FILTERS.has(name)) add(name, asFunction(name, registry));
  }
  for (const name of ['slugify', 'base64_encode', 'base64_decode', 'to_json', 'from_json']) {
    add(name, asFunction(name, registry));
  }
  add('max', ofAll('max', registry));
  add('min', ofAll('min', registry));
  add('is_number', (_run, given) => isFiniteNumber(given.positional[0] ?? null));
  add('range', range);
  add('dict', dict);
  add('dict.from_keys', dict);
  add('namespace', namespace);
  add('zip', zip);
  add('timedelta', timedelta);
  add('now', (run) => new Moment(run.nowMs, run.utcOffsetMinutes(run.nowMs)));
  add('utcnow', (run) => new Moment(run.nowMs, 0));
  add('as_timestamp', (_run, given) => asTimestamp(given.positional[0] ?? null, shifted(given)));
  add('as_datetime', (_run, given) => asDatetime(given.positional[0] ?? null, shifted(given)));
  for (const name of UNAVAILABLE) {
    add(name, () => {
      throw malformed(`expected only what the message carries, came ${name}(): it is not available here`);
    });
  }
  globals.set('pi', floatValue(Math.PI));
  globals.set('e', floatValue(Math.E));
  return globals;
}

function shifted(given: CallArguments): CallArguments {
  return { positional: given.positional.slice(1), named: given.named };
}
