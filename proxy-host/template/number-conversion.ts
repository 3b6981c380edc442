import { isNumeric, numberOf, type TemplateValue } from './value.ts';

const FLOAT = /^[-+]?(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+(?:_\d+)*)(?:[eE][-+]?\d+)?$/;

/** Python's `float(value)`, or undefined where that fails. */
export function toFloat(value: TemplateValue): number | undefined {
  if (isNumeric(value)) return numberOf(value);
  if (typeof value !== 'string') return undefined;
  const text = value.trim();
  if (text.length > 400) return undefined;
  if (FLOAT.test(text)) return Number(text.replaceAll('_', ''));
  const special = /^([-+]?)(?:(inf|infinity)|nan)$/i.exec(text);
  if (special === null) return undefined;
  if (special[2] === undefined) return Number.NaN;
  return special[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** Jinja's `int(value, base)`: a text such as `3.7` counts as its float, cut off. Undefined where that fails. */
export function toInteger(value: TemplateValue, base: number): number | undefined {
  if (typeof value === 'string' && (base < 2 || base > 36)) return undefined;
  if (typeof value === 'string') {
    const prefix = base === 16 ? /^0[xX]/ : base === 2 ? /^0[bB]/ : base === 8 ? /^0[oO]/ : undefined;
    const parts = /^([-+]?)([0-9A-Za-z_]+)$/.exec(value.trim());
    const digits =
      parts?.[2]
        ?.replace(prefix ?? '', '')
        .replaceAll('_', '')
        .toLowerCase() ?? '';
    const valid = digits !== '' && digits.length <= 300 && [...digits].every((digit) => digitValue(digit) < base);
    if (valid) {
      let total = 0;
      for (const digit of digits) total = total * base + digitValue(digit);
      return parts?.[1] === '-' ? -total : total;
    }
    if (base !== 10) return undefined;
  }
  const float = toFloat(value);
  return float === undefined || !Number.isFinite(float) ? undefined : Math.trunc(float);
}

function digitValue(digit: string): number {
  const code = digit.charCodeAt(0);
  return code >= 48 && code <= 57 ? code - 48 : code >= 97 && code <= 122 ? code - 87 : 99;
}

/** Python's `round(value, digits)`: to the nearest decimal, exact ties to the even digit. */
export function pythonRound(value: number, digits: number): number {
  if (!Number.isFinite(value) || digits > 15 || Math.abs(value) >= 1e15) return value;
  if (digits < 0) {
    const unit = 10 ** Math.min(-digits, 300);
    return pythonRound(value / unit, 0) * unit;
  }
  const exact = Math.abs(value).toFixed(Math.min(100, digits + 60));
  const point = exact.indexOf('.');
  const kept = exact.slice(0, point + 1 + digits);
  const rest = exact.slice(point + 1 + digits);
  const isTie = /^50*$/.test(rest);
  const lastDigit = Number(kept.replace('.', '').at(-1));
  const up = isTie ? lastDigit % 2 === 1 : rest.charAt(0) >= '5';
  const rounded = up ? Number(Math.abs(value).toFixed(digits)) : Number(kept);
  // On a tie that goes up toFixed agrees: it takes the larger of two equally near.
  return value < 0 ? -rounded : rounded;
}
