import { PipevineError } from '../error/pipevine-error.ts';
import { MAX_CHECK_STEPS, MAX_PATTERN_SUBJECT } from './thing-defaults.ts';
import type { DataSchema, JsonValue } from './thing-description.ts';

export interface ValueCheckOptions {
  /**
   * Whether patterns are tried. Only for schemas that this process wrote itself: the pattern of a stranger can take for
   * ever. Default false.
   */
  readonly patterns?: boolean;
}

/**
 * Checks a value against a data schema (TD 1.1, section 5.3.2). Throws `invalid-argument`, saying where, what was
 * expected and what came. `what` names the value, for example `property "power"`. Cost is bounded: a schema that asks for
 * more than MAX_CHECK_STEPS comparisons counts as met for the rest.
 */
export function checkValue(
  schema: DataSchema,
  value: JsonValue | undefined,
  what: string,
  options?: ValueCheckOptions,
): void {
  const check = new ValueCheck(options?.patterns === true);
  const fault = check.fault(schema, value, '');
  if (fault === undefined) return;
  const where = fault.at === '' ? '' : ` at ${fault.at}`;
  throw new PipevineError(
    'invalid-argument',
    `The value of ${what}${where} must be ${fault.expected}${schema.unit === undefined ? '' : ` (in ${schema.unit})`}, not ${shown(fault.value)}.`,
  );
}

interface Fault {
  readonly at: string;
  readonly expected: string;
  readonly value: JsonValue | undefined;
}

class ValueCheck {
  readonly #patterns: boolean;
  #stepsLeft = MAX_CHECK_STEPS;

  constructor(patterns: boolean) {
    this.#patterns = patterns;
  }

  fault(schema: DataSchema, value: JsonValue | undefined, at: string): Fault | undefined {
    if (this.#stepsLeft-- <= 0) return undefined;
    const expected = this.#expectation(schema, value);
    if (expected !== undefined) return { at, expected, value };
    if (schema.oneOf !== undefined && schema.oneOf.length > 0) {
      const faults = schema.oneOf.map((one) => this.fault(one, value, at));
      if (!faults.includes(undefined)) {
        const first = faults.find((fault) => fault !== undefined && fault.at !== at) ?? faults[0];
        return faults.length === 1 && first
          ? first
          : { at, expected: [...new Set(faults.map((fault) => fault?.expected))].join(', or '), value };
      }
    }
    if (Array.isArray(value)) return this.#membersFault(schema, value, at);
    if (typeof value === 'object' && value !== null) {
      // Not null, not an array: an object of JSON values.
      return this.#entriesFault(schema, value as { readonly [name: string]: JsonValue }, at);
    }
    return undefined;
  }

  #membersFault(schema: DataSchema, value: readonly JsonValue[], at: string): Fault | undefined {
    const { items } = schema;
    if (items === undefined) return undefined;
    for (const [index, entry] of value.entries()) {
      // Array.isArray loses the element type of a readonly array.
      const one = Array.isArray(items) ? (items as readonly DataSchema[])[index] : (items as DataSchema);
      const fault = one && this.fault(one, entry, `${at}/${index}`);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }

  #entriesFault(schema: DataSchema, value: { readonly [name: string]: JsonValue }, at: string): Fault | undefined {
    for (const name of schema.required ?? []) {
      if (!Object.hasOwn(value, name)) return { at: `${at}/${name}`, expected: 'given', value: undefined };
    }
    for (const [name, one] of Object.entries(schema.properties ?? {})) {
      const fault = Object.hasOwn(value, name) ? this.fault(one, value[name], `${at}/${name}`) : undefined;
      if (fault !== undefined) return fault;
    }
    return undefined;
  }

  /** What the schema itself, without what is nested in it, expects and the value is not. */
  #expectation(schema: DataSchema, value: JsonValue | undefined): string | undefined {
    if (schema.enum !== undefined && !schema.enum.some((choice) => this.#equal(choice, value))) {
      const choices = schema.enum.slice(0, 20).map(shown).join(', ');
      return schema.enum.length === 1 ? choices : `one of ${choices}${schema.enum.length > 20 ? ', ...' : ''}`;
    }
    if (schema.const !== undefined && !this.#equal(schema.const, value)) return shown(schema.const);
    if (schema.type !== undefined && !hasType(schema.type, value)) {
      return schema.type === 'number' || schema.type === 'integer' ? rangeOf(schema) : `of type ${schema.type}`;
    }
    if (value === undefined) return schema.type === undefined ? undefined : `of type ${schema.type}`;
    if (typeof value === 'number') return numberFits(schema, value) ? undefined : rangeOf(schema);
    if (typeof value === 'string') return this.#textExpectation(schema, value);
    if (Array.isArray(value)) return countExpectation(value.length, schema.minItems, schema.maxItems, 'members');
    return undefined;
  }

  #textExpectation(schema: DataSchema, value: string): string | undefined {
    if (schema.minLength !== undefined || schema.maxLength !== undefined) {
      // JSON Schema counts characters, not UTF-16 units.
      const length = [...value].length;
      const expected = countExpectation(length, schema.minLength, schema.maxLength, 'characters');
      if (expected !== undefined) return expected;
    }
    if (!this.#patterns || schema.pattern === undefined) return undefined;
    if (value.length > MAX_PATTERN_SUBJECT) return `text of at most ${MAX_PATTERN_SUBJECT} characters`;
    return patternFits(schema.pattern, value) ? undefined : `text that matches ${schema.pattern}`;
  }

  #equal(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
    if (a === b) return true;
    if (this.#stepsLeft-- <= 0) return true;
    if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
    const left = Object.entries(a);
    // An array and an object differ by the former's nature, not by their entries.
    if (Array.isArray(a) !== Array.isArray(b) || left.length !== Object.keys(b).length) return false;
    const right = new Map<string, JsonValue>(Object.entries(b));
    return left.every(([name, entry]) => right.has(name) && this.#equal(entry, right.get(name)));
  }
}

function hasType(type: NonNullable<DataSchema['type']>, value: JsonValue | undefined): boolean {
  switch (type) {
    case 'null':
      return value === null;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'integer':
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}

function numberFits(schema: DataSchema, value: number): boolean {
  if (schema.minimum !== undefined && value < schema.minimum) return false;
  if (schema.maximum !== undefined && value > schema.maximum) return false;
  if (schema.exclusiveMinimum !== undefined && value <= schema.exclusiveMinimum) return false;
  if (schema.exclusiveMaximum !== undefined && value >= schema.exclusiveMaximum) return false;
  if (schema.multipleOf === undefined) return true;
  // 0.3 / 0.1 is not whole in binary: what is whole up to the rounding of a double is meant to be.
  const steps = value / schema.multipleOf;
  return Math.abs(steps - Math.round(steps)) <= 1e-9 * Math.max(1, Math.abs(steps));
}

function rangeOf(schema: DataSchema): string {
  const parts = [schema.type === 'integer' ? 'a whole number' : 'a number'];
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  if (minimum !== undefined && maximum !== undefined) parts.push(`from ${minimum} to ${maximum}`);
  else if (minimum !== undefined) parts.push(`of at least ${minimum}`);
  else if (maximum !== undefined) parts.push(`of at most ${maximum}`);
  if (exclusiveMinimum !== undefined) parts.push(`above ${exclusiveMinimum}`);
  if (exclusiveMaximum !== undefined) parts.push(`below ${exclusiveMaximum}`);
  if (multipleOf !== undefined) parts.push(`in steps of ${multipleOf}`);
  return parts.join(' ');
}

function countExpectation(
  count: number,
  min: number | undefined,
  max: number | undefined,
  unit: string,
): string | undefined {
  if (min !== undefined && count < min) return `at least ${min} ${unit} long`;
  return max !== undefined && count > max ? `at most ${max} ${unit} long` : undefined;
}

function patternFits(pattern: string, value: string): boolean {
  try {
    return new RegExp(pattern, 'u').test(value);
  } catch {
    // Not a pattern of ECMA-262: it says nothing that could be checked.
    return true;
  }
}

function shown(value: JsonValue | undefined): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
