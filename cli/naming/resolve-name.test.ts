import { describe, expect, it } from 'vitest';
import { editDistance, nearestNames } from './nearest-name.ts';
import { resolveMember, resolveName } from './resolve-name.ts';

const things = [
  { name: 'Hall lamp', ids: ['urn:pipevine:thing:abcdefgh:device', 'urn:pipevine:peer:abcdefgh'] },
  { name: 'Hall', ids: ['urn:pipevine:thing:abxxxxxx:device', 'urn:pipevine:peer:abxxxxxx'] },
  { name: 'Kitchen', ids: ['urn:pipevine:thing:zzzzzzzz:device', 'urn:pipevine:peer:zzzzzzzz'] },
];

describe('naming a thing', () => {
  it.each([
    ['an exact name in any case', 'hall', 'Hall'],
    ['a name that is also the beginning of another', 'Hall', 'Hall'],
    ['the beginning of a name', 'kit', 'Kitchen'],
    ['a full id', 'urn:pipevine:thing:abcdefgh:device', 'Hall lamp'],
    ['a peer id without its prefix', 'abxxxxxx', 'Hall'],
    ['the beginning of an id', 'abc', 'Hall lamp'],
  ])('takes %s', (_what, text, name) => {
    expect(resolveName('thing', text, things).name).toBe(name);
  });

  it('refuses to guess, and lists what it could be', () => {
    expect(() => resolveName('thing', 'ab', things)).toThrow(
      expect.objectContaining({ code: 'ambiguous', message: expect.stringContaining('"Hall lamp"') }),
    );
  });

  it('does not take the empty text for the beginning of everything', () => {
    expect(() => resolveName('thing', '', things)).toThrow(expect.objectContaining({ code: 'not-found' }));
  });

  it('says what is there when nothing is like it', () => {
    expect(() => resolveName('thing', 'garage', things)).toThrow('`pipevine things` lists the 3 known');
    expect(() => resolveName('thing', 'x', [])).toThrow('no thing is known here at all');
  });
});

it('names a member by its exact name first', () => {
  const members = { Power: 1, power: 2 };
  expect(resolveMember('property', 'power', members, 'lamp')).toEqual({ name: 'power', affordance: 2 });
  expect(() => resolveMember('property', 'POWER', members, 'lamp')).toThrow('has no property "POWER"');
  expect(() => resolveMember('action', 'x', undefined, 'lamp')).toThrow('it has no actions');
});

it('counts a swap of neighbours as one edit', () => {
  expect(editDistance('temprature', 'temperature')).toBe(1);
  expect(editDistance('lmap', 'lamp')).toBe(1);
  expect(nearestNames('mqt-listen', ['mqtt', 'mqtt-listen', 'listen'])[0]).toBe('mqtt-listen');
  expect(nearestNames('zzz', ['mqtt', 'listen'])).toEqual([]);
});
