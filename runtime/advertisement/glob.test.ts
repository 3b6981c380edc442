import { describe, expect, it } from 'vitest';
import { Glob } from './glob.ts';

describe('Glob', () => {
  it.each([
    ['', '', true],
    ['', 'a', false],
    ['*', '', true],
    ['*', 'anything', true],
    ['lamp', 'lamp', true],
    ['lamp', 'lamps', false],
    ['lamp*', 'lamp 1', true],
    ['*lamp', 'red lamp', true],
    ['*lamp', 'red lamps', false],
    ['l*p', 'lp', true],
    ['l*p', 'l', false],
    ['a*a', 'a', false],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'a-c-b', false],
    ['*aab*', 'aaab', true],
    ['*abab*c', 'abaababac', true],
    ['**a**', 'bab', true],
    ['a.c', 'abc', false],
    ['Lamp', 'lamp', false],
    ['*\u{1f600}*', 'x\u{1f600}y', true],
  ])('%j on %j is %s', (pattern, text, expected) => {
    expect(new Glob(pattern).matches(text)).toBe(expected);
  });

  it('agrees with a plain recursive definition on all short texts', () => {
    const reference = (pattern: string, text: string): boolean => {
      if (pattern === '') return text === '';
      if (pattern[0] === '*') {
        for (let i = 0; i <= text.length; i++) if (reference(pattern.slice(1), text.slice(i))) return true;
        return false;
      }
      return text[0] === pattern[0] && reference(pattern.slice(1), text.slice(1));
    };
    const words = (alphabet: string, length: number): string[] =>
      length === 0 ? [''] : ['', ...[...alphabet].flatMap((c) => words(alphabet, length - 1).map((rest) => c + rest))];
    for (const pattern of new Set(words('ab*', 4))) {
      const glob = new Glob(pattern);
      for (const text of new Set(words('ab', 5)))
        expect(glob.matches(text), `${pattern} on ${text}`).toBe(reference(pattern, text));
    }
  });

  it('reads each character of a hostile text a bounded number of times', () => {
    let reads = 0;
    const counted = (text: string): string =>
      // A String object in place of a string, so that reads can be counted.
      new Proxy(new String(text) as object, {
        get(target, property) {
          if (property === 'charCodeAt') {
            return (at: number) => {
              reads++;
              return String(target).charCodeAt(at);
            };
          }
          const value: unknown = Reflect.get(target, property);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      }) as unknown as string;
    const text = 'a'.repeat(20_000);
    const pattern = `*${'a'.repeat(60)}b${`*${'a'.repeat(60)}b`.repeat(14)}*`;
    expect(new Glob(pattern).matches(counted(text))).toBe(false);
    expect(reads).toBeGreaterThan(0);
    expect(reads).toBeLessThanOrEqual(2 * text.length);
  });

  it('refuses a pattern of more than 1,024 characters', () => {
    expect(() => new Glob('*'.repeat(1_025))).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
  });
});
