import { describe, expect, it } from 'vitest';
import { isChanged, readDeadband } from './changed-value.ts';

describe('a deadband', () => {
  it.each([
    ['', 10, 10, false],
    ['', 10, 10.001, true],
    ['0.5', 10, 10.4, false],
    ['0.5', 10, 9.5, true],
    ['10%', 10, 10.9, false],
    ['10%', 10, 11, true],
    ['10%', 0, 0.001, true],
    ['5', 'a', 'b', true],
    ['5', { a: [1] }, { a: [1] }, false],
    ['5', undefined, 1, true],
  ] as const)('of "%s" from %j to %j: %j', (text, last, value, changed) => {
    expect(isChanged(last, value, readDeadband(text))).toBe(changed);
  });

  it.each(['much', '-1', '5 %%'])('is refused as "%s"', (text) => {
    expect(() => readDeadband(text)).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
  });
});
