import type { Budget } from './budget.ts';
import { formatMoment } from './moment-format.ts';
import { floatRepr, intRepr } from './python-format.ts';
import { malformed, overloaded } from './template-fault.ts';
import {
  type DictKey,
  dictEntries,
  isDict,
  Moment,
  numberOf,
  sequenceOf,
  type TemplateValue,
  typeName,
  WholeFloat,
} from './value.ts';

export interface JsonLayout {
  readonly itemSeparator: string;
  readonly keySeparator: string;
  readonly sortKeys: boolean;
  readonly ascii: boolean;
}

function number(value: number): string {
  if (!Number.isFinite(value)) return 'null';
  return Number.isInteger(value) ? intRepr(value) : floatRepr(value);
}

function string(text: string, ascii: boolean): string {
  const quoted = JSON.stringify(text);
  if (!ascii) return quoted;
  return quoted.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function keyText(key: DictKey): string {
  if (typeof key === 'string') return key;
  return key === null ? 'null' : number(key);
}

/** JSON of a template value. Throws for what JSON cannot hold. */
export function jsonText(value: TemplateValue, layout: JsonLayout, budget: Budget): string {
  let length = 0;
  const write = (item: TemplateValue, depth: number): string => {
    budget.step();
    if (depth > budget.limits.maxDepth) throw overloaded(`expected data nested at most ${budget.limits.maxDepth} deep`);
    const made = one(item, depth);
    length += made.length;
    if (length > budget.limits.maxTextLength * 4) budget.reserveText(length);
    return made;
  };
  const one = (item: TemplateValue, depth: number): string => {
    if (item === null || typeof item === 'boolean') return String(item);
    if (typeof item === 'string') return string(item, layout.ascii);
    if (typeof item === 'number') return number(item);
    if (item instanceof WholeFloat) return floatRepr(numberOf(item));
    if (item instanceof Moment) return JSON.stringify(formatMoment(item, 'T'));
    const items = sequenceOf(item);
    if (items !== undefined) return `[${items.map((child) => write(child, depth + 1)).join(layout.itemSeparator)}]`;
    if (!isDict(item)) throw malformed(`expected a value that JSON can hold, came ${typeName(item)}`);
    const entries = dictEntries(item).map(([key, child]): [string, TemplateValue] => [keyText(key), child]);
    if (layout.sortKeys) entries.sort(([left], [right]) => (left < right ? -1 : 1));
    const parts = entries.map(
      ([key, child]) => `${string(key, layout.ascii)}${layout.keySeparator}${write(child, depth + 1)}`,
    );
    return `{${parts.join(layout.itemSeparator)}}`;
  };
  return budget.text(write(value, 0));
}
