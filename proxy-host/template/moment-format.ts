import type { Duration, Moment } from './value.ts';

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

const two = (value: number): string => String(value).padStart(2, '0');

/** The moment's calendar fields in its own offset, read with the UTC getters of the result. */
export function calendarOf(moment: Moment): Date {
  return new Date(moment.epochMs + (moment.offsetMinutes ?? 0) * 60_000);
}

function offsetText(moment: Moment, separator: string): string {
  if (moment.offsetMinutes === undefined) return '';
  const minutes = Math.abs(moment.offsetMinutes);
  return `${moment.offsetMinutes < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}${separator}${two(minutes % 60)}`;
}

/** ISO 8601 as Python's `isoformat(separator)` writes it: six digits of a second, or none. */
export function formatMoment(moment: Moment, separator: string): string {
  const date = calendarOf(moment);
  const fraction = date.getUTCMilliseconds();
  const day = `${String(date.getUTCFullYear()).padStart(4, '0')}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`;
  const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
  return `${day}${separator}${time}${fraction === 0 ? '' : `.${String(fraction).padStart(3, '0')}000`}${offsetText(moment, ':')}`;
}

export function formatDuration(duration: Duration): string {
  const totalSeconds = Math.floor(duration.ms / 1000);
  const days = Math.floor(totalSeconds / 86_400);
  const rest = totalSeconds - days * 86_400;
  const time = `${Math.floor(rest / 3600)}:${two(Math.floor(rest / 60) % 60)}:${two(rest % 60)}`;
  return days === 0 ? time : `${days} day${Math.abs(days) === 1 ? '' : 's'}, ${time}`;
}

/** The directives of `strftime` that do not depend on a language, plus English names. Unknown ones stay as they are. */
export function strftime(moment: Moment, format: string): string {
  const date = calendarOf(moment);
  const hour12 = date.getUTCHours() % 12 === 0 ? 12 : date.getUTCHours() % 12;
  const startOfYear = Date.UTC(date.getUTCFullYear(), 0, 1);
  const weekday = date.getUTCDay();
  return format.replace(/%(-?[a-zA-Z%])/g, (whole, directive: string) => {
    switch (directive) {
      case 'Y':
        return String(date.getUTCFullYear());
      case 'y':
        return two(date.getUTCFullYear() % 100);
      case 'm':
        return two(date.getUTCMonth() + 1);
      case '-m':
        return String(date.getUTCMonth() + 1);
      case 'd':
        return two(date.getUTCDate());
      case '-d':
        return String(date.getUTCDate());
      case 'H':
        return two(date.getUTCHours());
      case '-H':
        return String(date.getUTCHours());
      case 'I':
        return two(hour12);
      case '-I':
        return String(hour12);
      case 'M':
        return two(date.getUTCMinutes());
      case 'S':
        return two(date.getUTCSeconds());
      case 'f':
        return `${String(date.getUTCMilliseconds()).padStart(3, '0')}000`;
      case 'p':
        return date.getUTCHours() < 12 ? 'AM' : 'PM';
      case 'z':
        return offsetText(moment, '');
      case 'Z':
        return moment.offsetMinutes === 0 ? 'UTC' : offsetText(moment, ':');
      case 'A':
        return DAYS[weekday] ?? '';
      case 'a':
        return (DAYS[weekday] ?? '').slice(0, 3);
      case 'B':
        return MONTHS[date.getUTCMonth()] ?? '';
      case 'b':
        return (MONTHS[date.getUTCMonth()] ?? '').slice(0, 3);
      case 'j':
        return String(Math.floor((date.getTime() - startOfYear) / 86_400_000) + 1).padStart(3, '0');
      case 'w':
        return String(weekday);
      case 'u':
        return String(weekday === 0 ? 7 : weekday);
      case 's':
        return String(Math.floor(moment.epochMs / 1000));
      case 'F':
        return formatMoment(moment, ' ').slice(0, 10);
      case 'T':
        return formatMoment(moment, ' ').slice(11, 19);
      case 'R':
        return formatMoment(moment, ' ').slice(11, 16);
      case '%':
        return '%';
      default:
        return whole;
    }
  });
}
