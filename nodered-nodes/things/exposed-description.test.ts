import { describe, expect, it } from 'vitest';
import { exposedDescription } from './exposed-description.ts';

describe('what a dialog describes', () => {
  it('becomes properties, actions and events', () => {
    const description = exposedDescription({
      title: ' Boiler ',
      about: 'in the cellar',
      propertyRows: [
        { name: ' target ', type: 'number', unit: '°C', minimum: '5', maximum: 30, observable: true },
        { name: 'mode', type: 'string', enum: 'on, off,', readOnly: true, observable: false },
        { name: 'level', type: 'integer', enum: '1,2' },
        { name: 'raw', type: 'any' },
      ],
      actionRows: [{ name: 'boost', input: 'integer', output: '' }],
      eventRows: [{ name: 'fault', data: 'any' }, { name: 'tick' }],
    });
    expect(description).toEqual({
      title: 'Boiler',
      description: 'in the cellar',
      properties: {
        target: { type: 'number', unit: '°C', readOnly: false, observable: true, minimum: 5, maximum: 30 },
        mode: { type: 'string', readOnly: true, observable: false, enum: ['on', 'off'] },
        level: { type: 'integer', readOnly: false, observable: true, enum: [1, 2] },
        raw: { readOnly: false, observable: true },
      },
      actions: { boost: { input: { type: 'integer' } } },
      events: { fault: { data: {} }, tick: {} },
    });
  });

  it('can be a whole Thing Description, whose id and forms are replaced', () => {
    const td = {
      '@context': 'https://www.w3.org/2022/wot/td/v1.1',
      id: 'urn:x',
      title: 'Pump',
      security: 'nosec',
      securityDefinitions: { nosec: { scheme: 'nosec' } },
      properties: { flow: { type: 'number', forms: [{ href: 'http://x' }] } },
    };
    const description = exposedDescription({ form: 'json', td: JSON.stringify(td) });
    expect(description).not.toHaveProperty('id');
    expect(description).not.toHaveProperty('security');
    expect(description).toMatchObject({ title: 'Pump', properties: { flow: { type: 'number' } } });
    expect(description.properties?.flow).not.toHaveProperty('forms');
  });

  it.each([
    ['no title', { title: ' ' }],
    ['a nameless property', { title: 'A', propertyRows: [{ name: '' }] }],
    ['two of one name', { title: 'A', actionRows: [{ name: 'x' }, { name: ' x ' }] }],
    ['an unknown type', { title: 'A', eventRows: [{ name: 'x', data: 'colour' }] }],
    ['a bound that is no number', { title: 'A', propertyRows: [{ name: 'x', type: 'number', minimum: 'low' }] }],
    ['a choice that is no number', { title: 'A', propertyRows: [{ name: 'x', type: 'number', enum: 'low' }] }],
    ['JSON that is none', { form: 'json' as const, td: '{' }],
    ['JSON that is no object', { form: 'json' as const, td: '[]' }],
    ['a damaged schema', { form: 'json' as const, td: '{"title":"A","properties":{"x":{"type":"colour"}}}' }],
    ['properties that are none', { form: 'json' as const, td: '{"title":"A","properties":[1]}' }],
  ])('is refused with %s', (_, config) => {
    expect(() => exposedDescription(config)).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
  });
});
