import type { JsonValue } from '@pipevine/runtime';
import type { Params } from '../control/json-rpc.ts';
import { humanDuration } from '../output/duration.ts';
import { listOf, shortId } from './command-context.ts';

/** What a group's rendezvous service does, in a few words; undefined where nothing is known of it. */
export function rendezvousText(status: JsonValue | undefined): string | undefined {
  if (typeof status !== 'object' || status === null) return undefined;
  const { serving, lease, clients, peerview } = status as Params; // as rendezvousReport makes it
  const others = listOf(peerview).length;
  if (serving === true)
    return `serving, ${clients} ${clients === 1 ? 'lease' : 'leases'} granted, ${others} rendezvous in the ring`;
  if (typeof lease !== 'object' || lease === null) return `no lease, ${others} rendezvous known`;
  const { rendezvous, remainingMs } = lease as Params; // as above
  return `lease at ${shortId(rendezvous)} for ${humanDuration(Number(remainingMs))}, ${others} rendezvous known`;
}
