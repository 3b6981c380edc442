import { describe, expect, it } from 'vitest';
import { titleGlob } from './title-glob.ts';

describe('a pattern for titles', () => {
  it.each([
    ['', 'Hall lamp', true],
    ['hall lamp', 'Hall lamp', true],
    ['hall', 'Hall lamp', false],
    ['hall*', 'Hall lamp', true],
    ['*lamp', 'Hall lamp', true],
    ['*a*a*', 'Hall lamp', true],
    ['*a*a*a*', 'Hall lamp', false],
    ['ab*ba', 'aba', false],
    ['*.+*', 'Hall lamp', false],
    ['*', 'anything', true],
  ])('"%s" and "%s": %s', (pattern, title, fits) => {
    expect(titleGlob(pattern)(title)).toBe(fits);
  });

  it('costs little, whatever the pattern', () => {
    expect(titleGlob(`${'a*'.repeat(5_000)}b`)('a'.repeat(20_000))).toBe(false);
  });
});
