import type { Advertisement, AdvertisementInit, AdvertisementQuery } from '../advertisement/advertisement.ts';
import type { AdvertisementChange } from '../discovery/discovery.ts';
import type { PipevineError } from '../error/pipevine-error.ts';
import type { Credential } from '../group/group-access.ts';
import type { GroupId } from '../id/group-id.ts';
import type { Identity } from '../id/identity.ts';
import type { PeerId } from '../id/peer-id.ts';
import type {
  ConnectInit,
  ListenInit,
  Pipe,
  PipeListener,
  RequestHandler,
  RequestPipe,
  WaitOptions,
} from '../pipe/pipe.ts';
import type { HostedPeers } from '../pipe/pipes.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import type { ConsumedThing, ExposedThing, Reading, ThingFilter, ThingHandlers, ThingSummary } from '../thing/thing.ts';
import type { JsonValue, ThingInit } from '../thing/thing-description.ts';
import type { ThingProvider } from '../thing/thing-server.ts';

/** A link as `status` shows it. */
export interface LinkStatus {
  readonly peer: PeerId;
  readonly transport: string;
  readonly address: EndpointAddress;
  readonly rttMs: number | undefined;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** A bounded queue, table or cache: how full it is, and how often it had to refuse or drop. */
export interface BoundStatus {
  readonly used: number;
  readonly limit: number;
  readonly dropped: number;
}

export interface PeerStatus {
  readonly peer: PeerId;
  readonly name: string;
  readonly roles: readonly string[];
  readonly uptimeMs: number;
  readonly groups: readonly { readonly id: GroupId; readonly name: string; readonly roles: readonly string[] }[];
  readonly addresses: readonly EndpointAddress[];
  readonly links: readonly LinkStatus[];
  readonly queues: Readonly<Record<string, BoundStatus>>;
}

/** A group that this peer is a member of, and all that can be done inside it. */
export interface PeerGroup {
  readonly id: GroupId;
  readonly name: string;
  /** Own credential; undefined in the world group. */
  readonly credential: Credential | undefined;
  publish(init: Omit<AdvertisementInit, 'group'>): Promise<Advertisement>;
  /** Publishes as a peer that this process hosts. */
  publishAs(identity: Identity, init: Omit<AdvertisementInit, 'group'>): Promise<Advertisement>;
  /** Withdraws what `publish` made known under this kind and key. Does nothing when there is none. */
  withdraw(name: Pick<AdvertisementInit, 'kind' | 'key'>): Promise<void>;
  withdrawAs(identity: Identity, name: Pick<AdvertisementInit, 'kind' | 'key'>): Promise<void>;
  discover(query: Omit<AdvertisementQuery, 'group'>, options?: WaitOptions): AsyncIterable<Advertisement>;
  watch(
    query: Omit<AdvertisementQuery, 'group'>,
    options?: { signal?: AbortSignal },
  ): AsyncIterable<AdvertisementChange>;
  listen(init: Omit<ListenInit, 'group'>, onPipe: (pipe: Pipe) => void): PipeListener;
  connect(init: Omit<ConnectInit, 'group'>): Promise<Pipe>;
  serve(init: Omit<ListenInit, 'group'>, handler: RequestHandler): PipeListener;
  requester(init: Omit<ConnectInit, 'group' | 'kind'>): Promise<RequestPipe>;
  expose(thing: ThingInit, handlers: ThingHandlers): Promise<ExposedThing>;
  /** The things of the group, each once: own cache first, then the neighbours' answers. */
  things(filter?: ThingFilter, options?: WaitOptions): AsyncIterable<ThingSummary>;
  /** What is there now, then each thing that comes, changes or goes, until the signal or the end of the iteration. */
  watchThings(options?: { readonly signal?: AbortSignal }): AsyncIterable<ThingChange>;
  /** By its summary, its id, or its title when only one thing has it. Rejects with `not-found` or `ambiguous`. */
  consume(thing: ThingSummary | string): Promise<ConsumedThing>;
  /** Asks `provider` for things of hosted peers, until removed. */
  addThings(provider: ThingProvider): { remove(): void };
  /** Tells the observers of a hosted peer's thing. */
  emitPropertyChange(peer: PeerId, key: string, name: string, reading: Reading): void;
  emitEvent(peer: PeerId, key: string, name: string, data: JsonValue | undefined): void;
  /** Ends the observations of a hosted peer's thing that is gone. */
  thingGone(peer: PeerId, key: string): void;
  /** Members heard of, by their peer advertisements. */
  members(options?: WaitOptions): AsyncIterable<Advertisement>;
}

/** A thing that came, changed or went. */
export interface ThingChange {
  readonly change: 'added' | 'updated' | 'removed';
  readonly thing: ThingSummary;
}

/** Something that happened to a peer, for a log or a page. */
export type PeerNotice =
  | { readonly type: 'neighbour-up'; readonly peer: PeerId; readonly address: EndpointAddress }
  | { readonly type: 'neighbour-down'; readonly peer: PeerId }
  | { readonly type: 'group-joined'; readonly group: GroupId; readonly name: string }
  | { readonly type: 'group-left'; readonly group: GroupId }
  /** The credential could not be renewed; another attempt follows by itself. */
  | { readonly type: 'renewal-failed'; readonly group: GroupId; readonly error: PipevineError }
  /** The local network cannot be used; another attempt follows by itself. */
  | { readonly type: 'multicast-unavailable'; readonly error: PipevineError }
  | { readonly type: 'error'; readonly error: PipevineError };

export interface JoinOptions extends WaitOptions {
  /** Addresses to try besides what the local network shows. */
  readonly addresses?: readonly EndpointAddress[];
}

/** A peer of the overlay. */
export interface Peer {
  readonly id: PeerId;
  readonly name: string;
  readonly identity: Identity;
  readonly addresses: readonly EndpointAddress[];
  readonly groups: readonly PeerGroup[];
  group(id: GroupId): PeerGroup | undefined;
  /** Makes a group whose authority is kept in this peer's storage. */
  createGroup(init: { readonly name: string }): Promise<PeerGroup>;
  /** Makes a join code for a group whose authority, or an administrator of which, this peer is. */
  invite(
    group: GroupId,
    options?: { readonly lifetimeMs?: number; readonly uses?: number; readonly roles?: readonly string[] },
  ): Promise<string>;
  /** Applies and joins by a code; default deadline 15 s. Rejects with refused, expired, not-found, timeout ... */
  join(code: string, options?: JoinOptions): Promise<PeerGroup>;
  /** Gives up membership: forgets the credential, drops the group's pipes. */
  resign(group: GroupId): Promise<void>;
  /** Lets this process be reached as the peers that `peers` finds, until released. */
  host(peers: HostedPeers): { release(): void };
  /** Calls `listener` for each notice, until the returned function is called. */
  subscribe(listener: (notice: PeerNotice) => void): () => void;
  status(): PeerStatus;
  /** Says goodbye, closes pipes and links, writes what waits. The platform's storage stays open. Idempotent. */
  close(): Promise<void>;
}
