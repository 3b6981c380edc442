import type { Budget } from './budget.ts';
import { pythonRepr, pythonStr } from './python-format.ts';
import { malformed } from './template-fault.ts';
import { isNumeric, numberOf, type TemplateValue, typeName } from './value.ts';

/** How one number or text is laid out: the part that `%` formatting and `str.format` share. */
export interface FormatSpec {
  readonly type: string;
  readonly width: number;
  readonly precision: number | undefined;
  readonly align: '<' | '>' | '^' | '=' | undefined;
  readonly fill: string;
  readonly sign: '+' | ' ' | '';
  readonly alternate: boolean;
  readonly grouped: boolean;
}

const MAX_PRECISION = 100;

function digitsOf(value: number, spec: FormatSpec): string {
  const precision = Math.min(spec.precision ?? 6, MAX_PRECISION);
  switch (spec.type) {
    case 'd':
    case 'i':
    case 'u':
      return BigInt(Math.trunc(value)).toString();
    case 'x':
      return (spec.alternate ? '0x' : '') + BigInt(Math.trunc(value)).toString(16);
    case 'X':
      return (spec.alternate ? '0X' : '') + BigInt(Math.trunc(value)).toString(16).toUpperCase();
    case 'o':
      return (spec.alternate ? '0o' : '') + BigInt(Math.trunc(value)).toString(8);
    case 'b':
      return (spec.alternate ? '0b' : '') + BigInt(Math.trunc(value)).toString(2);
    case 'e':
    case 'E': {
      const text = value.toExponential(precision).replace(/e([-+])(\d)$/, 'e$10$2');
      return spec.type === 'E' ? text.toUpperCase() : text;
    }
    case 'g':
    case 'G':
      return String(Number(value.toPrecision(Math.max(1, precision))));
    case '%':
      return `${(value * 100).toFixed(precision)}%`;
    default:
      return Math.abs(value) < 1e21 ? value.toFixed(precision) : BigInt(Math.round(value)).toString();
  }
}

export function formatNumber(value: number, spec: FormatSpec): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
  let digits = digitsOf(Math.abs(value), spec);
  if (spec.grouped) digits = digits.replace(/^\d+/, (whole) => whole.replace(/\B(?=(\d{3})+$)/g, ','));
  const sign = value < 0 ? '-' : spec.sign;
  return pad(sign, digits, spec, '>');
}

export function pad(sign: string, text: string, spec: FormatSpec, usual: '<' | '>'): string {
  const missing = spec.width - sign.length - text.length;
  if (missing <= 0) return sign + text;
  const align = spec.align ?? usual;
  if (align === '=') return sign + spec.fill.repeat(missing) + text;
  const before = align === '>' ? missing : align === '^' ? Math.floor(missing / 2) : 0;
  return spec.fill.repeat(before) + sign + text + spec.fill.repeat(missing - before);
}

const DIRECTIVE = /%(?:\(([^)]*)\))?([-+ 0#]*)(\d{0,5})(?:\.(\d{1,5}))?[hlL]?([a-zA-Z%])/g;

/** Python's `text % values`. */
export function printf(text: string, values: readonly TemplateValue[], budget: Budget): string {
  let next = 0;
  let length = text.length;
  budget.reserveText(length);
  return text.replace(
    DIRECTIVE,
    (_whole, name: string | undefined, flags: string, width: string, precision: string | undefined, type: string) => {
      if (type === '%') return '%';
      if (name !== undefined) throw malformed(`expected directives without names, came %(${name.slice(0, 20)})`);
      if (!(next in values))
        throw malformed(`expected a value for each directive of "${text.slice(0, 40)}", came fewer`);
      const value = values[next] ?? null;
      next += 1;
      const spec: FormatSpec = {
        type,
        width: Number(width),
        precision: precision === undefined ? undefined : Number(precision),
        align: flags.includes('-') ? '<' : flags.includes('0') ? '=' : undefined,
        fill: flags.includes('0') && !flags.includes('-') ? '0' : ' ',
        sign: flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '',
        alternate: flags.includes('#'),
        grouped: false,
      };
      budget.reserveText(length + spec.width);
      const made = formatDirective(value, spec, budget);
      length += made.length;
      budget.reserveText(length);
      return made;
    },
  );
}

function formatDirective(value: TemplateValue, spec: FormatSpec, budget: Budget): string {
  if (spec.type === 's' || spec.type === 'r') {
    const text = spec.type === 's' ? pythonStr(value, budget) : pythonRepr(value, budget);
    const cut = spec.precision === undefined ? text : text.slice(0, spec.precision);
    return pad('', cut, { ...spec, fill: ' ', align: spec.align === '=' ? '>' : spec.align }, '>');
  }
  if (!'diuxXofFeEgG'.includes(spec.type)) throw malformed(`expected a known directive after %, came "${spec.type}"`);
  if (!isNumeric(value)) throw malformed(`expected a number for %${spec.type}, came ${typeName(value)}`);
  return formatNumber(numberOf(value), spec);
}

const FIELD = /\{\{|\}\}|\{([^{}:!]*)(?:![rs])?(?::([^{}]*))?\}/g;
const FIELD_SPEC = /^(?:(.)?([<>=^]))?([-+ ]?)(#?)(0?)(\d{0,5})(,?)(?:\.(\d{1,5}))?([a-zA-Z%]?)$/u;

/** Python's `text.format(...)`, with plain fields only: no attribute or item access. */
export function strFormat(
  text: string,
  positional: readonly TemplateValue[],
  named: ReadonlyMap<string, TemplateValue>,
  budget: Budget,
): string {
  let next = 0;
  let length = text.length;
  budget.reserveText(length);
  return text.replace(FIELD, (whole: string, field: string | undefined, layout: string | undefined) => {
    if (field === undefined) return whole.charAt(0);
    let value: TemplateValue | undefined;
    if (field === '') {
      value = positional[next];
      next += 1;
    } else value = /^\d+$/.test(field) ? positional[Number(field)] : named.get(field);
    if (value === undefined) throw malformed(`expected an argument for {${field}}, came none`);
    const made = formatField(value, layout ?? '', budget, length);
    length += made.length;
    budget.reserveText(length);
    return made;
  });
}

function formatField(value: TemplateValue, layout: string, budget: Budget, length: number): string {
  if (layout === '') return pythonStr(value, budget);
  const parts = FIELD_SPEC.exec(layout);
  if (parts === null) throw malformed(`expected a format such as 02d or .1f, came "${layout.slice(0, 20)}"`);
  const [, fill, align, sign = '', alternate, zero, width, grouped, precision, type = ''] = parts;
  const spec: FormatSpec = {
    type: type === '' && isNumeric(value) && precision !== undefined ? 'g' : type,
    width: Number(width),
    precision: precision === undefined ? undefined : Number(precision),
    // The expression admits these four characters only.
    align: (align as FormatSpec['align']) ?? (zero === '0' ? '=' : undefined),
    fill: fill ?? (zero === '0' ? '0' : ' '),
    sign: sign === '+' ? '+' : sign === ' ' ? ' ' : '',
    alternate: alternate === '#',
    grouped: grouped === ',',
  };
  budget.reserveText(length + spec.width);
  if (spec.type === '' || spec.type === 's') {
    const text = pythonStr(value, budget);
    const cut = spec.precision === undefined ? text : text.slice(0, spec.precision);
    if (!isNumeric(value) || typeof value === 'boolean') return pad('', cut, spec, '<');
    if (spec.grouped) return formatNumber(numberOf(value), { ...spec, type: 'd' });
    return cut.startsWith('-') ? pad('-', cut.slice(1), spec, '>') : pad(spec.sign, cut, spec, '>');
  }
  if (!isNumeric(value)) throw malformed(`expected a number for the format "${layout}", came ${typeName(value)}`);
  return formatNumber(numberOf(value), spec);
}
