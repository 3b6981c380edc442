import type { PipevineError } from '../error/pipevine-error.ts';
import type { Credential } from '../group/group-access.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { WaitOptions } from '../pipe/pipe.ts';
import type { EndpointAddress } from '../platform/transport.ts';

/** Whom a handler serves. */
export interface ResolverContext {
  readonly group: GroupId;
  readonly localPeer: PeerId;
  /** Who asks: the sender of a directed query, who need not be a neighbour, the signed origin of a propagated one. */
  readonly remotePeer: PeerId;
  /** Of `remotePeer`, verified and valid now. */
  readonly credential: Credential;
  /** True when the query came by propagation and not from `remotePeer` itself. */
  readonly propagated: boolean;
  /** Aborted when the asker gives up, its link is gone, or the deadline of a propagated query is over. */
  readonly signal: AbortSignal;
}

/**
 * Answers one query: by one answer or by a sequence. To a propagated query whoever has nothing to say answers nothing
 * (an empty sequence). A PipevineError that it throws reaches the asker of a directed query by code and message.
 */
export type ResolverHandler = (
  body: Uint8Array,
  context: ResolverContext,
) => Promise<Uint8Array> | AsyncIterable<Uint8Array>;

/** A member of the group that can be asked now: its pipe is open. */
export interface GroupNeighbour {
  readonly peer: PeerId;
  readonly credential: Credential;
  /** One answer; default deadline 10 s. Rejects with what the handler threw, `not-found` when there is no such handler. */
  request(handler: string, body: Uint8Array, options?: WaitOptions): Promise<Uint8Array>;
  /** A sequence of answers; the deadline (default 10 s) is for the first or the end. Leaving the iteration cancels. */
  stream(handler: string, body: Uint8Array, options?: WaitOptions): AsyncIterable<Uint8Array>;
  /** Settles when the pipe is closed. Never rejects. */
  readonly closed: Promise<PipevineError | undefined>;
}

export interface NeighbourEvents {
  /** A neighbour proved to be a member and can be asked: at first, and each time its pipe is opened anew. */
  onOpen(neighbour: GroupNeighbour): void;
  onClosed(neighbour: GroupNeighbour): void;
}

/** An answer to a propagated query, signed by whoever gave it. */
export interface ResolverAnswer {
  readonly from: PeerId;
  readonly body: Uint8Array;
}

export interface PropagateOptions extends WaitOptions {
  /** Hops that the message may take; default 3, at most 8. */
  readonly ttlHops?: number;
}

export interface HandlerOptions {
  /** Chooses among the next hops of what is propagated to this handler; default: all that `setHops` gives. */
  readonly hops?: (neighbours: readonly GroupNeighbour[]) => readonly GroupNeighbour[];
}

/** Asking and answering inside one group (JXTA's resolver): every service of the overlay is a named handler of it. */
export interface GroupResolver {
  readonly group: GroupId;
  readonly localPeer: PeerId;
  /** Throws `busy` when the name is taken. */
  handle(name: string, handler: ResolverHandler, options?: HandlerOptions): { close(): void };
  /** The linked members whose pipe is open. */
  neighbours(): readonly GroupNeighbour[];
  neighbour(peer: PeerId): GroupNeighbour | undefined;
  /** Resolves when no first attempt at a linked peer is under way any more. */
  settled(): Promise<void>;
  /**
   * The neighbour, linked and opened first if need be, at the given addresses besides those that are known; default
   * deadline 10 s. Rejects with refused, unreachable, timeout ...
   */
  connect(
    peer: PeerId,
    options?: WaitOptions & { readonly addresses?: readonly EndpointAddress[] },
  ): Promise<GroupNeighbour>;
  subscribe(events: NeighbourEvents): { unsubscribe(): void };
  /** It sent what does not verify: its pipe is closed and it is left alone for a while. */
  distrust(peer: PeerId): void;
  /**
   * Asks every member within `ttlHops` that has the handler. Each responder's answers come as they arrive, none twice,
   * none after the deadline (default 2 s).
   */
  query(handler: string, body: Uint8Array, options?: PropagateOptions): AsyncIterable<ResolverAnswer>;
  /** Tells every member within `ttlHops`; resolves to how many neighbours took it. Nobody answers. */
  propagate(handler: string, body: Uint8Array, options?: PropagateOptions): Promise<number>;
  /** Chooses the next hops of what is propagated; default: all neighbours. */
  setHops(next: (neighbours: readonly GroupNeighbour[]) => readonly GroupNeighbour[]): void;
}

/** A resolver that also asks members which are no neighbours. */
export interface ReachingResolver extends GroupResolver {
  /**
   * A given member, to be asked: the neighbour if it is one or a link to it comes up soon, else over a relay, without its
   * becoming a neighbour. Default deadline 10 s. Rejects with refused, unreachable, timeout, overloaded ...
   */
  reach(peer: PeerId, options?: WaitOptions): Promise<GroupNeighbour>;
}
