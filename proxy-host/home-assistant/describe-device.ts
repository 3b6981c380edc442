import type { DeviceDescription } from '../connector.ts';
import type { ActionInit, EntityPlan, EventInit, PropertyInit } from './entity-plan.ts';
import { affordanceName } from './naming.ts';

/** A described entity: its plan and the name that it has among its neighbours. */
export interface NamedPlan {
  readonly plan: EntityPlan;
  readonly name: string;
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function words(name: string): string {
  return name.replace(/[_-]+/g, ' ');
}

function affordanceTitle(plan: EntityPlan, label: string): string {
  const own = plan.title ?? (label === '' ? words(plan.base) : '');
  return capitalized([own, label].filter((part) => part !== '').join(' '));
}

function titled<Init extends object>(
  entities: readonly NamedPlan[],
  of: (plan: EntityPlan) => readonly { readonly role: string; readonly label: string; readonly init: Init }[],
): { [name: string]: Init & { title: string } } | undefined {
  const found = entities.flatMap(({ plan, name }) =>
    of(plan).map(({ role, label, init }): [string, Init & { title: string }] => [
      affordanceName(name, role),
      { title: affordanceTitle(plan, label), ...init },
    ]),
  );
  if (found.length === 0) return undefined;
  return Object.fromEntries(found.sort(([left], [right]) => (left < right ? -1 : 1)));
}

function firstOf<T>(entities: readonly NamedPlan[], get: (plan: EntityPlan) => T | undefined): T | undefined {
  for (const { plan } of entities) {
    const value = get(plan);
    if (value !== undefined) return value;
  }
  return undefined;
}

/** The device for the proxy host. `entities` come in the order of their identities, so that the result never varies. */
export function describe(key: string, entities: readonly NamedPlan[]): DeviceDescription {
  const description = firstOf(entities, (plan) => plan.device.description);
  const via = firstOf(entities, (plan) => plan.device.via);
  const title =
    firstOf(entities, (plan) => plan.device.name) ??
    firstOf(entities, (plan) => plan.title) ??
    description ??
    capitalized(words(entities[0]?.name ?? key));
  const properties = titled<PropertyInit>(entities, (plan) => plan.properties);
  const actions = titled<ActionInit>(entities, (plan) => plan.actions);
  const events = titled<EventInit>(entities, (plan) => plan.events);
  return {
    key,
    thing: {
      title,
      ...(description === undefined ? {} : { description }),
      ...(properties === undefined ? {} : { properties }),
      ...(actions === undefined ? {} : { actions }),
      ...(events === undefined ? {} : { events }),
    },
    ...(via === undefined || via === key ? {} : { via }),
  };
}
