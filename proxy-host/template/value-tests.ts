import { needIndex } from './collection-filters.ts';
import { isFiniteNumber } from './number-filters.ts';
import { contains, equal, order } from './operators.ts';
import { compilePattern, matchAt, search } from './pattern.ts';
import { malformed } from './template-fault.ts';
import {
  argument,
  type CallArguments,
  isDict,
  isFloat,
  isList,
  isNumeric,
  Moment,
  numberOf,
  sequenceOf,
  type TemplateRun,
  type TemplateValue,
  truthy,
  Undefined,
} from './value.ts';

export type ValueTest = (value: TemplateValue, given: CallArguments, run: TemplateRun) => boolean;

const other = (given: CallArguments): TemplateValue => argument(given, 0, 'other', null);

function ordered(holds: (order: number) => boolean): ValueTest {
  return (value, given, run) => holds(order(value, other(given), run.budget));
}

function modulo(divisor: number, remainder: number): ValueTest {
  return (value) => Math.abs(needIndex(value) % divisor) === remainder;
}

function matches(anchored: boolean): ValueTest {
  return (value, given, run) => {
    const find = argument(given, 0, 'find', '');
    if (typeof value !== 'string' || typeof find !== 'string') throw malformed('expected two strings for this test');
    const pattern = compilePattern(find, truthy(argument(given, 1, 'ignorecase', false)), run.budget);
    return (anchored ? matchAt(pattern, value, 0, run.budget) : search(pattern, value, 0, run.budget)) !== undefined;
  };
}

const isEqual: ValueTest = (value, given, run) => equal(value, other(given), run.budget);
const isUnequal: ValueTest = (value, given, run) => !equal(value, other(given), run.budget);
const greater = ordered((sign) => sign > 0);
const less = ordered((sign) => sign < 0);
const atLeast = ordered((sign) => sign >= 0);
const atMost = ordered((sign) => sign <= 0);

/** What may stand after `is`. */
export const VALUE_TESTS: ReadonlyMap<string, ValueTest> = new Map<string, ValueTest>([
  ['defined', (value) => !(value instanceof Undefined)],
  ['undefined', (value) => value instanceof Undefined],
  ['none', (value) => value === null],
  ['boolean', (value) => typeof value === 'boolean'],
  ['true', (value) => value === true],
  ['false', (value) => value === false],
  ['number', (value) => isNumeric(value)],
  ['integer', (value) => isNumeric(value) && typeof value !== 'boolean' && !isFloat(value)],
  ['float', isFloat],
  ['string', (value) => typeof value === 'string'],
  ['mapping', (value) => isDict(value)],
  ['sequence', (value) => typeof value === 'string' || sequenceOf(value) !== undefined || isDict(value)],
  ['iterable', (value) => typeof value === 'string' || sequenceOf(value) !== undefined || isDict(value)],
  ['list', (value) => isList(value)],
  ['datetime', (value) => value instanceof Moment],
  ['is_number', (value) => isFiniteNumber(value)],
  ['odd', modulo(2, 1)],
  ['even', modulo(2, 0)],
  [
    'divisibleby',
    (value, given) => {
      const divisor = needIndex(argument(given, 0, 'num', null));
      if (divisor === 0) throw malformed('expected a divisor other than 0, came 0');
      return needIndex(value) % divisor === 0;
    },
  ],
  ['in', (value, given, run) => contains(value, other(given), run.budget)],
  ['contains', (value, given, run) => contains(other(given), value, run.budget)],
  ['eq', isEqual],
  ['equalto', isEqual],
  ['ne', isUnequal],
  ['gt', greater],
  ['greaterthan', greater],
  ['ge', atLeast],
  ['lt', less],
  ['lessthan', less],
  ['le', atMost],
  [
    'sameas',
    (value, given) => {
      const same = other(given);
      return isNumeric(value) && isNumeric(same)
        ? typeof value === typeof same && numberOf(value) === numberOf(same)
        : value === same;
    },
  ],
  ['lower', (value) => typeof value === 'string' && value === value.toLowerCase() && value !== value.toUpperCase()],
  ['upper', (value) => typeof value === 'string' && value === value.toUpperCase() && value !== value.toLowerCase()],
  ['match', matches(true)],
  ['search', matches(false)],
]);
