import type { Budget } from './budget.ts';
import { formatDuration, formatMoment } from './moment-format.ts';
import { overloaded } from './template-fault.ts';
import {
  Duration,
  dictEntries,
  isDict,
  isList,
  Moment,
  Namespace,
  TemplateFunction,
  type TemplateValue,
  Tuple,
  Undefined,
  WholeFloat,
} from './value.ts';

/** Python's repr of a float: shortest digits that read back the same, positional from 1e-4 up to 1e16. */
export function floatRepr(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const [mantissa = '0', exponentText = '0'] = value.toExponential().split('e');
  const exponent = Number(exponentText);
  if (exponent >= -4 && exponent < 16) {
    // JavaScript is positional from 1e-6 up to 1e21, so in this range too.
    const text = String(value);
    return text.includes('.') ? text : `${text}.0`;
  }
  return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

export function intRepr(value: number): string {
  return Math.abs(value) < 1e21 ? String(value === 0 ? 0 : value) : BigInt(value).toString();
}

function stringRepr(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let out = quote;
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    if (char === '\\' || char === quote) out += `\\${char}`;
    else if (char === '\n') out += '\\n';
    else if (char === '\r') out += '\\r';
    else if (char === '\t') out += '\\t';
    else if (code < 0x20 || code === 0x7f) out += `\\x${code.toString(16).padStart(2, '0')}`;
    else out += char;
  }
  return out + quote;
}

/** Python's `str()`: what `{{ value }}` prints. */
export function pythonStr(value: TemplateValue, budget: Budget): string {
  if (typeof value === 'string') return value;
  return budget.text(repr(value, budget, 0));
}

export function pythonRepr(value: TemplateValue, budget: Budget): string {
  return budget.text(repr(value, budget, 0));
}

function repr(value: TemplateValue, budget: Budget, depth: number): string {
  if (typeof value === 'string') return stringRepr(value);
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return Number.isInteger(value) ? intRepr(value) : floatRepr(value);
  if (value instanceof WholeFloat) return floatRepr(value.value);
  if (value instanceof Undefined) return '';
  if (value instanceof Moment) return formatMoment(value, ' ');
  if (value instanceof Duration) return formatDuration(value);
  if (value instanceof TemplateFunction) return `<function ${value.name}>`;
  if (depth >= budget.limits.maxDepth) throw overloaded(`expected data nested at most ${budget.limits.maxDepth} deep`);
  if (isList(value)) return `[${reprItems(value, budget, depth)}]`;
  if (value instanceof Tuple) {
    return value.items.length === 1
      ? `(${reprItems(value.items, budget, depth)},)`
      : `(${reprItems(value.items, budget, depth)})`;
  }
  const entries = value instanceof Namespace ? [...value.members] : isDict(value) ? dictEntries(value) : [];
  const parts: string[] = [];
  let length = 0;
  for (const [key, item] of entries) {
    const part = `${repr(key, budget, depth + 1)}: ${repr(item, budget, depth + 1)}`;
    length += part.length;
    budget.reserveText(length);
    parts.push(part);
  }
  return `{${parts.join(', ')}}`;
}

function reprItems(items: readonly TemplateValue[], budget: Budget, depth: number): string {
  const parts: string[] = [];
  let length = 0;
  for (const item of items) {
    const part = repr(item, budget, depth + 1);
    length += part.length;
    budget.step();
    if (length > budget.limits.maxTextLength) budget.reserveText(length);
    parts.push(part);
  }
  return parts.join(', ');
}

/** Python's `str()` of what JSON holds besides text, lists and objects. */
export function pythonScalar(value: null | boolean | number): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return Number.isInteger(value) ? intRepr(value) : floatRepr(value);
}
