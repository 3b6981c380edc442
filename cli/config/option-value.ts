import type { OptionSpec } from './options.ts';
import type { YamlSection } from './yaml-mapping.ts';

export type OptionValue = string | number | boolean | readonly string[] | YamlSection;

const WORDS = new Map([
  ['true', true],
  ['1', true],
  ['yes', true],
  ['on', true],
  ['false', false],
  ['0', false],
  ['no', false],
  ['off', false],
]);

/** Reads a flag's or a variable's text; undefined when it is not of the option's type. A list is separated by commas or spaces. */
export function parseOptionText(option: OptionSpec, text: string): OptionValue | undefined {
  switch (option.type) {
    case 'boolean':
      return WORDS.get(text.toLowerCase());
    case 'integer':
    case 'number':
      return text.trim() === '' || Number.isNaN(Number(text)) ? undefined : Number(text);
    case 'list':
      return text.split(/[\s,]+/).filter((item) => item !== '');
    case 'string':
      return text;
  }
}

/** What is wrong with the value, as "expected ...", or undefined. The same rules as the published JSON Schema. */
export function optionFault(option: OptionSpec, value: unknown): string | undefined {
  const { type, choices, pattern, minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = option;
  const expected = option.expected ?? choices?.join(' or ') ?? DEFAULT_EXPECTED[type];
  const fits = (item: unknown) =>
    typeof item === 'string' &&
    item !== '' &&
    (choices === undefined || choices.includes(item)) &&
    (pattern === undefined || new RegExp(pattern, 'u').test(item));
  const valid = {
    boolean: () => typeof value === 'boolean' || (option.section === true && isSection(value)),
    string: () => fits(value),
    list: () => fits(value) || (Array.isArray(value) && value.length <= MAX_LIST && value.every(fits)),
    number: () => typeof value === 'number' && value >= minimum && value <= maximum,
    integer: () => Number.isInteger(value) && Number(value) >= minimum && Number(value) <= maximum,
  }[type]();
  return valid ? undefined : `expected ${expected}`;
}

/** Only the file's reader makes one: what a mapping of its own says is checked by whoever reads it. */
export function isSection(value: unknown): value is YamlSection {
  return typeof value === 'object' && value !== null && 'text' in value;
}

/** Addresses of one list: more are a mistake, and each costs a socket. */
export const MAX_LIST = 32;

const DEFAULT_EXPECTED = {
  string: 'a text',
  boolean: 'true or false',
  integer: 'a whole number',
  number: 'a number',
  list: 'a text or a list of texts',
} as const;
