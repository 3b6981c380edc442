/**
 * The part of YAML 1.2 that a configuration needs: one mapping of keys to scalars or lists of scalars, each scalar on one
 * line. What is indented below a key that is named as a section is taken as text, for whoever reads that section. All that it takes means the same to every YAML reader; the rest of YAML it refuses by name. A complete parser would
 * be an eighth of what an edge peer may weigh.
 */
export interface MappingEntry {
  readonly key: string;
  readonly keyOffset: number;
  /** A scalar by the core schema (YAML 1.2.2, section 10.3), a list of them, or a section. */
  readonly value: Scalar | readonly Scalar[] | YamlSection;
  readonly valueOffset: number;
}

export type Scalar = string | number | boolean | null;

/** The indented lines below a key, not looked at yet. */
export interface YamlSection {
  readonly text: string;
  /** Number of its first line in the file, from 1. */
  readonly line: number;
}

export interface MappingFault {
  readonly offset: number;
  readonly message: string;
}

/** Reads a text up to its first fault. Nothing and comments alone give no entry. */
export function parseYamlMapping(
  text: string,
  sections: readonly string[] = [],
): {
  readonly entries: readonly MappingEntry[];
  readonly fault: MappingFault | undefined;
} {
  const reader = new MappingReader(text, sections);
  try {
    return { entries: reader.read(), fault: undefined };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { entries: reader.entries, fault: { offset: error.offset, message: error.message } };
  }
}

class Fault extends Error {
  readonly offset: number;

  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

const KEY = /(?:[A-Za-z0-9_][\w.-]*|"[^"\\\n]*"|'[^'\n]*')(?=[ \t]*:(?:[ \t\r\n]|$))/y;
/** What may follow a scalar on its line. */
const LINE_END = /[ \t]*(?:(?<=[ \t])#[^\n]*)?\r?(?:\n|$)/y;
const BLANK = /(?:[ \t]*(?:#[^\n]*)?\r?\n)*(?:[ \t]*(?:#[^\n]*)?$)?/y;
const DOUBLE_QUOTED = /"((?:[^"\\\n]|\\[^\n])*)"/y;
const SINGLE_QUOTED = /'((?:[^'\n]|'')*)'/y;
/** A plain scalar ends before a comment, and in a list before a comma or the bracket. */
const PLAIN = /(?:(?!\s#)[^\r\n])+/y;
const PLAIN_IN_LIST = /(?:(?!\s#)[^\r\n,[\]{}])+/y;
/** Lines that are blank, comments, or indented. */
const SECTION = /(?:[ \t]*(?:#[^\n]*)?\r?\n|[ \t]+[^\n]*(?:\n|$))*/y;
const FLOW_BLANK = /(?:\s|(?<=\s)#[^\n]*)*/y;

class MappingReader {
  readonly entries: MappingEntry[] = [];
  readonly #text: string;
  readonly #sections: readonly string[];
  #at: number;

  constructor(text: string, sections: readonly string[]) {
    this.#text = text;
    this.#sections = sections;
    this.#at = text.startsWith('\ufeff') ? 1 : 0;
  }

  read(): readonly MappingEntry[] {
    const seen = new Set<string>();
    this.#take(BLANK);
    this.#take(/---[ \t]*(?:#[^\n]*)?\r?(?:\n|$)/y);
    for (this.#take(BLANK); this.#at < this.#text.length; this.#take(BLANK)) {
      if (this.#take(/\.\.\.[ \t]*\r?(?:\n|$)/y) !== undefined) {
        this.#take(BLANK);
        if (this.#at < this.#text.length) this.#fail('expected nothing after "..."');
        break;
      }
      const keyOffset = this.#at;
      if (this.#take(/[ \t]+/y) !== undefined) {
        throw new Fault(
          keyOffset,
          'expected a key at the start of the line; a value stands on one line, after its key',
        );
      }
      const key =
        this.#take(KEY)?.replace(/^["']|["']$/g, '') ?? this.#fail('expected "key: value", such as "name: cellar"');
      if (seen.has(key)) throw new Fault(keyOffset, `"${key}" stands twice; keys must be unique`);
      seen.add(key);
      this.#take(/[ \t]*:[ \t]*/y);
      const valueOffset = this.#at;
      this.entries.push({ key, keyOffset, value: this.#value(this.#sections.includes(key)), valueOffset });
    }
    return this.entries;
  }

  #value(isSection: boolean): Scalar | readonly Scalar[] | YamlSection {
    if (this.#take(LINE_END) !== undefined || this.#take(/#[^\n]*\r?(?:\n|$)/y) !== undefined)
      return (isSection ? this.#section() : this.#blockList()) ?? null;
    const value = this.#text[this.#at] === '[' ? this.#flowList() : this.#scalar(PLAIN);
    if (this.#take(LINE_END) === undefined) this.#fail('expected the end of the line after the value');
    return value;
  }

  /** Undefined when nothing is indented. */
  #section(): YamlSection | undefined {
    const line = this.#text.slice(0, this.#at).split('\n').length;
    const text = this.#take(SECTION) ?? '';
    return /^[ \t]+[^\s#]/m.test(text) ? { text, line } : undefined;
  }

  /** Lines of `- value`; undefined when there is none. */
  #blockList(): readonly Scalar[] | undefined {
    const items: Scalar[] = [];
    let indent: string | undefined;
    for (;;) {
      const before = this.#at;
      this.#take(BLANK);
      const start = this.#at;
      const dash = this.#take(/ *-(?:[ \t]+|(?=\r?\n|$))/y);
      if (dash === undefined) {
        this.#at = before;
        return indent === undefined ? undefined : items;
      }
      const column = dash.slice(0, dash.indexOf('-'));
      if (indent !== undefined && column !== indent) throw new Fault(start, 'expected all "-" of a list in one column');
      indent = column;
      if (this.#take(LINE_END) !== undefined) items.push(null);
      else {
        items.push(this.#scalar(PLAIN));
        if (this.#take(LINE_END) === undefined) this.#fail('expected the end of the line after the value');
      }
    }
  }

  /** `[a, b]`, over several lines if need be. */
  #flowList(): readonly Scalar[] {
    const start = this.#at++;
    const items: Scalar[] = [];
    for (;;) {
      this.#take(FLOW_BLANK);
      if (this.#take(/\]/y) !== undefined) return items;
      if (this.#at >= this.#text.length) throw new Fault(start, 'expected "]" at the end of the list');
      items.push(this.#scalar(PLAIN_IN_LIST));
      this.#take(FLOW_BLANK);
      if (this.#take(/,/y) === undefined && this.#text[this.#at] !== ']') {
        if (this.#at >= this.#text.length) throw new Fault(start, 'expected "]" at the end of the list');
        this.#fail('expected "," or "]" in the list; put quotes around a text with brackets');
      }
    }
  }

  #scalar(plain: RegExp): Scalar {
    const start = this.#at;
    const first = this.#text[start] ?? '';
    if (first === '"') {
      const quoted = this.#take(DOUBLE_QUOTED) ?? this.#fail('expected a closing " on the same line');
      return quoted.slice(1, -1).replace(/\\(?:x..|u.{4}|U.{8}|.)/g, (sequence) => this.#unescape(sequence, start));
    }
    if (first === "'") {
      const quoted = this.#take(SINGLE_QUOTED) ?? this.#fail("expected a closing ' on the same line");
      return quoted.slice(1, -1).replaceAll("''", "'");
    }
    if (/[|>&*!%@`{}[\],#]/.test(first) || /^[-?:](?:\s|$)/.test(this.#text.slice(start, start + 2))) {
      this.#fail(`a value that starts with "${first}" must stand in quotes`);
    }
    const text = (this.#take(plain) ?? '').trimEnd();
    // What was trimmed may stand before a comment, which needs that space.
    this.#at = start + text.length;
    const nested = /:(?:\s|$)/.exec(text);
    if (nested !== null)
      throw new Fault(start + nested.index, 'expected a value, not another "key: value"; or put quotes around it');
    return plainScalar(text);
  }

  #unescape(sequence: string, at: number): string {
    const simple = ESCAPES[sequence[1] ?? ''];
    if (simple !== undefined) return simple;
    const code = /^\\[xuU]([0-9a-fA-F]+)$/.exec(sequence);
    const point = code === null ? Number.NaN : Number.parseInt(code[1] ?? '', 16);
    if (!(point <= 0x10ffff))
      throw new Fault(at, `"${sequence}" is no escape; a backslash is written \\\\, or the text in single quotes`);
    return String.fromCodePoint(point);
  }

  /** What the pattern matches here, and goes on behind it; undefined when it does not. */
  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const [found] = pattern.exec(this.#text) ?? [];
    if (found === undefined) return undefined;
    this.#at += found.length;
    return found;
  }

  #fail(message: string): never {
    throw new Fault(this.#at, message);
  }
}

/** YAML 1.2.2, section 5.7. */
const ESCAPES: Readonly<Record<string, string>> = {
  '0': '\0',
  a: '\x07',
  b: '\b',
  t: '\t',
  n: '\n',
  v: '\v',
  f: '\f',
  r: '\r',
  e: '\x1b',
  ' ': ' ',
  '"': '"',
  '/': '/',
  '\\': '\\',
  N: '\x85',
  _: '\xa0',
  L: '\u2028',
  P: '\u2029',
};

/** The core schema: null, true and false, numbers, else text. */
function plainScalar(text: string): Scalar {
  if (/^(?:~|null|Null|NULL)?$/.test(text)) return null;
  if (/^(?:true|True|TRUE)$/.test(text)) return true;
  if (/^(?:false|False|FALSE)$/.test(text)) return false;
  if (/^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/.test(text)) return Number(text);
  if (/^0o[0-7]+$|^0x[0-9a-fA-F]+$/.test(text)) return Number(text);
  if (/^[-+]?\.(?:inf|Inf|INF)$/.test(text))
    return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return /^\.(?:nan|NaN|NAN)$/.test(text) ? Number.NaN : text;
}
