import { type Peer, type PeerId, shortPeerId } from '@pipevine/runtime';

/** How a peer is reached now, for people. */
export interface NamedRoute {
  /** See the runtime's PathState. */
  readonly state: 'self' | 'direct' | 'hosted' | 'relayed' | 'ready' | 'none';
  readonly transport: string | null;
  readonly rttMs: number | null;
  /** Names of the peers between. */
  readonly via: readonly string[];
  /** A sentence without its end. */
  readonly text: string;
  readonly advice: string | null;
}

/** Asks nobody. A peer that `names` lacks goes by the short form of its id. */
export function namedRoute(peer: Peer, names: ReadonlyMap<PeerId, string>, id: PeerId): NamedRoute {
  const { summary, link } = peer.explain(id);
  return {
    state: summary.state,
    transport: link?.transport ?? null,
    rttMs: link?.rttMs ?? null,
    via: summary.via.filter((one) => one !== id).map((one) => names.get(one) || shortPeerId(one)),
    text: summary.text,
    advice: summary.advice ?? null,
  };
}
