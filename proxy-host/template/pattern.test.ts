import { describe, expect, it } from 'vitest';
import { Budget } from './budget.ts';
import { allMatches, captured, compilePattern } from './pattern.ts';
import { DEFAULT_TEMPLATE_LIMITS } from './template-limits.ts';

const SOURCES = [
  'a',
  'ab|c',
  '(a|b)*c',
  '[a-c]+',
  '[^a]x?',
  'a{2,3}',
  'a{2}',
  'a{0,2}?b',
  '(a*)(b+)?',
  '^a.*b$',
  '\\bab\\b',
  '\\d+(\\.\\d+)?',
  '(\\w)(\\s)',
  '(?:ab)+',
  'a+?b',
  '(a|ab)(c|bcd)',
  '[\\]\\-a]+',
  '(a*)*b',
  'x*',
];
const TEXTS = ['', 'a', 'ab', 'aabbc', 'abcabc', 'aaab', 'x', '12.5 a', 'a b', 'ab\ncd', 'abcd', 'aaaa', ']-a', 'bbb'];

describe('patterns', () => {
  it.each(SOURCES)('%s finds what JavaScript finds', (source) => {
    for (const text of TEXTS) {
      const budget = new Budget({ ...DEFAULT_TEMPLATE_LIMITS, maxSteps: 100_000 });
      const pattern = compilePattern(source, false, budget);
      const mine = allMatches(pattern, text, budget).map((match) => captured(match, text, 0));
      expect([text, mine]).toEqual([text, [...text.matchAll(new RegExp(source, 'g'))].map((match) => match[0])]);
    }
  });

  it('captures groups, the last round of a repeated one', () => {
    const budget = new Budget(DEFAULT_TEMPLATE_LIMITS);
    const pattern = compilePattern('^(?P<name>\\w+)_(press|hold)(_release)?$', true, budget);
    const [match] = allMatches(pattern, 'ON_HOLD', budget);
    expect(match && [1, 2, 3].map((group) => captured(match, 'ON_HOLD', group))).toEqual(['ON', 'HOLD', undefined]);
  });
});
