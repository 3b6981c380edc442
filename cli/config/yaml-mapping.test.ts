import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseYamlMapping } from './yaml-mapping.ts';

const read = (text: string) => {
  const { entries, fault } = parseYamlMapping(text);
  return fault ?? Object.fromEntries(entries.map(({ key, value }) => [key, value]));
};

describe('the YAML of a configuration', () => {
  it.each([
    '',
    '# comments\n\n# alone',
    'name: cellar # a comment\n',
    'name: cellar#1\nother: "a" # b\n',
    "---\nname: 'it''s'\nmqtt-ca: \"a\\tb\\u00e4\\\\\"\n...\n",
    'listen:\n  - tcp://a:1\n  # between\n  - "tcp://b:2"\n# end\n',
    'listen:\n- tcp://a:1\n- tcp://[::]:2\nname: x',
    'listen: # here\n\n   - a\n',
    'listen: [\n  tcp://a:1, # first\n  "tcp://[::]:2",\n]\nname: x\n',
    'seed: []\nb: [a,b , c]\n',
    'multicast: True\nmulticast-port: +5\ntimeout: 1.5e2\nx: 0x1f\ny: 007\nz: -.5\nw: 0o17\nv: .inf\n',
    'name: ~\nseed: "5"\nhome: 5\nempty:\nlast: null\n',
    'name: a:b\nurl: mqtt://user@host:1883\nwords: two words, and a comma [x]\n',
    'name: -x\nother: ?x\nthird: :x\n',
    '"quoted key": 1\n\'another\': 2\n',
    'name :  spaced  \n',
    'name: x\r\nmulticast: false\r\nlisten:\r\n  - a\r\n',
    '\ufeffname: marked\n',
  ])('is read as a complete parser reads it: %j', (text) => {
    expect(read(text)).toEqual(parse(text) ?? {});
  });

  it.each([
    ['name: "cellar\n', 6, 'expected a closing " on the same line'],
    ['listen: [a, b\n', 8, 'expected "]" at the end of the list'],
    ['listen: [a, {b: 1}]\n', 12, 'must stand in quotes'],
    ['listen: [tcp://[::]:1]\n', 15, 'put quotes around a text with brackets'],
    ['name\n', 0, 'expected "key: value"'],
    ['name:x\n', 0, 'expected "key: value"'],
    ['a: 1\n b: 2\n', 5, 'expected a key at the start of the line'],
    ['name: two\n  words\n', 10, 'a value stands on one line'],
    ['a: 1\n---\nb: 2\n', 5, 'expected "key: value"'],
    ['a: 1\n...\nb: 2\n', 9, 'expected nothing after'],
    ['name: |\n  text\n', 6, 'a value that starts with "|" must stand in quotes'],
    ['name: &x a\n', 6, 'must stand in quotes'],
    ['name: *x\n', 6, 'must stand in quotes'],
    ['name: !t x\n', 6, 'must stand in quotes'],
    ['name: {a: 1}\n', 6, 'must stand in quotes'],
    ['name: a: b\n', 7, 'not another "key: value"'],
    ['name: "a" b\n', 9, 'expected the end of the line'],
    ['name: "\\q"\n', 6, '"\\q" is no escape'],
    ['a: 1\na: 2\n', 5, '"a" stands twice; keys must be unique'],
    ['a:\n  - 1\n   - 2\n', 9, 'expected all "-" of a list in one column'],
    ['\tname: a\n', 0, 'expected a key at the start of the line'],
    [': a\n', 0, 'expected "key: value"'],
    ['- a\n', 0, 'expected "key: value"'],
    ['%YAML 1.2\n---\n', 0, 'expected "key: value"'],
  ])('is refused at its place: %j', (text, offset, message) => {
    expect(read(text)).toEqual({ offset, message: expect.stringContaining(message) });
  });

  it('never means something else than a complete parser does, whatever the text', () => {
    const pieces = [
      'a',
      'b: ',
      ': ',
      ':',
      '- ',
      '-',
      '\n',
      '\n  ',
      ' ',
      '"',
      "'",
      '[',
      ']',
      ', ',
      '#',
      ' # ',
      'true',
      '1',
      '\\',
      '---\n',
      '|',
      '\t',
    ];
    let state = 1;
    const next = (bound: number) => {
      state = (state * 48_271) % 2_147_483_647;
      return state % bound;
    };
    let agreed = 0;
    for (let round = 0; round < 10_000; round++) {
      let text = 'k: ';
      for (let length = next(12); length > 0; length--) text += pieces[next(pieces.length)];
      const { entries, fault } = parseYamlMapping(text);
      if (fault !== undefined) continue;
      agreed++;
      const own = Object.fromEntries(entries.map(({ key, value }) => [key, value]));
      expect([text, own]).toEqual([text, parse(text, { uniqueKeys: true, logLevel: 'silent' })]);
    }
    expect(agreed).toBeGreaterThan(300);
  });
});
