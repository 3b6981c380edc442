import type { PeerId } from '../id/peer-id.ts';
import type { Link, LinkHandler } from '../link/link.ts';
import type { WaitOptions } from '../pipe/pipe.ts';
import type { EndpointAddress } from '../platform/transport.ts';

/** Where a peer that is no neighbour is reached, and by which addresses a neighbour can be dialled. Hints; never trusted. */
export interface RouteSource {
  /** Addresses to dial for this peer, best first. */
  addressesOf(peer: PeerId): readonly EndpointAddress[];
  /** The peer that speaks for it (its proxy host), when a valid delegation says so. */
  hostOf(peer: PeerId): PeerId | undefined;
}

/** Notices of the endpoint. */
export interface EndpointEvents {
  /** The link to a neighbour stands, or this one has taken the place of another: what `linkTo` gives from now on. */
  onLinkUp(link: Link): void;
  /** There is no link to that neighbour any more; this was the last. */
  onLinkDown(link: Link): void;
}

/** Takes what comes over the links: the pipes. */
export interface LinkUser {
  /** Called for each new link before anything comes over it; nothing comes after the handler's `onClosed`. */
  handlerOf(link: Link): LinkHandler;
}

export interface ConnectOptions extends WaitOptions {
  /** Addresses to dial besides those that are known. */
  readonly addresses?: readonly EndpointAddress[];
  /** An address from which the peer was heard just now: dialled at once, whatever else is under way or failed there before. */
  readonly heardAt?: EndpointAddress;
}

/** Holds the links to the neighbours: accepts, dials, keeps one a peer, heals those that are wanted. */
export interface Endpoint {
  readonly localPeer: PeerId;
  /** Own addresses as others can dial them. */
  readonly addresses: readonly EndpointAddress[];
  links(): readonly Link[];
  linkTo(peer: PeerId): Link | undefined;
  listen(address: EndpointAddress): Promise<void>;
  /**
   * The link to a neighbour, dialled if need be at all its known addresses in parallel with a small stagger. Default
   * deadline 10 s. Rejects with the reason that says most: wrong-peer, refused, timeout, unreachable.
   */
  connect(peer: PeerId, options?: ConnectOptions): Promise<Link>;
  /** Dials an address without knowing who answers (a seed). */
  dial(address: EndpointAddress, options?: WaitOptions): Promise<Link>;
  /** Keeps trying, with jittered back-off, to have a link to this peer or seed address until told otherwise. */
  want(target: PeerId | EndpointAddress): { release(): void };
  subscribe(events: EndpointEvents): { unsubscribe(): void };
  /** Hands all that comes over links to `user`. Called once, before the first link. */
  carry(user: LinkUser): void;
  close(): Promise<void>;
}
