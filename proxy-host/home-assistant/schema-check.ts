import type { JsonValue } from '@pipevine/runtime';
import { Budget } from '../template/budget.ts';
import { compilePattern, matchAt } from '../template/pattern.ts';
import { TemplateFault } from '../template/template-fault.ts';
import { DEFAULT_TEMPLATE_LIMITS } from '../template/template-limits.ts';
import type { Schema } from './entity-plan.ts';
import { asObject } from './message.ts';
import { quoted } from './rejection.ts';

function show(value: JsonValue): string {
  if (typeof value === 'string') return quoted(value);
  const json = JSON.stringify(value);
  return json.length > 80 ? `${json.slice(0, 77)}...` : json;
}

/** Whether a text matches a foreign pattern from its start, within bounds. A pattern that cannot be read matches none. */
export function matchesPattern(pattern: string, text: string): boolean {
  const budget = new Budget(DEFAULT_TEMPLATE_LIMITS);
  try {
    return matchAt(compilePattern(pattern, false, budget), text, 0, budget) !== undefined;
  } catch (error) {
    if (error instanceof TemplateFault) return false;
    throw error;
  }
}

/**
 * A device's pattern as a schema's, if it can be enforced here. Home Assistant matches from the start of the text, a
 * schema anywhere: hence the anchor. Python's named groups would be an error to those who read the schema.
 */
export function patternSchema(pattern: string | undefined): { pattern?: string } {
  if (pattern === undefined || pattern.includes('(?P')) return {};
  try {
    compilePattern(pattern, false, new Budget(DEFAULT_TEMPLATE_LIMITS));
  } catch (error) {
    if (error instanceof TemplateFault) return {};
    throw error;
  }
  return { pattern: pattern.startsWith('^') && !pattern.includes('|') ? pattern : `^(?:${pattern})` };
}

const FORMATS: Readonly<Record<string, RegExp>> = {
  date: /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/,
  time: /^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?$/,
  'date-time':
    /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?(Z|[-+]\d{2}:\d{2})$/,
};

function isMultiple(value: number, step: number): boolean {
  const times = value / step;
  return Math.abs(times - Math.round(times)) < 1e-6 * Math.max(1, Math.abs(times));
}

/**
 * What was expected and what came, where `value` is none that `schema` allows; else undefined. With `isState` a number
 * may lie between two steps: steps bind those who set a value, not the device.
 */
export function misfit(schema: Schema, value: JsonValue, isState = false, path = 'value'): string | undefined {
  const expected = (what: string): string => `${path}: expected ${what}, came ${show(value)}`;
  if (schema.enum !== undefined && !schema.enum.includes(value)) {
    return expected(`one of ${schema.enum.slice(0, 40).map(show).join(', ')}`);
  }
  switch (schema.type) {
    case 'boolean':
      return typeof value === 'boolean' ? undefined : expected('true or false');
    case 'number':
    case 'integer':
      return numberMisfit(schema, value, isState, expected);
    case 'string':
      return stringMisfit(schema, value, isState, expected);
    case 'array':
      return arrayMisfit(schema, value, isState, path, expected);
    case 'object':
      return objectMisfit(schema, value, isState, path, expected);
    default:
      return undefined;
  }
}

type Expected = (what: string) => string;

function numberMisfit(schema: Schema, value: JsonValue, isState: boolean, expected: Expected): string | undefined {
  const { minimum, maximum, multipleOf } = schema;
  const range =
    minimum !== undefined && maximum !== undefined
      ? ` from ${minimum} to ${maximum}`
      : minimum !== undefined
        ? ` of at least ${minimum}`
        : maximum !== undefined
          ? ` of at most ${maximum}`
          : '';
  const kind = `${schema.type === 'integer' ? 'an integer' : 'a number'}${range}`;
  if (typeof value !== 'number' || !Number.isFinite(value)) return expected(kind);
  if (schema.type === 'integer' && !Number.isInteger(value)) return expected(kind);
  if ((minimum !== undefined && value < minimum) || (maximum !== undefined && value > maximum)) return expected(kind);
  if (!isState && multipleOf !== undefined && !isMultiple(value, multipleOf)) {
    return expected(`${kind} in steps of ${multipleOf}`);
  }
  return undefined;
}

function stringMisfit(schema: Schema, value: JsonValue, isState: boolean, expected: Expected): string | undefined {
  if (typeof value !== 'string') return expected('a string');
  const { minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern, format } = schema;
  if (value.length < minLength || value.length > maxLength) {
    return expected(`a string of ${minLength} to ${maxLength} characters`);
  }
  if (pattern !== undefined && !isState && !matchesPattern(pattern, value))
    return expected(`a string like ${quoted(pattern)}`);
  const rule = format === undefined ? undefined : FORMATS[format];
  return rule === undefined || rule.test(value) ? undefined : expected(`a ${format} as in ISO 8601`);
}

function arrayMisfit(
  schema: Schema,
  value: JsonValue,
  isState: boolean,
  path: string,
  expected: Expected,
): string | undefined {
  if (!Array.isArray(value)) return expected('a list');
  const { minItems = 0, maxItems = Number.POSITIVE_INFINITY, items } = schema;
  if (value.length < minItems || value.length > maxItems) return expected(`a list of ${minItems} items`);
  for (const [index, item] of value.entries()) {
    const itemSchema = isSchemaList(items) ? items[index] : items;
    // Array.isArray narrows a JsonValue to any[]: its items are JSON values.
    const found =
      itemSchema === undefined ? undefined : misfit(itemSchema, item as JsonValue, isState, `${path}[${index}]`);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isSchemaList(items: Schema['items']): items is readonly Schema[] {
  return Array.isArray(items);
}

function objectMisfit(
  schema: Schema,
  value: JsonValue,
  isState: boolean,
  path: string,
  expected: Expected,
): string | undefined {
  const object = asObject(value);
  if (object === undefined) return expected('an object');
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(object, name)) return expected(`an object with "${name}"`);
  }
  if (schema.properties === undefined) return undefined;
  for (const [name, item] of Object.entries(object)) {
    const known = Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
    if (known === undefined) {
      if (isState) continue;
      return `${path}: expected only ${Object.keys(schema.properties).join(', ')}, came ${quoted(name)}`;
    }
    const found = misfit(known, item, isState, `${path}.${name}`);
    if (found !== undefined) return found;
  }
  return undefined;
}
