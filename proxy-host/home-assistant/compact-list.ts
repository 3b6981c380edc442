/** From here on a list grows in place. */
const COPY_UP_TO = 32;

/**
 * A list with one more item, and no room to spare while it is short: a JavaScript array that grows by `push` takes room
 * for 17 items with its first one, and the mapping holds a hundred thousand lists of one.
 */
export function appended<T>(list: T[] | undefined, item: T): T[] {
  if (list === undefined) return [item];
  if (list.length < COPY_UP_TO) return [...list, item];
  list.push(item);
  return list;
}

export function removed<T>(list: T[], item: T): T[] {
  if (list.length <= COPY_UP_TO) return list.filter((one) => one !== item);
  const at = list.indexOf(item);
  if (at >= 0) list.splice(at, 1);
  return list;
}
