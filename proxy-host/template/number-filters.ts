import { pythonRound, toFloat, toInteger } from './number-conversion.ts';
import { malformed } from './template-fault.ts';
import {
  argument,
  type CallArguments,
  floatValue,
  isFloat,
  isNumeric,
  numberOf,
  optionalArgument,
  type TemplateRun,
  type TemplateValue,
  truthy,
  typeName,
} from './value.ts';

export type Filter = (value: TemplateValue, given: CallArguments, run: TemplateRun) => TemplateValue;

function quote(value: TemplateValue): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : typeName(value);
}

function needNumber(value: TemplateValue, filter: string): number {
  const number = toFloat(value);
  if (number === undefined) {
    throw malformed(`expected a number for "${filter}", came ${quote(value)}: give it a default`);
  }
  return number;
}

function needInteger(value: TemplateValue, filter: string): number {
  if (!isNumeric(value) || isFloat(value)) throw malformed(`expected an integer for "${filter}", came ${quote(value)}`);
  return numberOf(value);
}

/** A filter of one float, with Home Assistant's optional default for what is no number. */
function real(name: string, defaultAt: number, compute: (value: number, given: CallArguments) => number): Filter {
  return (value, given) => {
    const number = toFloat(value);
    const made = number === undefined ? Number.NaN : compute(number, given);
    if (!Number.isNaN(made)) return floatValue(made);
    const fallback = optionalArgument(given, defaultAt, 'default');
    if (fallback !== undefined) return fallback;
    throw malformed(`expected a number that "${name}" takes, came ${quote(value)}: give it a default`);
  };
}

function round(value: TemplateValue, given: CallArguments): TemplateValue {
  const number = toFloat(value);
  if (number === undefined || !Number.isFinite(number)) {
    const fallback = optionalArgument(given, 2, 'default');
    if (fallback !== undefined) return fallback;
    throw malformed(`expected a number for "round", came ${quote(value)}: give it a default`);
  }
  const precision = needInteger(argument(given, 0, 'precision', 0), 'round');
  const multiplier = 10 ** Math.max(-300, Math.min(300, precision));
  const method = argument(given, 1, 'method', 'common');
  let rounded: number;
  if (method === 'ceil') rounded = Math.ceil(number * multiplier) / multiplier;
  else if (method === 'floor') rounded = Math.floor(number * multiplier) / multiplier;
  else if (method === 'half') rounded = pythonRound(number * 2, 0) / 2;
  else rounded = pythonRound(number, precision);
  return precision === 0 ? Math.trunc(rounded) : floatValue(rounded);
}

function bitwise(name: string, compute: (left: bigint, right: bigint) => bigint): Filter {
  return (value, given) => {
    const left = needInteger(value, name);
    const right = needInteger(argument(given, 0, 'second_value', null), name);
    return Number(compute(BigInt(left), BigInt(right)));
  };
}

function scaled(name: string, compute: (value: number, amount: number) => number): Filter {
  return (value, given) => {
    const amount = argument(given, 0, 'amount', null);
    const left = toFloat(value);
    const right = toFloat(amount);
    if (left === undefined || right === undefined) {
      const fallback = optionalArgument(given, 1, 'default');
      if (fallback !== undefined) return fallback;
      throw malformed(`expected two numbers for "${name}", came ${quote(value)} and ${quote(amount)}`);
    }
    return floatValue(compute(left, right));
  };
}

function ordinal(value: TemplateValue): TemplateValue {
  const number = needInteger(value, 'ordinal');
  const teen = Math.floor(Math.abs(number) / 10) % 10 === 1;
  const suffix = teen ? 'th' : (['th', 'st', 'nd', 'rd'][Math.abs(number) % 10] ?? 'th');
  return `${number}${suffix}`;
}

export const NUMBER_FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  [
    'float',
    (value, given) => {
      const number = toFloat(value);
      if (number !== undefined) return floatValue(number);
      const fallback = optionalArgument(given, 0, 'default');
      if (fallback !== undefined) return fallback;
      throw malformed(`expected a number for "float", came ${quote(value)}: give it a default`);
    },
  ],
  [
    'int',
    (value, given) => {
      const base = toInteger(argument(given, 1, 'base', 10), 10) ?? 10;
      const number = toInteger(value, base);
      if (number !== undefined) return number;
      const fallback = optionalArgument(given, 0, 'default');
      if (fallback !== undefined) return fallback;
      throw malformed(`expected a number for "int", came ${quote(value)}: give it a default`);
    },
  ],
  ['round', round],
  [
    'abs',
    (value) => {
      if (!isNumeric(value)) throw malformed(`expected a number for "abs", came ${quote(value)}`);
      const made = Math.abs(numberOf(value));
      return isFloat(value) ? floatValue(made) : made;
    },
  ],
  ['multiply', scaled('multiply', (value, amount) => value * amount)],
  ['add', scaled('add', (value, amount) => value + amount)],
  ['bitwise_and', bitwise('bitwise_and', (left, right) => left & right)],
  ['bitwise_or', bitwise('bitwise_or', (left, right) => left | right)],
  ['bitwise_xor', bitwise('bitwise_xor', (left, right) => left ^ right)],
  ['ordinal', ordinal],
  ['is_number', (value) => isFiniteNumber(value)],
  ['bool', (value, given) => toBoolean(value, given)],
  ['sqrt', real('sqrt', 0, Math.sqrt)],
  ['sin', real('sin', 0, Math.sin)],
  ['cos', real('cos', 0, Math.cos)],
  ['tan', real('tan', 0, Math.tan)],
  ['asin', real('asin', 0, Math.asin)],
  ['acos', real('acos', 0, Math.acos)],
  ['atan', real('atan', 0, Math.atan)],
  [
    'log',
    real('log', 1, (value, given) => {
      const base = argument(given, 0, 'base', Math.E);
      return value <= 0
        ? Number.NaN
        : base === 10
          ? Math.log10(value)
          : Math.log(value) / Math.log(needNumber(base, 'log'));
    }),
  ],
]);

export function isFiniteNumber(value: TemplateValue): boolean {
  const number = toFloat(value);
  return number !== undefined && Number.isFinite(number);
}

function toBoolean(value: TemplateValue, given: CallArguments): TemplateValue {
  if (typeof value === 'boolean') return value;
  if (isNumeric(value)) return truthy(value);
  const text = typeof value === 'string' ? value.trim().toLowerCase() : '';
  if (['true', 'yes', 'on', 'enable', '1'].includes(text)) return true;
  if (['false', 'no', 'off', 'disable', '0'].includes(text)) return false;
  const fallback = optionalArgument(given, 0, 'default');
  if (fallback !== undefined) return fallback;
  throw malformed(`expected a boolean for "bool", came ${quote(value)}: give it a default`);
}
