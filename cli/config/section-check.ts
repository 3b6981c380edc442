import { nearestNames } from '../naming/nearest-name.ts';
import type { SectionSchema } from './board-schema.ts';
import { type YamlEntry, YamlFault, type YamlNode } from './yaml-block.ts';

/** A section's value as plain data. Mappings have no prototype, so that a key finds only what was written. */
export type SectionValue =
  | null
  | boolean
  | number
  | string
  | readonly SectionValue[]
  | { readonly [key: string]: SectionValue };

/** Checks a section against its schema. Throws `YamlFault` with the first fault's place and what was expected there. */
export function checkSection(node: YamlNode, schema: SectionSchema, what: string): SectionValue {
  switch (schema.type) {
    case 'object':
      return checkMapping(node, schema, what);
    case 'array':
      return checkList(node, schema, what);
    default:
      return checkScalar(node, schema, what);
  }
}

function checkMapping(node: YamlNode, schema: SectionSchema, what: string): SectionValue {
  if (node.kind !== 'mapping')
    throw new YamlFault(node, `"${what}": expected a mapping with ${listed(Object.keys(schema.properties ?? {}))}`);
  const values: { [key: string]: SectionValue } = Object.create(null);
  for (const [key, { key: place, value }] of node.entries) {
    const properties = schema.properties ?? {};
    const known = Object.hasOwn(properties, key) ? properties[key] : undefined;
    if (known === undefined) throw new YamlFault(place, unknownKey(key, what, Object.keys(properties)));
    values[key] = checkSection(value, known, key);
  }
  const missing = (schema.required ?? []).find((key) => !node.entries.has(key));
  if (missing !== undefined)
    throw new YamlFault(node, `"${what}": expected "${missing}" besides ${listed([...node.entries.keys()])}`);
  return values;
}

function checkList(node: YamlNode, { items, minItems = 0, maxItems = 0 }: SectionSchema, what: string): SectionValue {
  if (node.kind !== 'list' || items === undefined)
    throw new YamlFault(node, `"${what}": expected a list, each line of it with "- "`);
  if (node.items.length < minItems || node.items.length > maxItems) {
    throw new YamlFault(node, `"${what}": expected ${minItems} to ${maxItems} entries, not ${node.items.length}`);
  }
  return node.items.map((item) => checkSection(item, items, what));
}

function checkScalar(node: YamlNode, schema: SectionSchema, what: string): SectionValue {
  const value = node.kind === 'scalar' ? node.value : undefined;
  const { type, minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = schema;
  const number = typeof value === 'number' && value >= minimum && value <= maximum;
  const valid = {
    boolean: () => typeof value === 'boolean',
    integer: () => number && Number.isInteger(value),
    number: () => number,
    string: () =>
      typeof value === 'string' &&
      (schema.enum === undefined || schema.enum.includes(value)) &&
      (schema.pattern === undefined || new RegExp(schema.pattern, 'u').test(value)),
  };
  if (type !== 'object' && type !== 'array' && valid[type]() && value !== undefined) return value;
  const came = value === undefined ? 'a nested value' : value === null ? 'nothing' : JSON.stringify(value).slice(0, 80);
  throw new YamlFault(node, `"${what}": expected ${expected(schema)}, not ${came}`);
}

function expected({ type, minimum, maximum, pattern, description, ...schema }: SectionSchema): string {
  if (schema.enum !== undefined) return schema.enum.join(' or ');
  if (type === 'boolean') return 'true or false';
  if (type === 'string')
    return `text${description === undefined ? '' : ` (${description})`}${pattern === undefined ? '' : ` that matches ${pattern}`}`;
  return `${type === 'integer' ? 'a whole number' : 'a number'} from ${minimum} to ${maximum}`;
}

function unknownKey(key: string, what: string, known: readonly string[]): string {
  const [near] = nearestNames(key.replaceAll('_', '-'), known, 1);
  return `"${what}" has no "${key.slice(0, 80)}"; ${near === undefined ? `known are ${known.join(', ')}` : `did you mean "${near}"?`}`;
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'nothing' : names.join(', ');
}

/** The entry of a mapping, for faults that a schema does not know. */
export function entryOf(node: YamlNode | undefined, key: string): YamlEntry | undefined {
  return node?.kind === 'mapping' ? node.entries.get(key) : undefined;
}

export function itemsOf(node: YamlNode | undefined): readonly YamlNode[] {
  return node?.kind === 'list' ? node.items : [];
}
