import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { peerIdFromBytes } from '../id/peer-id.ts';
import { completeDescription } from './complete-description.ts';
import type { ThingInit } from './thing-description.ts';
import { parseThingId, thingId, thingKeyOfTitle } from './thing-id.ts';

const peer = peerIdFromBytes(new Uint8Array(32).fill(1));
const schemaFile = createRequire(import.meta.url).resolve(
  'wot-thing-description-types/schema/td-json-schema-validation.json',
);
const validate = new Ajv({ strict: false, validateFormats: false }).compile(
  JSON.parse(readFileSync(schemaFile, 'utf8')),
);

const everything: ThingInit = {
  title: 'Heizk\u00f6rper',
  '@type': ['Thermostat', 'Actuator'],
  description: 'In the hall',
  version: { instance: '2.1', model: 'HK-1' },
  links: [{ href: 'urn:pipevine:peer:x', rel: 'via' }],
  properties: {
    power: { type: 'boolean', observable: true },
    mode: { type: 'string', enum: ['off', 'heat'], title: 'Mode' },
    target: { type: 'number', minimum: 5, maximum: 30, multipleOf: 0.5, unit: '\u00b0C' },
    serial: { type: 'string', readOnly: true },
    pin: { type: 'string', writeOnly: true, minLength: 4, maxLength: 8, pattern: '^[0-9]+$' },
    state: {
      type: 'object',
      properties: { a: { type: 'integer' }, b: { type: 'array', items: { type: 'string' } } },
      required: ['a'],
    },
    either: { oneOf: [{ type: 'string' }, { type: 'null' }] },
    picture: { type: 'string', contentEncoding: 'base64', contentMediaType: 'image/png' },
  },
  actions: { reset: {}, set: { input: { type: 'number' }, output: { type: 'boolean' }, idempotent: true } },
  events: { alarm: { data: { type: 'string' } }, tick: {} },
};

describe('a completed description', () => {
  it('is valid by the JSON Schema of the W3C for Thing Description 1.1', () => {
    for (const init of [everything, { title: 'Nothing at all' }]) {
      validate(completeDescription(init, { peer, key: 'k' }));
      expect(validate.errors ?? []).toEqual([]);
    }
  });

  it('says by its forms what can be done, and where', () => {
    const { base, properties, actions, events } = completeDescription(everything, { peer, key: 'a/b' });
    expect(base).toMatch(/^pipevine:\/\/[a-z2-7]{52}\/a%2Fb\/$/);
    expect(properties?.power?.forms).toEqual([
      {
        href: 'properties/power',
        contentType: 'application/cbor',
        op: ['readproperty', 'writeproperty', 'observeproperty', 'unobserveproperty'],
      },
    ]);
    expect(properties?.serial?.forms[0]?.op).toEqual(['readproperty']);
    expect(properties?.pin?.forms[0]?.op).toEqual(['writeproperty']);
    expect(actions?.reset?.forms[0]).toMatchObject({ href: 'actions/reset', op: ['invokeaction'] });
    expect(events?.alarm?.forms[0]?.op).toEqual(['subscribeevent', 'unsubscribeevent']);
  });

  it('is refused for what is no Thing Description, with the place', () => {
    const broken: [ThingInit, string][] = [
      [{ title: '' }, 'title'],
      [{ title: 'x', properties: { a: { type: 'float' as 'number' } } }, 'properties/a/type'],
      [{ title: 'x', properties: { a: { enum: [] } } }, 'properties/a/enum'],
      [{ title: 'x', actions: { a: { input: { minimum: 'low' as never } } } }, 'actions/a/input/minimum'],
    ];
    for (const [init, place] of broken) {
      expect(() => completeDescription(init, { peer, key: 'k' })).toThrow(
        expect.objectContaining({ code: 'invalid-argument', message: expect.stringContaining(place) }),
      );
    }
  });
});

describe('the id of a thing', () => {
  it('is read back as it was written, whatever the key', () => {
    for (const key of ['device', 'a:b', 'K\u00fcche/1', '%'])
      expect(parseThingId(thingId({ peer, key }))).toEqual({ peer, key });
  });

  it('is refused when it is none', () => {
    for (const text of [
      '',
      'urn:pipevine:thing:',
      'urn:pipevine:thing:abc:d',
      thingId({ peer, key: 'k' }).slice(0, -2),
    ]) {
      expect(() => parseThingId(text)).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
    }
  });

  it('takes a readable key from a title', () => {
    expect(thingKeyOfTitle('Hall lamp #2')).toBe('hall-lamp-2');
    expect(thingKeyOfTitle('\u706f')).toBe('thing');
  });
});
