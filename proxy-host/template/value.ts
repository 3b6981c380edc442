import type { Budget } from './budget.ts';
import { malformed } from './template-fault.ts';

/**
 * A float whose value is whole. A plain `number` that is whole is a Python int and any other `number` a Python float,
 * so only this case needs a box (`1.0` prints as `1.0`, `1` as `1`).
 */
export class WholeFloat {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

export class Tuple {
  readonly items: readonly TemplateValue[];
  constructor(items: readonly TemplateValue[]) {
    this.items = items;
  }
}

/** A name or member that is not there. Prints as nothing; most other uses of it fail. */
export class Undefined {
  readonly what: string;
  constructor(what: string) {
    this.what = what;
  }
}

/** `namespace()`: the only value that a template can change. */
export class Namespace {
  readonly members = new Map<string, TemplateValue>();
}

/** A point in time, with the offset from UTC in which it prints. */
export class Moment {
  readonly epochMs: number;
  /** Absent: a time of no known zone, taken as UTC. */
  readonly offsetMinutes: number | undefined;
  constructor(epochMs: number, offsetMinutes: number | undefined) {
    if (!(Math.abs(epochMs) <= 8.64e15)) throw malformed('expected a time between the years 1 and 9999');
    this.epochMs = epochMs;
    this.offsetMinutes = offsetMinutes;
  }
}

export class Duration {
  readonly ms: number;
  constructor(ms: number) {
    this.ms = ms;
  }
}

export interface CallArguments {
  readonly positional: readonly TemplateValue[];
  readonly named: ReadonlyMap<string, TemplateValue>;
}

/** What code outside the interpreter lends it: the time, and what is spent. */
export interface TemplateRun {
  readonly budget: Budget;
  readonly nowMs: number;
  readonly utcOffsetMinutes: (epochMs: number) => number;
}

export class TemplateFunction {
  readonly name: string;
  readonly call: (run: TemplateRun, given: CallArguments) => TemplateValue;
  constructor(name: string, call: (run: TemplateRun, given: CallArguments) => TemplateValue) {
    this.name = name;
    this.call = call;
  }
}

/** What JSON gives. Members are read as own properties only, never through a prototype. */
export interface JsonObject {
  readonly [key: string]: TemplateValue;
}

export type DictKey = string | number | null;

export type TemplateValue =
  | null
  | boolean
  | number
  | string
  | WholeFloat
  | Tuple
  | Undefined
  | Namespace
  | Moment
  | Duration
  | TemplateFunction
  | readonly TemplateValue[]
  | ReadonlyMap<DictKey, TemplateValue>
  | JsonObject;

export type Dict = ReadonlyMap<DictKey, TemplateValue> | JsonObject;

export function isList(value: TemplateValue): value is readonly TemplateValue[] {
  return Array.isArray(value);
}

/** A list or a tuple as an array; undefined for anything else. */
export function sequenceOf(value: TemplateValue): readonly TemplateValue[] | undefined {
  if (isList(value)) return value;
  return value instanceof Tuple ? value.items : undefined;
}

export function isDict(value: TemplateValue): value is Dict {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  if (value instanceof Map) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

export function dictKey(value: TemplateValue): DictKey {
  if (typeof value === 'string' || value === null) return value;
  if (isNumeric(value)) return numberOf(value);
  throw malformed('expected a string or a number as the key of a dictionary');
}

export function dictGet(dict: Dict, key: DictKey): TemplateValue | undefined {
  if (dict instanceof Map) return dict.get(key);
  // Not a Map, so what JSON.parse made: its members are its own enumerable properties.
  return typeof key === 'string' && Object.hasOwn(dict, key) ? (dict as JsonObject)[key] : undefined;
}

export function dictSize(dict: Dict): number {
  return dict instanceof Map ? dict.size : Object.keys(dict).length;
}

export function dictEntries(dict: Dict): [DictKey, TemplateValue][] {
  if (dict instanceof Map) return [...dict];
  return Object.entries(dict);
}

export function isNumeric(value: TemplateValue): value is number | boolean | WholeFloat {
  return typeof value === 'number' || typeof value === 'boolean' || value instanceof WholeFloat;
}

export function numberOf(value: number | boolean | WholeFloat): number {
  return value instanceof WholeFloat ? value.value : Number(value);
}

export function isFloat(value: TemplateValue): boolean {
  return value instanceof WholeFloat || (typeof value === 'number' && !Number.isInteger(value));
}

export function floatValue(value: number): TemplateValue {
  return Number.isInteger(value) ? new WholeFloat(value) : value;
}

/** `found`, or what the undefined `what` stands for. Not `??`: null is Python's None, a value like any other. */
export function orUndefined(found: TemplateValue | undefined, what: string): TemplateValue {
  return found === undefined ? new Undefined(what) : found;
}

/** The Python type's name, for messages. */
export function typeName(value: TemplateValue): string {
  if (value === null) return 'none';
  if (typeof value === 'string') return 'a string';
  if (typeof value === 'boolean') return 'a boolean';
  if (isNumeric(value)) return isFloat(value) ? 'a float' : 'an integer';
  if (value instanceof Undefined) return `${value.what}, which is undefined`;
  if (isList(value)) return 'a list';
  if (value instanceof Tuple) return 'a tuple';
  if (value instanceof TemplateFunction) return 'a function';
  if (value instanceof Moment) return 'a time';
  if (value instanceof Duration) return 'a duration';
  return value instanceof Namespace ? 'a namespace' : 'a dictionary';
}

export function truthy(value: TemplateValue): boolean {
  if (value === null || value === '' || value === false || value instanceof Undefined) return false;
  if (isNumeric(value)) return numberOf(value) !== 0;
  const sequence = sequenceOf(value);
  if (sequence !== undefined) return sequence.length > 0;
  if (value instanceof Duration) return value.ms !== 0;
  if (!isDict(value)) return true;
  if (value instanceof Map) return value.size > 0;
  for (const _key in value) return true;
  return false;
}

/** How many units of text or data a value holds at its top level: what looking through it costs. */
export function sizeOf(value: TemplateValue): number {
  if (typeof value === 'string') return value.length;
  const items = sequenceOf(value);
  if (items !== undefined) return items.length * 4;
  return isDict(value) ? dictSize(value) * 16 : 0;
}

/** The argument at `index`, or by `name`, or `fallback`. */
export function argument(given: CallArguments, index: number, name: string, fallback: TemplateValue): TemplateValue {
  const found = optionalArgument(given, index, name);
  return found === undefined ? fallback : found;
}

/** As `argument`, and `undefined` where the call gives none: for defaults that may themselves be none. */
export function optionalArgument(given: CallArguments, index: number, name: string): TemplateValue | undefined {
  if (index < given.positional.length) return given.positional[index];
  return given.named.get(name);
}
