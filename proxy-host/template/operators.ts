import type { Budget } from './budget.ts';
import { printf } from './printf.ts';
import { pythonStr } from './python-format.ts';
import type { BinaryOperator, ComparisonOperator } from './syntax.ts';
import { malformed, overloaded } from './template-fault.ts';
import {
  Duration,
  dictEntries,
  dictGet,
  dictKey,
  dictSize,
  floatValue,
  isDict,
  isFloat,
  isList,
  isNumeric,
  Moment,
  numberOf,
  sequenceOf,
  type TemplateValue,
  Tuple,
  typeName,
  Undefined,
} from './value.ts';

function refuse(operator: string, left: TemplateValue, right: TemplateValue): never {
  throw malformed(`expected two values that "${operator}" works on, came ${typeName(left)} and ${typeName(right)}`);
}

export function binary(
  operator: BinaryOperator,
  left: TemplateValue,
  right: TemplateValue,
  budget: Budget,
): TemplateValue {
  if (operator === '~') return concatenate(pythonStr(left, budget), pythonStr(right, budget), budget);
  if (isNumeric(left) && isNumeric(right)) return arithmetic(operator, left, right);
  if (operator === '+') return plus(left, right, budget);
  if (operator === '-') return minus(left, right);
  if (operator === '*') return repeat(left, right, budget);
  if (operator === '%' && typeof left === 'string') {
    return printf(left, right instanceof Tuple ? right.items : [right], budget);
  }
  return refuse(operator, left, right);
}

function concatenate(left: string, right: string, budget: Budget): string {
  budget.reserveText(left.length + right.length);
  return left + right;
}

function arithmetic(
  operator: BinaryOperator,
  leftValue: Parameters<typeof numberOf>[0],
  rightValue: Parameters<typeof numberOf>[0],
): TemplateValue {
  const left = numberOf(leftValue);
  const right = numberOf(rightValue);
  const float = isFloat(leftValue) || isFloat(rightValue);
  const made = (value: number): TemplateValue => {
    if (float) return floatValue(value);
    if (!Number.isFinite(value)) throw overloaded('expected an integer of at most 308 digits, came a larger one');
    return value;
  };
  switch (operator) {
    case '+':
      return made(left + right);
    case '-':
      return made(left - right);
    case '*':
      return made(left * right);
    case '**':
      if (left === 0 && right < 0) throw malformed('expected a power of a number other than 0, came 0 ** a negative');
      return right < 0 ? floatValue(left ** right) : made(left ** right);
    default:
      if (right === 0) throw malformed('expected a divisor other than 0, came 0');
      if (operator === '/') return floatValue(left / right);
      if (operator === '//') return made(Math.floor(left / right));
      // Python's remainder has the sign of the divisor.
      return made(left - right * Math.floor(left / right));
  }
}

function plus(left: TemplateValue, right: TemplateValue, budget: Budget): TemplateValue {
  if (typeof left === 'string' && typeof right === 'string') return concatenate(left, right, budget);
  if (isList(left) && isList(right)) {
    budget.reserveItems(left.length + right.length);
    return [...left, ...right];
  }
  if (left instanceof Tuple && right instanceof Tuple) {
    budget.reserveItems(left.items.length + right.items.length);
    return new Tuple([...left.items, ...right.items]);
  }
  if (left instanceof Moment && right instanceof Duration)
    return new Moment(left.epochMs + right.ms, left.offsetMinutes);
  if (left instanceof Duration && right instanceof Moment) return plus(right, left, budget);
  if (left instanceof Duration && right instanceof Duration) return new Duration(left.ms + right.ms);
  return refuse('+', left, right);
}

function minus(left: TemplateValue, right: TemplateValue): TemplateValue {
  if (left instanceof Moment && right instanceof Moment) return new Duration(left.epochMs - right.epochMs);
  if (left instanceof Moment && right instanceof Duration)
    return new Moment(left.epochMs - right.ms, left.offsetMinutes);
  if (left instanceof Duration && right instanceof Duration) return new Duration(left.ms - right.ms);
  return refuse('-', left, right);
}

function repeat(left: TemplateValue, right: TemplateValue, budget: Budget): TemplateValue {
  if (isNumeric(left) && !isFloat(left))
    return isNumeric(right) ? refuse('*', left, right) : repeat(right, left, budget);
  if (!isNumeric(right) || isFloat(right)) return refuse('*', left, right);
  const count = Math.max(0, numberOf(right));
  if (typeof left === 'string') {
    budget.reserveText(left.length * count);
    return left.repeat(count);
  }
  const items = sequenceOf(left);
  if (items === undefined) return refuse('*', left, right);
  budget.reserveItems(items.length * count);
  const repeated: TemplateValue[] = [];
  for (let done = 0; done < count && items.length > 0; done += 1) repeated.push(...items);
  return left instanceof Tuple ? new Tuple(repeated) : repeated;
}

/** Python's `==`: numbers by value whatever their type, containers by content, undefined only with undefined. */
export function equal(left: TemplateValue, right: TemplateValue, budget: Budget, depth = 0): boolean {
  budget.step();
  if (left === right) return true;
  if (isNumeric(left) && isNumeric(right)) return numberOf(left) === numberOf(right);
  if (left instanceof Undefined || right instanceof Undefined) {
    return left instanceof Undefined && right instanceof Undefined;
  }
  if (left instanceof Moment && right instanceof Moment) return left.epochMs === right.epochMs;
  if (left instanceof Duration && right instanceof Duration) return left.ms === right.ms;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  if (depth >= budget.limits.maxDepth) throw overloaded(`expected data nested at most ${budget.limits.maxDepth} deep`);
  const leftItems = sequenceOf(left);
  const rightItems = sequenceOf(right);
  if (leftItems !== undefined && rightItems !== undefined) {
    return (
      left instanceof Tuple === right instanceof Tuple &&
      leftItems.length === rightItems.length &&
      leftItems.every((item, index) => equal(item, rightItems[index] ?? null, budget, depth + 1))
    );
  }
  if (!isDict(left) || !isDict(right) || dictSize(left) !== dictSize(right)) return false;
  return dictEntries(left).every(([key, item]) => {
    const other = dictGet(right, key);
    return other !== undefined && equal(item, other, budget, depth + 1);
  });
}

/** Negative, zero or positive. Throws for values that Python does not order. */
export function order(left: TemplateValue, right: TemplateValue, budget: Budget, depth = 0): number {
  if (isNumeric(left) && isNumeric(right)) return numberOf(left) - numberOf(right);
  if (typeof left === 'string' && typeof right === 'string') return left < right ? -1 : left > right ? 1 : 0;
  if (left instanceof Moment && right instanceof Moment) return left.epochMs - right.epochMs;
  if (left instanceof Duration && right instanceof Duration) return left.ms - right.ms;
  const leftItems = sequenceOf(left);
  const rightItems = sequenceOf(right);
  if (leftItems === undefined || rightItems === undefined) return refuse('<', left, right);
  if (depth >= budget.limits.maxDepth) throw overloaded(`expected data nested at most ${budget.limits.maxDepth} deep`);
  for (const [index, item] of leftItems.entries()) {
    budget.step();
    const other = rightItems[index];
    if (other === undefined) return 1;
    if (!equal(item, other, budget, depth + 1)) return order(item, other, budget, depth + 1);
  }
  return leftItems.length - rightItems.length;
}

export function contains(item: TemplateValue, container: TemplateValue, budget: Budget): boolean {
  if (typeof container === 'string') {
    if (typeof item !== 'string') return refuse('in', item, container);
    budget.step(1 + Math.floor(container.length / 64));
    return container.includes(item);
  }
  const items = sequenceOf(container);
  if (items !== undefined) {
    return items.some((candidate) => equal(item, candidate, budget));
  }
  if (isDict(container)) return dictGet(container, dictKey(item)) !== undefined;
  if (container instanceof Undefined) return false;
  return refuse('in', item, container);
}

export function compare(
  operator: ComparisonOperator,
  left: TemplateValue,
  right: TemplateValue,
  budget: Budget,
): boolean {
  switch (operator) {
    case '==':
      return equal(left, right, budget);
    case '!=':
      return !equal(left, right, budget);
    case 'in':
      return contains(left, right, budget);
    case 'not in':
      return !contains(left, right, budget);
    case '<':
      return order(left, right, budget) < 0;
    case '<=':
      return order(left, right, budget) <= 0;
    case '>':
      return order(left, right, budget) > 0;
    default:
      return order(left, right, budget) >= 0;
  }
}

/** Items of whatever Python can loop over. */
export function iterate(value: TemplateValue, budget: Budget): readonly TemplateValue[] {
  if (value instanceof Undefined) return [];
  const items = sequenceOf(value);
  if (items !== undefined) return items;
  if (typeof value === 'string') return budget.items([...value]);
  if (isDict(value)) return budget.items(dictEntries(value).map(([key]) => key));
  throw malformed(`expected something to loop over, came ${typeName(value)}`);
}
