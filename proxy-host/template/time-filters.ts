import { formatMoment, strftime } from './moment-format.ts';
import { toFloat } from './number-conversion.ts';
import type { Filter } from './number-filters.ts';
import { malformed } from './template-fault.ts';
import {
  argument,
  type CallArguments,
  floatValue,
  Moment,
  optionalArgument,
  type TemplateRun,
  type TemplateValue,
  truthy,
  typeName,
} from './value.ts';

const ISO =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?\s*(?:(Z)|([-+])(\d{2}):?(\d{2})?)?$/;

/** ISO 8601, or undefined where the text is not a date and time. */
export function parseMoment(text: string): Moment | undefined {
  const parts = ISO.exec(text.trim());
  if (parts === null) return undefined;
  const field = (index: number): number => Number(parts[index] ?? 0);
  const ms = Math.floor(Number(`0.${parts[7] ?? '0'}`) * 1000);
  const local = Date.UTC(field(1), field(2) - 1, field(3), field(4), field(5), field(6), ms);
  const made = new Date(local);
  // Date rolls 30 February over to March: such a text is no date.
  if (made.getUTCMonth() !== field(2) - 1 || made.getUTCDate() !== field(3) || field(4) > 23 || field(5) > 59) {
    return undefined;
  }
  if (parts[8] !== undefined) return new Moment(local, 0);
  if (parts[9] === undefined) return new Moment(local, undefined);
  const offset = (parts[9] === '-' ? -1 : 1) * (field(10) * 60 + field(11));
  return new Moment(local - offset * 60_000, offset);
}

function localMoment(epochMs: number, run: TemplateRun): Moment {
  return new Moment(epochMs, run.utcOffsetMinutes(epochMs));
}

/** Seconds since 1970 of a time, an ISO text or a number; undefined where it is none. */
function timestampOf(value: TemplateValue): number | undefined {
  if (value instanceof Moment) return value.epochMs / 1000;
  if (typeof value === 'string') {
    const moment = parseMoment(value);
    if (moment !== undefined) return moment.epochMs / 1000;
  }
  const number = toFloat(value);
  return number !== undefined && Math.abs(number) <= 8.64e12 ? number : undefined;
}

function orDefault(value: TemplateValue, given: CallArguments, at: number, name: string): TemplateValue {
  const fallback = optionalArgument(given, at, 'default');
  if (fallback !== undefined) return fallback;
  throw malformed(`expected a time for "${name}", came ${typeName(value)}: give it a default`);
}

function timestampFilter(name: string, local: boolean): Filter {
  return (value, given, run) => {
    const seconds = toFloat(value);
    if (seconds === undefined || !(Math.abs(seconds) <= 8.64e12)) return orDefault(value, given, 0, name);
    return formatMoment(local ? localMoment(seconds * 1000, run) : new Moment(seconds * 1000, 0), 'T');
  };
}

export function asDatetime(value: TemplateValue, given: CallArguments): TemplateValue {
  if (value instanceof Moment) return value;
  const number = toFloat(value);
  if (number !== undefined && Math.abs(number) <= 8.64e12) return new Moment(number * 1000, 0);
  const moment = typeof value === 'string' ? parseMoment(value) : undefined;
  return moment ?? optionalArgument(given, 0, 'default') ?? null;
}

export function asTimestamp(value: TemplateValue, given: CallArguments): TemplateValue {
  const seconds = timestampOf(value);
  return seconds === undefined ? orDefault(value, given, 0, 'as_timestamp') : floatValue(seconds);
}

export const TIME_FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ['as_datetime', asDatetime],
  ['as_timestamp', asTimestamp],
  [
    'as_local',
    (value, _given, run) => {
      if (!(value instanceof Moment)) throw malformed(`expected a time for "as_local", came ${typeName(value)}`);
      return localMoment(value.epochMs, run);
    },
  ],
  ['timestamp_local', timestampFilter('timestamp_local', true)],
  ['timestamp_utc', timestampFilter('timestamp_utc', false)],
  [
    'timestamp_custom',
    (value, given, run) => {
      const seconds = toFloat(value);
      if (seconds === undefined || !(Math.abs(seconds) <= 8.64e12))
        return orDefault(value, given, 2, 'timestamp_custom');
      const format = argument(given, 0, 'date_format', '%Y-%m-%d %H:%M:%S');
      if (typeof format !== 'string') throw malformed('expected a format string for "timestamp_custom"');
      const local = truthy(argument(given, 1, 'local', true));
      const moment = local ? localMoment(seconds * 1000, run) : new Moment(seconds * 1000, 0);
      return run.budget.text(strftime(moment, format));
    },
  ],
]);
