import { PipevineError, parsePeerId } from '@pipevine/runtime';
import type { AdminRequest } from './admin-route.ts';
import { chosenGroup } from './chosen-session.ts';

/** How a peer is reached now, and why not better. */
export interface ListedRoute {
  readonly peer: string;
  /** See the runtime's PathState. */
  readonly state: 'self' | 'direct' | 'hosted' | 'relayed' | 'ready' | 'none';
  readonly via: readonly string[];
  readonly transport: string | null;
  readonly address: string | null;
  readonly rttMs: number | null;
  /** A sentence without its end. */
  readonly text: string;
  readonly advice: string | null;
}

export async function routeReport(request: AdminRequest): Promise<ListedRoute> {
  const { id } = request.params;
  if (id === undefined) throw new PipevineError('invalid-argument', 'The id of a peer is missing.');
  const wanted = parsePeerId(id);
  const { peer } = await chosenGroup(request);
  const { summary, link } = peer.explain(wanted);
  return {
    peer: wanted,
    state: summary.state,
    via: summary.via,
    transport: link?.transport ?? null,
    address: link?.address ?? null,
    rttMs: link?.rttMs ?? null,
    text: summary.text,
    advice: summary.advice ?? null,
  };
}
