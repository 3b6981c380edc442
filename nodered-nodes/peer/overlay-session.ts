import type { Peer, PeerGroup, PipevineError, WaitOptions } from '@pipevine/runtime';
import type { Node } from '../node/red.ts';

/** `alone`: a member, and nobody is linked. `failed`: see the error; what may pass by itself is tried again. */
export type SessionPhase = 'starting' | 'joining' | 'online' | 'alone' | 'failed' | 'closed';

export interface SessionState {
  readonly phase: SessionPhase;
  /** Why it failed, or what the last attempt to join came to. */
  readonly error?: PipevineError;
  /** Neighbours that a link leads to now. */
  readonly links: number;
}

/** A peer that runs inside Node-RED, and its membership. It outlives the nodes that use it by the linger. */
export interface OverlaySession {
  readonly state: SessionState;
  readonly peer: Peer | undefined;
  /** The chosen group once this peer is a member. */
  readonly group: PeerGroup | undefined;
  /** Resolves when a member (default deadline 15 s). Rejects with timeout, aborted, or what the session failed with. */
  ready(options?: WaitOptions): Promise<PeerGroup>;
  /** Calls `listener` at each change from now on, until the returned function is called. */
  subscribe(listener: (state: SessionState) => void): () => void;
}

/**
 * What output nodes do with a message that cannot be delivered now. `drop`: forget and count it. `error`: to a catch node.
 * `queue`: keep up to `limit` for each node, in order, and deliver them later; the newest is refused when it is full.
 */
export interface OfflinePolicy {
  readonly policy: 'drop' | 'error' | 'queue';
  readonly limit: number;
}

/** The config node: `RED.nodes.getNode(config.peer)`. */
export interface PeerConfigNode extends Node {
  readonly session: OverlaySession;
  readonly offline: OfflinePolicy;
  /** Counts who uses it. */
  register(node: Node): void;
  deregister(node: Node): void;
}
