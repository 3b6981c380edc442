import { describe, expect, it } from 'vitest';
import type { JsonValue } from './thing-description.ts';
import { readThingDescription } from './thing-description-check.ts';

const good = {
  '@context': 'https://www.w3.org/2022/wot/td/v1.1',
  id: 'urn:x:1',
  title: 'x',
  security: 'a',
  securityDefinitions: { a: { scheme: 'nosec' } },
  properties: { p: { type: 'number', forms: [{ href: '/p' }] } },
};

const nested = (depth: number): JsonValue =>
  depth === 0 ? { type: 'null' } : { type: 'array', items: nested(depth - 1) };

describe('a description from outside', () => {
  it('is taken with members that nobody here knows', () => {
    const value = { ...good, 'x:vendor': { any: [1, 2] } };
    expect(readThingDescription(value)).toBe(value);
  });

  const forms = [{ href: '/' }];
  const bad: [string, JsonValue][] = [
    ['no object', []],
    ['null', null],
    ['no title', { ...good, title: 1 }],
    ['no id', { ...good, id: undefined as never }],
    ['no context', { ...good, '@context': 5 }],
    ['no security', { ...good, security: null }],
    ['security without scheme', { ...good, securityDefinitions: { a: {} } }],
    ['properties as an array', { ...good, properties: [] }],
    ['a property without forms', { ...good, properties: { p: { type: 'number' } } }],
    ['a form without href', { ...good, properties: { p: { forms: [{}] } } }],
    ['a nameless property', { ...good, properties: { '': { forms } } }],
    ['a range of text', { ...good, properties: { p: { minimum: '1', forms } } }],
    ['a negative length', { ...good, properties: { p: { maxLength: -1, forms } } }],
    ['steps of nothing', { ...good, properties: { p: { multipleOf: 0, forms } } }],
    ['flags as text', { ...good, properties: { p: { readOnly: 'yes', forms } } }],
    ['schemas without end', { ...good, properties: { p: { items: nested(20), forms } } }],
    ['an input that is no schema', { ...good, actions: { a: { input: 'text', forms } } }],
    ['a type of its own', { ...good, events: { e: { data: { type: 'uuid' }, forms } } }],
    ['a link to nowhere', { ...good, links: [{ rel: 'x' }] }],
  ];
  for (const [what, value] of bad) {
    it(`is refused as malformed: ${what}`, () => {
      expect(() => readThingDescription(value)).toThrow(expect.objectContaining({ code: 'malformed' }));
    });
  }

  it('is not fooled by what every object inherits', () => {
    const value = JSON.parse('{"toString": 1, "constructor": {}}') as JsonValue;
    expect(() => readThingDescription(value)).toThrow(expect.objectContaining({ code: 'malformed' }));
  });

  it('is refused when it has too many affordances', () => {
    const properties = Object.fromEntries(Array.from({ length: 1_025 }, (_, i) => [`p${i}`, { forms }]));
    expect(() => readThingDescription({ ...good, properties })).toThrow(/more than 1024/);
  });
});
