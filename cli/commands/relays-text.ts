import type { JsonValue } from '@pipevine/runtime';
import type { Params } from '../control/json-rpc.ts';
import { listOf, shortId } from './command-context.ts';

/** What a group's relays do for the peer, and it for others, in a few words; undefined where neither does anything. */
export function relaysText(status: JsonValue | undefined): string | undefined {
  if (typeof status !== 'object' || status === null) return undefined;
  const { serving, leases, clients } = status as Params; // as relaysReport makes it
  const at = listOf(leases).map(shortId).join(', ');
  const parts = [
    ...(at === '' ? [] : [`reached over ${at}`]),
    ...(serving === true ? [`serving, ${clients} ${clients === 1 ? 'lease' : 'leases'} granted`] : []),
  ];
  return parts.length === 0 ? undefined : parts.join('; ');
}
