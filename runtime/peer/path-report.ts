import type { DialAttempt } from '../endpoint/dial-book.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { PipeKind } from '../pipe/pipe.ts';
import type { PipePath } from '../pipe/pipe-path.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import type { PunchReport } from '../punch/punch-service.ts';
import type { LinkStatus } from './peer.ts';

/** A running pipe to the peer. */
export interface PathPipe {
  readonly group: GroupId;
  readonly name: string;
  readonly kind: PipeKind;
  /** How it goes now; undefined while it waits for a way. `relays`: over several, all of them, the first of them `via`. */
  readonly path: (PipePath & { readonly relays?: readonly PeerId[] }) | undefined;
}

/** A relay that could forward to the peer in a group of both. */
export interface PathRelay {
  readonly relay: PeerId;
  readonly group: GroupId;
  /** The peer, or its host, has signed that it leases there. */
  readonly its: boolean;
  /** This peer leases there. */
  readonly own: boolean;
  /** This peer has a link to it now. */
  readonly linked: boolean;
}

/** Whence an address is known: heard on the local network, from an earlier link, told by a rendezvous, signed by the peer. */
export type AddressSource = 'local-network' | 'remembered' | 'rendezvous' | 'advertised';

export interface PathAddress {
  readonly address: EndpointAddress;
  readonly source: AddressSource;
}

/**
 * Which path carries traffic. `self`: none, the peer is in this process. `direct`: a link to it. `hosted`: a link to the host
 * that speaks for it. `relayed`: running pipes go over relays. `ready`: nothing runs now, and there is a way to try. `none`.
 */
export type PathState = 'self' | 'direct' | 'hosted' | 'relayed' | 'ready' | 'none';

export interface PathSummary {
  readonly state: PathState;
  /** The neighbours over which it goes, or would go: the peer, its host, or relays. Empty for `self` and `none`. */
  readonly via: readonly PeerId[];
  /** One sentence, without its end: what carries traffic now, and why it is not something better. */
  readonly text: string;
  /** What could be done, in whole sentences. Undefined when nothing is to be. */
  readonly advice: string | undefined;
}

/** How a peer is reached now, and what else was tried. Nothing in it is proven but the link. */
export interface PathReport {
  readonly peer: PeerId;
  /** Empty when it has told none. */
  readonly name: string;
  /** The proxy host that speaks for it. Addresses, attempts and punch are the host's then. */
  readonly host: PeerId | undefined;
  readonly summary: PathSummary;
  readonly link: (LinkStatus & { /** Whether this side dialled. */ readonly dialled: boolean }) | undefined;
  /** Groups that both are members of, as far as is known. */
  readonly groups: readonly { readonly id: GroupId; readonly name: string }[];
  readonly pipes: readonly PathPipe[];
  readonly relays: readonly PathRelay[];
  /** Where it is dialled, best first. */
  readonly addresses: readonly PathAddress[];
  /** How the last attempt at each address ended, oldest first. */
  readonly attempts: readonly DialAttempt[];
  readonly punch: PunchReport | undefined;
}
