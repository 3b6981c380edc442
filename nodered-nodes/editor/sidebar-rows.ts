import type { ListedAffordance, ListedThing } from '../admin/list-things.ts';
import type { NamedRoute } from '../admin/named-route.ts';
import type { OverlayPeer, OverlayReport } from '../admin/overlay-report.ts';
import type { AffordanceKind } from './node-of-affordance.ts';

export type RoutedThing = ListedThing & { readonly route: NamedRoute };

/** A line of the sidebar's tree. `level` counts from 1; `key` stays the same while the thing it is about does. */
export type SidebarRow =
  | {
      readonly kind: 'section';
      readonly key: 'things' | 'peers';
      readonly level: 1;
      readonly open: boolean;
      readonly count: number;
    }
  | {
      readonly kind: 'thing';
      readonly key: string;
      readonly level: 2;
      readonly open: boolean;
      readonly thing: RoutedThing;
    }
  | {
      readonly kind: 'affordance';
      readonly key: string;
      readonly level: 3;
      readonly of: AffordanceKind;
      readonly thing: RoutedThing;
      readonly affordance: ListedAffordance;
    }
  | {
      readonly kind: 'peer';
      readonly key: string;
      readonly level: 2;
      readonly open: boolean;
      readonly peer: OverlayPeer;
    }
  | {
      readonly kind: 'route';
      readonly key: string;
      readonly level: 3;
      readonly id: string;
      readonly route: NamedRoute;
    };

/**
 * The lines to show, top down. `query`: words that must all occur in a thing's title, id or connector, or in the name of one of
 * its affordances, of which then only these are shown. `open` has the keys of what is unfolded.
 */
export function sidebarRows(
  { things, peers }: Pick<OverlayReport, 'things' | 'peers'>,
  query: string,
  open: ReadonlySet<string>,
): SidebarRow[] {
  const words = query
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  const foundThings = things.flatMap((thing) => found(thing, words));
  const foundPeers = peers.filter(({ id, name }) => hasAll(`${name} ${id}`, words));
  const rows: SidebarRow[] = [];

  const thingsOpen = open.has('things');
  rows.push({ kind: 'section', key: 'things', level: 1, open: thingsOpen, count: foundThings.length });
  if (thingsOpen) for (const { thing, affordances } of foundThings) rows.push(...thingRows(thing, affordances, open));

  const peersOpen = open.has('peers');
  rows.push({ kind: 'section', key: 'peers', level: 1, open: peersOpen, count: foundPeers.length });
  for (const peer of peersOpen ? foundPeers : []) {
    const key = `peer ${peer.id}`;
    rows.push({ kind: 'peer', key, level: 2, open: open.has(key), peer });
    if (open.has(key)) rows.push({ kind: 'route', key: `${key} route`, level: 3, id: peer.id, route: peer.route });
  }
  return rows;
}

interface Affordance {
  readonly of: AffordanceKind;
  readonly affordance: ListedAffordance;
}

/** `affordances` is undefined when the thing itself is meant, and all are. */
function found(thing: RoutedThing, words: readonly string[]): { thing: RoutedThing; affordances?: Affordance[] }[] {
  const about = `${thing.title} ${thing.id} ${thing.connector}`;
  if (hasAll(about, words)) return [{ thing }];
  const affordances = all(thing).filter(({ affordance }) =>
    hasAll(`${about} ${affordance.name} ${affordance.title}`, words),
  );
  return affordances.length === 0 ? [] : [{ thing, affordances }];
}

function thingRows(
  thing: RoutedThing,
  only: readonly Affordance[] | undefined,
  open: ReadonlySet<string>,
): SidebarRow[] {
  const key = `thing ${thing.id}`;
  // What was searched for by the name of an affordance shows that.
  const isOpen = only !== undefined || open.has(key);
  const rows: SidebarRow[] = [{ kind: 'thing', key, level: 2, open: isOpen, thing }];
  if (!isOpen) return rows;
  for (const { of, affordance } of only ?? all(thing)) {
    rows.push({ kind: 'affordance', key: `${key} ${of} ${affordance.name}`, level: 3, of, thing, affordance });
  }
  rows.push({ kind: 'route', key: `${key} route`, level: 3, id: thing.id, route: thing.route });
  return rows;
}

function all({ properties, actions, events }: RoutedThing): Affordance[] {
  return [
    ...properties.map((affordance) => ({ of: 'property' as const, affordance })),
    ...actions.map((affordance) => ({ of: 'action' as const, affordance })),
    ...events.map((affordance) => ({ of: 'event' as const, affordance })),
  ];
}

function hasAll(text: string, words: readonly string[]): boolean {
  const lower = text.toLowerCase();
  return words.every((word) => lower.includes(word));
}
