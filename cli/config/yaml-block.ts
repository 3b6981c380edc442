import { parseYamlMapping, type Scalar, type YamlSection } from './yaml-mapping.ts';

/** Where something stands in the file, both from 1. */
export interface YamlPlace {
  readonly line: number;
  readonly column: number;
}

/** A value of a section, and where it stands. */
export type YamlNode = YamlPlace &
  (
    | { readonly kind: 'scalar'; readonly value: Scalar }
    | { readonly kind: 'list'; readonly items: readonly YamlNode[] }
    | { readonly kind: 'mapping'; readonly entries: ReadonlyMap<string, YamlEntry> }
  );

export interface YamlEntry {
  readonly key: YamlPlace;
  readonly value: YamlNode;
}

/** What is wrong in a section, and where. */
export class YamlFault extends Error {
  readonly place: YamlPlace;

  constructor({ line, column }: YamlPlace, message: string) {
    super(message);
    this.place = { line, column };
  }
}

/** A section nests no deeper; hostile ones must not exhaust the stack. */
const MAX_DEPTH = 8;
const MAX_LINES = 2_000;

const KEY_BEGINS = /^(?:[A-Za-z0-9_][\w.-]*|"[^"\\]*"|'[^']*')[ \t]*:(?:\s|$)/;
const DASH = /^-(?:[ ]+|$)/;

/**
 * Reads a section: mappings and lists nested by indentation, each key and scalar on one line, lists also as `[a, b]`. Keys
 * and scalars are those of the flat mapping. Throws `YamlFault`.
 */
export function parseYamlBlock(section: YamlSection): YamlNode {
  const lines = new Lines(section);
  const node = block(lines, 0, MAX_DEPTH);
  const rest = lines.next();
  if (rest !== undefined)
    throw new YamlFault(rest, 'expected no more indentation than the lines of the same mapping have');
  return node ?? { kind: 'scalar', value: null, line: section.line, column: 1 };
}

/** A line that says something; `column` is where its text begins. */
interface Line extends YamlPlace {
  readonly text: string;
}

class Lines {
  readonly #lines: Line[] = [];
  #at = 0;

  constructor({ text, line: first }: YamlSection) {
    for (const [index, raw] of text.split('\n').entries()) {
      const content = raw.replace(/\r$/, '');
      const start = content.search(/\S/);
      if (start === -1 || content[start] === '#') continue;
      const place = { line: first + index, column: start + 1 };
      if (content.slice(0, start).includes('\t'))
        throw new YamlFault(place, 'expected spaces before the text, not tabs');
      if (this.#lines.length >= MAX_LINES)
        throw new YamlFault(place, `expected at most ${MAX_LINES} lines in a section`);
      this.#lines.push({ ...place, text: content.slice(start) });
    }
  }

  /** The line that comes next, without taking it. */
  next(): Line | undefined {
    return this.#lines[this.#at];
  }

  skip(): void {
    this.#at++;
  }

  /** Puts what stands behind a dash in its place. */
  replace(line: Line): void {
    this.#lines[this.#at] = line;
  }
}

/** The list or mapping that begins in a column beyond `parent`; undefined when nothing does. */
function block(lines: Lines, parent: number, depthLeft: number): YamlNode | undefined {
  const first = lines.next();
  if (first === undefined || first.column <= parent) return undefined;
  return DASH.test(first.text) ? list(lines, first, depthLeft) : mapping(lines, first, depthLeft);
}

function list(lines: Lines, first: Line, depthLeft: number, belowKey = false): YamlNode {
  if (depthLeft <= 0) throw new YamlFault(first, `expected at most ${MAX_DEPTH} levels of indentation`);
  const items: YamlNode[] = [];
  for (let line = lines.next(); line?.column === first.column; line = lines.next()) {
    const [dash] = DASH.exec(line.text) ?? [];
    // The next key of the mapping whose value this list is.
    if (dash === undefined && belowKey) break;
    if (dash === undefined) throw new YamlFault(line, 'expected all lines of this list to begin with "- "');
    const rest = { line: line.line, column: line.column + dash.length, text: line.text.slice(dash.length) };
    if (rest.text === '' || rest.text.startsWith('#')) {
      lines.skip();
      items.push(
        block(lines, line.column, depthLeft - 1) ?? {
          kind: 'scalar',
          value: null,
          line: line.line,
          column: rest.column,
        },
      );
    } else if (KEY_BEGINS.test(rest.text)) {
      lines.replace(rest);
      items.push(mapping(lines, rest, depthLeft - 1));
    } else {
      lines.skip();
      items.push(flat(rest, `k: ${rest.text}`, -3).value);
    }
  }
  return { kind: 'list', items, line: first.line, column: first.column };
}

function mapping(lines: Lines, first: Line, depthLeft: number): YamlNode {
  if (depthLeft <= 0) throw new YamlFault(first, `expected at most ${MAX_DEPTH} levels of indentation`);
  const entries = new Map<string, YamlEntry>();
  for (let line = lines.next(); line?.column === first.column; line = lines.next()) {
    if (DASH.test(line.text)) throw new YamlFault(line, 'expected "key: value" as in the lines before, not "- "');
    const { key, value, empty } = flat(line, line.text, 0);
    if (entries.has(key)) throw new YamlFault(line, `"${key}" stands twice; keys must be unique`);
    lines.skip();
    const nested = empty
      ? (sameColumnList(lines, line, depthLeft) ?? block(lines, line.column, depthLeft - 1))
      : undefined;
    entries.set(key, { key: { line: line.line, column: line.column }, value: nested ?? value });
  }
  return { kind: 'mapping', entries, line: first.line, column: first.column };
}

/** A list as the value of a key may begin in the key's own column (YAML 1.2.2, section 8.2.2). */
function sameColumnList(lines: Lines, key: Line, depthLeft: number): YamlNode | undefined {
  const next = lines.next();
  return next?.column === key.column && DASH.test(next.text) ? list(lines, next, depthLeft - 1, true) : undefined;
}

/** One line `key: value`, by the reader of flat mappings; `shift` is what `text` has more than the line. */
function flat(line: Line, text: string, shift: number) {
  const { entries, fault } = parseYamlMapping(text);
  const at = (offset: number) => ({ line: line.line, column: line.column + Math.max(0, offset + shift) });
  if (fault !== undefined) throw new YamlFault(at(fault.offset), fault.message);
  const [entry] = entries;
  if (entry === undefined) throw new YamlFault(line, 'expected "key: value"');
  const place = at(entry.valueOffset);
  const { value: read } = entry;
  const scalar = (value: Scalar): YamlNode => ({ ...place, kind: 'scalar', value });
  // A reader without sections gives scalars and lists of them.
  const value: YamlNode = Array.isArray(read)
    ? { ...place, kind: 'list', items: (read as readonly Scalar[]).map(scalar) }
    : scalar(read as Scalar);
  return { key: entry.key, value, empty: read === null && /:\s*(?:#.*)?$/.test(text) };
}
