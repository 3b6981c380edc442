import type { JsonValue } from '@pipevine/runtime';
import { toFloat } from '../template/number-conversion.ts';
import type { ConfigReader } from './config-reader.ts';

/** The message changes nothing: most often an empty payload. */
export const IGNORED = Symbol('ignored');
/** The message says something that the property cannot hold. */
export const MISFIT = Symbol('misfit');

/** What a payload means: a value, not known any more (undefined), nothing, or no sense. */
export type Reading = JsonValue | undefined | typeof IGNORED | typeof MISFIT;

/** Turns a payload, its template applied, into a value. */
export type Decode = (text: string) => Reading;

/** Payload with which a device says that it does not know. */
export const PAYLOAD_NONE = 'None';

export function textReading(text: string): Reading {
  return text === PAYLOAD_NONE ? undefined : text;
}

/** A text of which an empty one says nothing. */
export function filledTextReading(text: string): Reading {
  return text === '' ? IGNORED : textReading(text);
}

export function numberReading(text: string): Reading {
  if (text === '') return IGNORED;
  if (text === PAYLOAD_NONE) return undefined;
  const number = toFloat(text);
  return number !== undefined && Number.isFinite(number) ? number : MISFIT;
}

export function integerReading(text: string): Reading {
  const number = numberReading(text);
  return typeof number === 'number' ? Math.round(number) : number;
}

/** One of several payloads, each with its value. Payloads given as JSON booleans also match `true` and `false`. */
export function choiceReading(choices: readonly (readonly [payload: string, value: JsonValue])[]): Decode {
  return (text) => {
    const exact = choices.find(([payload]) => payload === text);
    if (exact !== undefined) return exact[1];
    if (text === '') return IGNORED;
    if (text === PAYLOAD_NONE) return undefined;
    const loose = choices.find(
      ([payload]) => (payload === 'True' || payload === 'False') && payload.toLowerCase() === text,
    );
    return loose === undefined ? MISFIT : loose[1];
  };
}

export function onOffReading(on: string, off: string): Decode {
  return choiceReading([
    [on, true],
    [off, false],
  ]);
}

/** A payload that means "unknown" besides `None`. */
export function resettable(reader: ConfigReader, key: string, decode: Decode): Decode {
  const reset = reader.textOr(key, PAYLOAD_NONE);
  return (text) => (text === reset ? undefined : decode(text));
}

/** `12,34,56` as a list of numbers. */
export function listReading(count: number): Decode {
  return (text) => {
    if (text === '') return IGNORED;
    if (text === PAYLOAD_NONE) return undefined;
    const parts = text.split(',').map((part) => toFloat(part));
    const numbers = parts.filter((part): part is number => part !== undefined && Number.isFinite(part));
    return parts.length === count && numbers.length === count ? numbers : MISFIT;
  };
}

/** A raw number between `low` and `high` (either way round) as a percentage, and back. */
export function percentOf(raw: number, low: number, high: number): number {
  const percent = ((raw - low) * 100) / (high - low);
  return Math.max(0, Math.min(100, Math.round(percent)));
}

export function fromPercent(percent: number, low: number, high: number): number {
  return Math.round(low + ((high - low) * percent) / 100);
}
