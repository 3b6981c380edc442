import type { AdvertisementQuery } from '../advertisement/advertisement.ts';

/** The same for queries of a group that ask for the same; limits aside. */
export function queryName({ kind, publisher, key, name, attributes }: Omit<AdvertisementQuery, 'group'>): string {
  return JSON.stringify([kind, publisher, key, name, Object.entries(attributes ?? {}).sort(byFirst)]);
}

function byFirst([a]: [string, string], [b]: [string, string]): number {
  return a < b ? -1 : 1;
}
