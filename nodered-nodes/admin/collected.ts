/** As many as a list in the editor holds. */
const MAX_ITEMS = 2_000;

/** The first items of a search, each made ready for the editor. */
export async function collected<T, R>(items: AsyncIterable<T>, make: (item: T) => R): Promise<R[]> {
  const found: R[] = [];
  for await (const item of items) {
    found.push(make(item));
    if (found.length === MAX_ITEMS) break;
  }
  return found;
}

/** How long neighbours are listened to. */
export const SEARCH_TIMEOUT_MS = 1_500;
