import { describe, expect, it } from 'vitest';
import type { DataSchema, JsonValue } from './thing-description.ts';
import { checkValue } from './value-check.ts';

const why = (schema: DataSchema, value: JsonValue | undefined, patterns = false): string => {
  try {
    checkValue(schema, value, 'property "p"', { patterns });
    return '';
  } catch (error) {
    expect(error).toMatchObject({ code: 'invalid-argument' });
    return (error as Error).message;
  }
};

describe('a value', () => {
  it('passes when it fits', () => {
    const fits: [DataSchema, JsonValue][] = [
      [{}, null],
      [{ type: 'integer', minimum: 0, maximum: 10 }, 10],
      [{ type: 'number', multipleOf: 0.1 }, 0.3],
      [{ type: 'number', exclusiveMinimum: 0 }, 0.001],
      [{ type: 'string', minLength: 1, maxLength: 2 }, '\u{1f600}\u{1f600}'],
      [{ enum: ['a', { x: [1] }] }, { x: [1] }],
      [{ const: [1, 2] }, [1, 2]],
      [{ oneOf: [{ type: 'string' }, { type: 'null' }] }, null],
      [{ type: 'array', items: { type: 'boolean' }, maxItems: 2 }, [true, false]],
      [
        { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] },
        { a: 1, b: 'more' },
      ],
    ];
    for (const [schema, value] of fits) expect(why(schema, value)).toBe('');
  });

  it('is refused with what was expected, what came, and where', () => {
    expect(why({ type: 'integer', minimum: 0, maximum: 100 }, 101)).toBe(
      'The value of property "p" must be a whole number from 0 to 100, not 101.',
    );
    expect(why({ type: 'number', minimum: 5, unit: 'K' }, 'warm')).toBe(
      'The value of property "p" must be a number of at least 5 (in K), not "warm".',
    );
    expect(why({ type: 'integer' }, 1.5)).toContain('a whole number, not 1.5');
    expect(why({ type: 'boolean' }, 'ON')).toContain('of type boolean, not "ON"');
    expect(why({ type: 'string' }, undefined)).toContain('of type string, not nothing');
    expect(why({ type: 'string', maxLength: 3 }, 'long')).toContain('at most 3 characters long');
    expect(why({ enum: ['off', 'heat'] }, 'cool')).toContain('one of "off", "heat", not "cool"');
    expect(why({ type: 'number', multipleOf: 0.5 }, 0.7)).toContain('in steps of 0.5');
    expect(why({ oneOf: [{ type: 'string' }, { type: 'null' }] }, 1)).toContain('of type string, or of type null');
    expect(why({ type: 'object', required: ['a'] }, {})).toContain('at /a must be given');
    expect(why({ type: 'array', items: { type: 'integer' } }, [1, 'x'])).toContain(
      'at /1 must be a whole number, not "x"',
    );
    expect(why({ type: 'null' }, 0)).toContain('of type null');
    expect(why({ type: 'object' }, [])).toContain('of type object');
  });

  it('is tried against a pattern only where the schema is our own', () => {
    const schema: DataSchema = { type: 'string', pattern: '^[0-9]+$' };
    expect(why(schema, 'abc')).toBe('');
    expect(why(schema, 'abc', true)).toContain('^[0-9]+$');
    expect(why(schema, '123', true)).toBe('');
    expect(why({ type: 'string', pattern: '(' }, 'abc', true)).toBe('');
    expect(why({ type: 'string', pattern: '^a*$' }, 'a'.repeat(5_000), true)).toContain('at most 4096');
  });

  it('cannot make a schema from outside cost more than its budget', () => {
    const wide: DataSchema = { oneOf: Array.from({ length: 1_000 }, (_, i) => ({ const: i })) };
    const value = Array.from({ length: 2_000 }, () => 'x');
    // 2,000,000 comparisons were it not for the budget; what is beyond it passes.
    expect(
      why(
        { type: 'array', items: wide },
        value.map(() => 999),
      ),
    ).toBe('');
    expect(why({ type: 'array', items: wide }, value)).toContain('/0');
  });

  it('does not take what every object inherits for a member', () => {
    expect(why({ type: 'object', required: ['constructor'] }, {})).toContain('/constructor');
  });
});
