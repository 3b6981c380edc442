import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseYamlBlock, YamlFault, type YamlNode } from './yaml-block.ts';

function plain(node: YamlNode): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(plain);
  return Object.fromEntries([...node.entries].map(([key, { value }]) => [key, plain(value)]));
}

/** The value, or the fault as `line:column: message`. */
function read(text: string): unknown {
  try {
    return plain(parseYamlBlock({ text, line: 1 }));
  } catch (error) {
    if (!(error instanceof YamlFault)) throw error;
    return `${error.place.line}:${error.place.column}: ${error.message}`;
  }
}

describe('the YAML of a section', () => {
  it.each([
    '  a: 1\n  b: two # comment\n',
    '  # comment\n\n  a:\n    b:\n      c: "x: y"\n    d: [1, two, true]\n  e:\n',
    '  a:\n    - 1\n    - "two"\n    -\n    - null\n',
    '  a:\n  - name: x\n    line: 17\n  - name: y # here\n\n    deep:\n      - z\n  b: 1\n',
    '  a:\n    -   name: wide\n        line: 1\n    - name: narrow\n',
    '  a:\n    -\n      name: below\n      of: 2\n',
    "  'quoted key': 1\n  \"another\": ''\n",
    '  - 1\n  - a: 2\n    b: 3\n',
    '  url: mqtt://a:1\n  list:\n    - mqtt://b:2\n',
    '  a: 1\r\n  b:\r\n    - 2\r\n',
    '  a: []\n  b: ~\n  c: -5\n',
  ])('is read as a complete parser reads it: %j', (text) => {
    expect(read(text)).toEqual(parse(text));
  });

  it.each([
    ['  a: 1\n    b: 2\n', '2:5: expected no more indentation'],
    ['  a: 1\n b: 2\n', '2:2: expected no more indentation'],
    ['  a: 1\n  a: 2\n', '2:3: "a" stands twice'],
    ['  a: {b: 1}\n', '1:6: a value that starts with "{" must stand in quotes'],
    ['  a: |\n    text\n', '1:6: a value that starts with "|"'],
    ['  a\n', '1:3: expected "key: value"'],
    ['  a:\n    - 1\n    b: 2\n', '3:5: expected all lines of this list to begin with "- "'],
    ['  a: 1\n  - b\n', '2:3: expected "key: value" as in the lines before'],
    ['  a:\n\t\tb: 1\n', '2:3: expected spaces before the text, not tabs'],
    ['  a:\n    - "x\n', '2:7: expected a closing "'],
    ['  a: [1, 2\n', '1:6: expected "]" at the end of the list'],
    ['  a:\n    - - 1\n', '2:7: a value that starts with "-" must stand in quotes'],
    ['  a: two: three\n', '1:9: expected a value, not another "key: value"'],
  ])('is refused at its place: %j', (text, message) => {
    expect(read(text)).toEqual(expect.stringContaining(message));
  });

  it('is refused when it is nested without end, or has lines without end', () => {
    const nested = Array.from({ length: 500 }, (_, depth) => `${' '.repeat(depth + 1)}a:\n`).join('');
    expect(read(nested)).toMatch(/^9:10: expected at most 8 levels/);
    const lists = Array.from({ length: 500 }, (_, depth) => `${' '.repeat(2 * depth + 1)}- a:\n`).join('');
    expect(read(lists)).toMatch(/expected at most 8 levels/);
    expect(read(' - 1\n'.repeat(3_000))).toMatch(/^2001:2: expected at most 2000 lines/);
  });

  it('never means something else than a complete parser does, whatever the text', () => {
    const pieces = [
      'a',
      'b: ',
      'c:',
      '- ',
      '-',
      '\n ',
      '\n  ',
      '\n   ',
      '\n',
      ' ',
      '"',
      "'",
      '[',
      ']',
      ', ',
      ' # ',
      '1',
      ':',
    ];
    let state = 1;
    const next = (bound: number) => {
      state = (state * 48_271) % 2_147_483_647;
      return state % bound;
    };
    let agreed = 0;
    for (let round = 0; round < 20_000; round++) {
      let text = ' k: ';
      for (let length = next(14); length > 0; length--) text += pieces[next(pieces.length)];
      const own = read(text.replace(/\n(?! )/g, '\n '));
      if (typeof own === 'string') continue;
      agreed++;
      const given = text.replace(/\n(?! )/g, '\n ');
      expect([given, own]).toEqual([given, parse(given, { uniqueKeys: true, logLevel: 'silent' })]);
    }
    expect(agreed).toBeGreaterThan(300);
  });
});
