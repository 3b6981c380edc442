import type { ListedAffordance, ListedThing } from '../admin/list-things.ts';

export type AffordanceKind = 'property' | 'action' | 'event';
/** What a node made of a property does. */
export type PropertyUse = 'observe' | 'write';

/** A node as it is put on the canvas: its type, and what differs from its defaults. */
export interface MadeNode {
  readonly type: 'pipevine-property' | 'pipevine-action' | 'pipevine-event' | 'pipevine-presence';
  readonly fields: Readonly<Record<string, string | number>>;
}

/**
 * The node for a property, an action or an event. It names the thing by its title, which lives on when the device is replaced;
 * by its id where another of `things` has the same title.
 */
export function nodeOfAffordance(
  peer: string,
  thing: Pick<ListedThing, 'id' | 'title'>,
  { name }: Pick<ListedAffordance, 'name'>,
  kind: AffordanceKind,
  things: readonly Pick<ListedThing, 'id' | 'title'>[],
  use: PropertyUse = 'observe',
): MadeNode {
  const common = { peer, thing: nameOf(thing, things), thingType: 'str' };
  switch (kind) {
    case 'property': {
      // As its dialog saves it: what observes takes no messages.
      const fields = { ...common, mode: use, property: name, propertyType: 'str', inputs: use === 'observe' ? 0 : 1 };
      return { type: 'pipevine-property', fields };
    }
    case 'action':
      return { type: 'pipevine-action', fields: { ...common, action: name, actionType: 'str' } };
    case 'event':
      return { type: 'pipevine-event', fields: { ...common, event: name, eventType: 'str' } };
  }
}

/** A node that tells when the thing comes, sleeps or goes. */
export function nodeOfThing(
  peer: string,
  thing: Pick<ListedThing, 'id' | 'title'>,
  things: readonly Pick<ListedThing, 'id' | 'title'>[],
): MadeNode {
  return { type: 'pipevine-presence', fields: { peer, scope: 'one', thing: nameOf(thing, things), thingType: 'str' } };
}

function nameOf(
  thing: Pick<ListedThing, 'id' | 'title'>,
  things: readonly Pick<ListedThing, 'id' | 'title'>[],
): string {
  const isUnique = !things.some(({ id, title }) => title === thing.title && id !== thing.id);
  return isUnique && thing.title !== '' ? thing.title : thing.id;
}
