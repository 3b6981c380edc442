import type { JsonValue } from '@pipevine/runtime';
import type { Params } from '../control/json-rpc.ts';
import { listOf, nameOf, shortId, textOf } from './command-context.ts';

/** How a running pipe goes, in a few words; undefined when it has no path. */
export function pathText(path: JsonValue | undefined): string | undefined {
  if (typeof path !== 'object' || path === null) return undefined;
  const { type, via, viaName, relays } = path as Params; // as pathReport makes it
  if (type === 'direct') return 'direct';
  const further = listOf(relays).length - 1;
  const more = further > 0 ? ` and ${further} more` : '';
  return `${type === 'hosted' ? 'by host' : 'over relay'} ${called(viaName, via)}${more}`;
}

/** A peer by its name, if it has told one, and its short id. */
export function called(name: JsonValue | undefined, id: JsonValue | undefined): string {
  return textOf(name) === '' ? shortId(id) : `"${nameOf(name)}" (${shortId(id)})`;
}
