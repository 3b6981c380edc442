import type { ThingSummary } from '@pipevine/runtime';
import type { AdminRequest } from './admin-route.ts';
import { chosenGroup } from './chosen-session.ts';
import { collected, SEARCH_TIMEOUT_MS } from './collected.ts';

/** Of a property, an action or an event, what a picker shows. */
export interface ListedAffordance {
  readonly name: string;
  readonly title: string;
  /** JSON Schema's type of the value, the input or the data; empty when it is not said. */
  readonly type: string;
  readonly readOnly: boolean;
  readonly writeOnly: boolean;
  /** Empty when it is not said. */
  readonly unit: string;
}

export interface ListedThing {
  readonly id: string;
  readonly title: string;
  readonly peer: string;
  readonly connector: string;
  readonly availability: 'up' | 'sleeping' | 'lost';
  readonly properties: readonly ListedAffordance[];
  readonly actions: readonly ListedAffordance[];
  readonly events: readonly ListedAffordance[];
}

/** `{standIn, things}`, by title. */
export async function listThings(
  request: AdminRequest,
): Promise<{ readonly standIn: boolean; readonly things: readonly ListedThing[] }> {
  const { group, standIn } = await chosenGroup(request);
  const search = group.things(undefined, { timeoutMs: SEARCH_TIMEOUT_MS, signal: request.signal });
  const things = await collected(search, listedThing);
  return { standIn, things: things.sort((a, b) => a.title.localeCompare(b.title)) };
}

export function listedThing({ id, title, peer, connector, availability, description }: ThingSummary): ListedThing {
  return {
    id,
    title,
    peer,
    connector,
    availability,
    properties: affordances(description.properties, (property) => property),
    actions: affordances(description.actions, ({ input }) => input),
    events: affordances(description.events, ({ data }) => data),
  };
}

function affordances<T extends object>(
  all: Readonly<Record<string, T>> | undefined,
  dataOf: (affordance: Record<string, unknown>) => unknown,
): ListedAffordance[] {
  return Object.entries(all ?? {}).map(([name, given]) => {
    // An object, so each of its members is unknown or absent.
    const affordance = given as Record<string, unknown>;
    const data = (dataOf(affordance) ?? {}) as Record<string, unknown>;
    return {
      name,
      title: typeof affordance.title === 'string' ? affordance.title : '',
      type: typeof data.type === 'string' ? data.type : '',
      readOnly: affordance.readOnly === true,
      writeOnly: affordance.writeOnly === true,
      unit: typeof data.unit === 'string' ? data.unit : '',
    };
  });
}
