import { describe, expect, it } from 'vitest';
import { typedValue } from './typed-value.ts';

describe('what a person typed', () => {
  it.each([
    ['on', { type: 'boolean' }, true],
    ['FALSE', { type: 'boolean' }, false],
    ['21.5', { type: 'number' }, 21.5],
    ['-3', { type: 'integer' }, -3],
    ['5', { type: 'string' }, '5'],
    ['"5"', { type: 'string' }, '5'],
    ['warm white', { type: 'string' }, 'warm white'],
    ['warm', { enum: ['Warm', 'Cold'] }, 'Warm'],
    ['2', { type: 'integer', enum: [1, 2] }, 2],
    ['[1,2]', { type: 'array' }, [1, 2]],
    ['{"r":1}', { type: 'object' }, { r: 1 }],
    ['null', { type: 'null' }, null],
    ['{"r":1}', {}, { r: 1 }],
    ['plain', undefined, 'plain'],
    ['null', undefined, null],
  ] as const)('%s for %j is %j', (text, schema, value) => {
    expect(typedValue(text, schema, 'x')).toEqual(value);
  });

  it.each([
    ['yes please', { type: 'boolean' }, 'true or false'],
    ['1.5', { type: 'integer' }, 'a whole number'],
    ['12px', { type: 'number' }, 'a number'],
    ['NaN', { type: 'number' }, 'a number'],
    ['hot', { enum: ['Warm', 'Cold'] }, 'one of Warm, Cold'],
    ['[1]', { type: 'object' }, 'a JSON object'],
  ] as const)('%s for %j is refused', (text, schema, expected) => {
    expect(() => typedValue(text, schema, 'property "p"')).toThrow(
      expect.objectContaining({
        code: 'invalid-argument',
        message: expect.stringContaining(`property "p" takes ${expected}`),
      }),
    );
  });
});
