import { PipevineError, type ThingDescription, type ThingSummary } from '@pipevine/runtime';

export type AffordanceKind = 'properties' | 'actions' | 'events';
const SINGULAR = { properties: 'property', actions: 'action', events: 'event' } as const;

/** Undefined when the thing has none of this name. */
export function affordanceNamed<K extends AffordanceKind>(
  { description }: Pick<ThingSummary, 'description'>,
  kind: K,
  name: string,
): NonNullable<ThingDescription[K]>[string] | undefined {
  type Affordance = NonNullable<ThingDescription[K]>[string];
  // The compiler cannot follow K into the record.
  const all = (description[kind] ?? {}) as Readonly<Record<string, Affordance>>;
  return Object.hasOwn(all, name) ? all[name] : undefined;
}

/**
 * As `affordanceNamed`, or throws `invalid-argument` with the names that there are: not `not-found`, as no thing will come that
 * has it, so that it is not for the offline policy.
 */
export function requiredAffordance<K extends AffordanceKind>(
  thing: ThingSummary,
  kind: K,
  name: string,
): NonNullable<ThingDescription[K]>[string] {
  const found = affordanceNamed(thing, kind, name);
  if (found !== undefined) return found;
  const names = Object.keys(thing.description[kind] ?? {});
  const there = names.length === 0 ? 'it has none' : `it has ${names.slice(0, 20).join(', ')}`;
  const message = `"${thing.title}" has no ${SINGULAR[kind]} "${name.slice(0, 80)}"; ${there}${names.length > 20 ? ', ...' : ''}.`;
  throw new PipevineError('invalid-argument', message);
}
