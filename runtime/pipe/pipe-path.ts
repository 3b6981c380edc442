import type { PeerId } from '../id/peer-id.ts';

/** The neighbour over which a pipe goes: the peer at its other end, the proxy host of either, or a relay. */
export interface PipePath {
  readonly via: PeerId;
  readonly type: 'direct' | 'hosted' | 'relayed';
  /** At the binder, where it has named the relays: all of them, the first of them `via`. */
  readonly relays?: readonly PeerId[];
}
