import type { Advertisement, AdvertisementInit, AdvertisementQuery } from '../advertisement/advertisement.ts';
import type { AdvertisementChange } from '../discovery/discovery.ts';
import type { PipevineError } from '../error/pipevine-error.ts';
import type { Credential } from '../group/group-access.ts';
import type { MembershipPolicy } from '../group/membership-policy.ts';
import type { GroupId } from '../id/group-id.ts';
import type { Identity } from '../id/identity.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Mailbox } from '../mailbox/mailbox.ts';
import type { Applicant } from '../membership/application-desk.ts';
import type { FoundGroup } from '../membership/join-client.ts';
import type { PeerInfo } from '../peerinfo/peer-info.ts';
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
import type { NamedPipes } from '../pipe-names/named-pipes.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import type { RendezvousStatus } from '../rendezvous/rendezvous.ts';
import type { PropagateOptions, ResolverAnswer, ResolverHandler } from '../resolver/resolver.ts';
import type { ConsumedThing, ExposedThing, Reading, ThingFilter, ThingHandlers, ThingSummary } from '../thing/thing.ts';
import type { JsonValue, ThingInit } from '../thing/thing-description.ts';
import type { ThingProvider } from '../thing/thing-server.ts';
import type { PathReport } from './path-report.ts';

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

/** What an administrator gives a member: roles, and capabilities besides, `name:PATTERN` among them. */
export interface MemberGrant {
  readonly roles: readonly string[];
  readonly capabilities: readonly string[];
}

/** A member as this peer knows it. */
export interface GroupMember extends MemberGrant {
  readonly peer: PeerId;
  readonly name: string;
  /** Undefined when no credential of it is known here. */
  readonly serial?: string;
  readonly notAfterMs?: number;
  /** Whether this peer has a link to it, or is it. */
  readonly online: boolean;
  readonly revoked: boolean;
}

/** A group that this peer is a member of, and all that can be done inside it. */
export interface PeerGroup {
  readonly id: GroupId;
  readonly name: string;
  /** How one becomes a member. */
  readonly policy: MembershipPolicy;
  /** Whether peers that are no members may find the group. */
  readonly listed: boolean;
  /** Own credential. */
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
  /** Pipes by name: advertised by who listens, found and bound anew by who sends; propagate pipes among them. */
  readonly namedPipes: NamedPipes;
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
  /** Members heard of, those that this peer has admitted and those revoked among them, with what they may do. */
  memberList(options?: WaitOptions): Promise<readonly GroupMember[]>;
  /** Who waits for approval. Empty where this peer may not approve. */
  applicants(): readonly Applicant[];
  /** Approves an application by its serial. Rejects with `not-found` or `refused`. */
  approve(serial: string): Promise<void>;
  reject(serial: string): Promise<void>;
  /** Gives a member other roles and capabilities; earlier credentials of it are void then. Rejects with `not-found` or `refused`. */
  grant(peer: PeerId, grant: MemberGrant): Promise<void>;
  /** Ends a membership: known to every member online within seconds, its pipes are cut. Rejects with `not-found` or `refused`. */
  revoke(peer: PeerId): Promise<void>;
  /** The password by which this administrator admits. Rejects with `refused` or `invalid-argument`. */
  setPassword(password: string): Promise<void>;
  /** Answers queries of this name of other members, and hears what they propagate under it. Throws `busy`. */
  handle(name: string, handler: ResolverHandler): { close(): void };
  /** Asks every member in reach that handles `name`; answers come as they arrive, each once, until the deadline (default 2 s). */
  query(name: string, body: Uint8Array, options?: PropagateOptions): AsyncIterable<ResolverAnswer>;
  /** Tells every member in reach that handles `name`; resolves to how many neighbours took it. */
  propagate(name: string, body: Uint8Array, options?: PropagateOptions): Promise<number>;
  /** What another member says of itself. Rejects with `refused` when it does not tell this peer. */
  peerInfo(peer: PeerId, options?: WaitOptions): Promise<PeerInfo>;
  rendezvous(): RendezvousStatus;
  /** At which relays this peer can be reached, and whether it is one. */
  relays(): RelayStatus;
  /** Messages to members that are away. Throws `unsupported` in a peer without that part. */
  readonly mailbox: Mailbox;
}

/** What a group's relays do for a peer, and it for others. */
export interface RelayStatus {
  /** Whether this peer relays in the group. */
  readonly serving: boolean;
  /** Where it leases, best first. */
  readonly leases: readonly PeerId[];
  /** Leases that it has granted. */
  readonly clients: number;
}

/** A thing that came, changed or went. */
export interface ThingChange {
  readonly change: 'added' | 'updated' | 'removed';
  readonly thing: ThingSummary;
}

/** Something that happened to a peer, for a log or a page. */
export type PeerNotice =
  /** There is a link, where there was none. */
  | { readonly type: 'neighbour-up'; readonly peer: PeerId; readonly address: EndpointAddress }
  | { readonly type: 'neighbour-down'; readonly peer: PeerId }
  | { readonly type: 'group-joined'; readonly group: GroupId; readonly name: string }
  | { readonly type: 'group-left'; readonly group: GroupId }
  /** The credential could not be renewed; another attempt follows by itself. */
  | { readonly type: 'renewal-failed'; readonly group: GroupId; readonly error: PipevineError }
  /** An application was refused or ran out. */
  | {
      readonly type: 'application-ended';
      readonly group: GroupId;
      readonly name: string;
      readonly error: PipevineError;
    }
  /** The local network cannot be used; another attempt follows by itself. */
  | { readonly type: 'multicast-unavailable'; readonly error: PipevineError }
  | { readonly type: 'error'; readonly error: PipevineError };

export interface JoinOptions extends WaitOptions {
  /** Addresses to try besides what the local network shows. */
  readonly addresses?: readonly EndpointAddress[];
}

export interface CreateGroupInit {
  readonly name: string;
  /** Default: by code. */
  readonly policy?: MembershipPolicy;
  /** Whether peers that are no members may find the group. Default: unless it admits by code. */
  readonly listed?: boolean;
  /** What members get on admission; default `member`. */
  readonly roles?: readonly string[];
  /** Of a group that admits by password. */
  readonly password?: string;
}

/** What came of asking to be a member. `pending`: the peer goes on asking until the approvals are there. */
export type JoinResult =
  | { readonly state: 'joined'; readonly group: PeerGroup }
  | { readonly state: 'pending'; readonly have: number; readonly needed: number };

/** A peer of the overlay. */
export interface Peer {
  readonly id: PeerId;
  readonly name: string;
  readonly identity: Identity;
  readonly addresses: readonly EndpointAddress[];
  readonly groups: readonly PeerGroup[];
  group(id: GroupId): PeerGroup | undefined;
  /** Makes a group whose authority is kept in this peer's storage. */
  createGroup(init: CreateGroupInit): Promise<PeerGroup>;
  /** Makes a join code for a group whose authority, or an administrator of which, this peer is. */
  invite(
    group: GroupId,
    options?: { readonly lifetimeMs?: number; readonly uses?: number; readonly roles?: readonly string[] },
  ): Promise<string>;
  /** Applies and joins by a code; default deadline 15 s. Rejects with refused, expired, not-found, timeout ... */
  join(code: string, options?: JoinOptions): Promise<PeerGroup>;
  /** Groups that want to be found and to which somebody in reach admits, as they answer; ends after 3 s by default. */
  findGroups(options?: JoinOptions & { readonly name?: string }): AsyncIterable<FoundGroup>;
  /** Asks to be a member of a group by what its policy takes. Default deadline 15 s. Rejects as `join` does. */
  joinGroup(group: GroupId, options?: JoinOptions & { readonly password?: string }): Promise<JoinResult>;
  /** Own applications that wait for approval; they survive restarts. */
  readonly applications: readonly { readonly group: GroupId; readonly name: string; readonly since: number }[];
  /**
   * Gives up membership, or an application: tells an administrator when one is in reach, forgets the credential, drops the
   * group's pipes. Rejects with `refused` for a group whose authority is kept here, unless `end` says that it may end.
   */
  resign(group: GroupId, options?: { readonly end?: boolean }): Promise<void>;
  /** Lets this process be reached as the peers that `peers` finds, until released. */
  host(peers: HostedPeers): { release(): void };
  /** Calls `listener` for each notice, until the returned function is called. */
  subscribe(listener: (notice: PeerNotice) => void): () => void;
  status(): PeerStatus;
  /** How a peer is reached now, and what else was tried. Asks nobody. */
  explain(peer: PeerId): PathReport;
  /** Says goodbye, closes pipes and links, writes what waits. The platform's storage stays open. Idempotent. */
  close(): Promise<void>;
}
