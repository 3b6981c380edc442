import { describe, expect, it } from 'vitest';
import { coercedValue } from './coerced-value.ts';

const cyclic: Record<string, unknown> = {};
cyclic.self = cyclic;

describe('a payload that a description wants in a type', () => {
  it.each([
    [{ type: 'number' }, '20.5', 20.5],
    [{ type: 'integer' }, ' 7 ', 7],
    [{ type: 'number' }, '', ''],
    [{ type: 'number' }, 'warm', 'warm'],
    [{ type: 'number' }, true, true],
    [{ type: 'boolean' }, 'ON', true],
    [{ type: 'boolean' }, 0, false],
    [{ type: 'boolean' }, 2, 2],
    [{ type: 'string' }, 20, '20'],
    [{ type: 'string', contentEncoding: 'base64' }, Buffer.from('hi'), 'aGk='],
    [{ type: 'object' }, '{"a":1}', { a: 1 }],
    [{ type: 'array' }, '{"a":1}', '{"a":1}'],
    [{ enum: ['on', 'off'] }, 'OFF', 'off'],
    [{ enum: ['a', 'A'] }, 'a', 'a'],
    [{ enum: [1, 2] }, '2', 2],
    [{}, new Date(0), '1970-01-01T00:00:00.000Z'],
    [{}, { b: undefined, c: 1 }, { c: 1 }],
  ] as const)('%j takes %j as %j', (schema, given, wanted) => {
    expect(coercedValue(schema, given, 'x')).toEqual(wanted);
  });

  it.each([[undefined], [Number.NaN], [cyclic], [() => 1], [Buffer.from('x')], [1n]])(
    'is refused when it is no JSON: %#',
    (given) => {
      expect(() => coercedValue({}, given, 'x')).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
    },
  );

  it('is refused when it is too large for the wire', () => {
    const given = { text: 'x'.repeat(300_000) };
    expect(() => coercedValue({}, given, 'x')).toThrow(expect.objectContaining({ code: 'too-large' }));
  });
});
