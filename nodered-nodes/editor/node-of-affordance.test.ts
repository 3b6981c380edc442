import { expect, test } from 'vitest';
import { nodeOfAffordance, nodeOfThing } from './node-of-affordance.ts';

const LAMP = { id: 'urn:pipevine:peer:a', title: 'Lamp' };
const OTHER = { id: 'urn:pipevine:peer:b', title: 'Lamp' };
const POWER = { name: 'power' };

test('a property becomes a node that observes it, or one that writes it', () => {
  expect(nodeOfAffordance('p1', LAMP, POWER, 'property', [LAMP])).toEqual({
    type: 'pipevine-property',
    fields: {
      peer: 'p1',
      thing: 'Lamp',
      thingType: 'str',
      mode: 'observe',
      property: 'power',
      propertyType: 'str',
      inputs: 0,
    },
  });
  const written = nodeOfAffordance('p1', LAMP, POWER, 'property', [LAMP], 'write');
  expect(written.fields).toMatchObject({ mode: 'write', inputs: 1 });
});

test('an action and an event become nodes of their own types', () => {
  const action = nodeOfAffordance('p1', LAMP, { name: 'blink' }, 'action', [LAMP]);
  expect(action).toMatchObject({ type: 'pipevine-action', fields: { action: 'blink', actionType: 'str' } });
  const event = nodeOfAffordance('p1', LAMP, { name: 'pressed' }, 'event', [LAMP]);
  expect(event).toMatchObject({ type: 'pipevine-event', fields: { event: 'pressed', eventType: 'str' } });
});

test('a thing becomes a node that tells its presence', () => {
  expect(nodeOfThing('p1', LAMP, [LAMP])).toMatchObject({
    type: 'pipevine-presence',
    fields: { scope: 'one', thing: 'Lamp' },
  });
});

test('a thing that shares its title with another is named by its id', () => {
  expect(nodeOfThing('p1', LAMP, [LAMP, OTHER]).fields.thing).toBe(LAMP.id);
  expect(nodeOfThing('p1', { ...LAMP, title: '' }, [LAMP]).fields.thing).toBe(LAMP.id);
});
