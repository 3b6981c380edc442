import type { AdvertisementStore } from '../advertisement/advertisement-store.ts';
import type { DiscoveryService } from '../discovery/discovery-service.ts';
import { PublisherCheck } from '../discovery/publisher-check.ts';
import type { EndpointService } from '../endpoint/endpoint-service.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { may } from '../group/capability.ts';
import { GroupSync } from '../group/group-sync.ts';
import type { Groups } from '../group/groups.ts';
import type { GroupId } from '../id/group-id.ts';
import type { Identity } from '../id/identity.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { PeerInfoPolicy } from '../peerinfo/peer-info.ts';
import { type PeerInfoFacts, PeerInfoService } from '../peerinfo/peer-info-service.ts';
import type { Pipes } from '../pipe/pipes.ts';
import type { Timer } from '../platform/clock.ts';
import type { Platform } from '../platform/platform.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import { PropagatePipes } from '../propagate/propagate-pipes.ts';
import { RendezvousClient } from '../rendezvous/rendezvous-client.ts';
import type { GroupNeighbour } from '../resolver/resolver.ts';
import type { ResolverService } from '../resolver/resolver-service.ts';
import type { RoutedRelays } from '../router/routed-relays.ts';
import { Router } from '../router/router.ts';
import { GroupThings } from '../thing/group-things.ts';
import { GroupRelays } from './group-relays.ts';
import { MemberGroup } from './member-group.ts';
import type { BoundStatus } from './peer.ts';
import type { RunningPart } from './peer-part.ts';

/** How often pipes are looked over for credentials that have run out, ms. */
const RECHECK_MS = 60 * 60_000;

/** A peer that knows fewer members asks each new neighbour for so many that it knows. */
const FEW_MEMBERS = 8;
const MEMBERS_ASKED_FOR = 32;

/** What all groups of a peer share. */
export interface GroupServicesInit {
  readonly platform: Platform;
  readonly identity: Identity;
  readonly groups: Groups;
  readonly store: AdvertisementStore;
  readonly endpoint: EndpointService;
  readonly pipes: Pipes;
  readonly resolver: ResolverService;
  readonly discovery: DiscoveryService;
  readonly parts: readonly RunningPart[];
  readonly routes: RoutedRelays;
  readonly hostOf: (peer: PeerId) => PeerId | undefined;
  /** Whether this process hosts that peer. */
  readonly hosts: (peer: PeerId) => boolean;
  readonly addressesOf: (peer: PeerId) => readonly EndpointAddress[];
  readonly facts: (asker: PeerId) => PeerInfoFacts;
  readonly peerInfo: Partial<PeerInfoPolicy>;
  /** This peer has begun or ended to be a rendezvous of the group. */
  readonly onServing: (group: GroupId) => void;
  readonly onError: (error: PipevineError) => void;
}

/** Everything that runs in one group for as long as this peer is a member of it. */
export class GroupServices {
  readonly group: MemberGroup;
  readonly #id: GroupId;
  readonly #init: GroupServicesInit;
  readonly #publishers: PublisherCheck;
  readonly #rendezvous: RendezvousClient;
  readonly #router: Router;
  readonly #sync: GroupSync;
  readonly #info: PeerInfoService;
  readonly #propagate: PropagatePipes;
  readonly #things: GroupThings;
  readonly #relays: GroupRelays;
  readonly #punch: { close(): void } | undefined;
  readonly #unfollow: () => void;
  readonly #introduction: { unsubscribe(): void };
  #recheck: Timer;

  constructor(id: GroupId, init: GroupServicesInit) {
    const { platform, identity, groups, store, endpoint, pipes, discovery, hostOf, hosts, addressesOf } = init;
    const { clock, random, crypto, storage } = platform;
    const access = groups.access(id);
    if (access === undefined) throw new PipevineError('internal', 'A group was opened that this peer is not in.');
    this.#id = id;
    this.#init = init;
    const resolver = init.resolver.openGroup(id);
    this.#publishers = new PublisherCheck({ group: id, localPeer: identity.id, access, store, hostOf, clock });
    const isOwn = (publisher: PeerId) => publisher === identity.id || hosts(publisher);
    const shared = { group: id, resolver, store, endpoint, clock, random, crypto, hostOf, isOwn, addressesOf };
    const [server] = init.parts.flatMap(({ rendezvous }) => rendezvous ?? []);
    this.#rendezvous = new RendezvousClient({
      ...shared,
      storage,
      ...(server && {
        server: server({
          ...shared,
          mayServe: () => may(groups.membership(id)?.credential, 'rendezvous'),
          keepsAuthority: () => groups.membership(id)?.authority === true,
          receive: (encoded, from) => void discovery.receive(id, encoded, from),
          onServing: () => init.onServing(id),
        }),
      }),
    });
    discovery.openGroup(id, { resolver, publishers: this.#publishers, scope: this.#rendezvous.scope });
    this.#rendezvous.start();
    this.#router = new Router({
      group: id,
      resolver,
      store,
      hostOf,
      clock,
      receive: (encoded, from) => this.#receiveRoutes(encoded, from),
      rttOf: (peer) => endpoint.linkTo(peer)?.rttMs,
    });
    const routed = init.routes.open(id, this.#router);
    const unfollowRoutes = discovery.followNeighbours('route', id);
    this.#introduction = resolver.subscribe({
      onOpen: (neighbour) => void this.#askForMembers(neighbour),
      onClosed: () => undefined,
    });
    const unfollowPeers = discovery.followNeighbours('peer', id);
    this.#unfollow = () => {
      unfollowPeers();
      unfollowRoutes();
      routed.close();
    };
    this.#sync = new GroupSync({ groups, resolver, clock, random, crypto });
    this.#info = new PeerInfoService({ resolver, facts: init.facts, policy: init.peerInfo });
    this.#propagate = new PropagatePipes({ identity, resolver, groups, storage, clock, random, crypto });
    this.#things = new GroupThings({ group: id, identity, clock, random, pipes, discovery, hostOf });
    this.#relays = new GroupRelays({ ...init, group: id, access, resolver, router: this.#router });
    const mayServe = () => this.#relays.serving;
    this.#punch = init.parts
      .find(({ punch }) => punch)
      ?.punch?.openGroup({ group: id, resolver, ...(init.parts.some(({ relay }) => relay) && { mayServe }) });
    this.group = new MemberGroup({
      id,
      identity,
      pipes,
      endpoint,
      isKnown: (peer) =>
        isOwn(peer) ||
        endpoint.linkTo(peer) !== undefined ||
        hostOf(peer) !== undefined ||
        addressesOf(peer).length > 0,
      discovery,
      resolver,
      things: this.#things,
      info: this.#info,
      rendezvous: this.#rendezvous,
      administrator: init.parts.find(({ administrator }) => administrator)?.administrator,
      propagate: this.#propagate,
      relays: this.#relays,
      groups,
      clock,
      random,
    });
    this.#recheck = this.#later();
  }

  /** Whether this peer is a rendezvous of the group now. */
  get serving(): boolean {
    return this.#rendezvous.status().serving;
  }

  /** Whether this peer is a relay of the group now. */
  get relaying(): boolean {
    return this.#relays.serving;
  }

  /** Relays of the group at which this peer leases. */
  get relays(): readonly PeerId[] {
    return this.#relays.relays();
  }

  /** The own credential is another one: it may allow more, or less. */
  credentialChanged(): void {
    this.#rendezvous.credentialChanged();
    this.#relays.credentialChanged();
  }

  /** Where a rendezvous of the group may be dialled, as other rendezvous say. */
  addressesOf(peer: PeerId): readonly EndpointAddress[] {
    return this.#rendezvous.addressesOf(peer);
  }

  /** Memberships may have ended: cuts the pipes of those, and forgets what they have published. */
  recheck(): void {
    this.#init.pipes.recheck(this.#id);
    void this.#publishers.recheck();
  }

  /** Bounds and counters, by name. */
  status(): readonly Readonly<Record<string, BoundStatus>>[] {
    const { relays, propagate } = { relays: this.#relays.bounds(), propagate: this.#propagate.status() };
    return [this.#things.status(), this.#rendezvous.bounds(), this.#sync.status(), propagate, ...relays];
  }

  /** Cancels leases, then ends all. Idempotent. */
  async close(): Promise<void> {
    this.#recheck.cancel();
    this.#introduction.unsubscribe();
    this.#unfollow();
    this.group.close();
    await this.#things.close();
    this.#punch?.close();
    await this.#relays.close();
    this.#router.close();
    await this.#rendezvous.close();
    this.#sync.close();
    this.#info.close();
    this.#propagate.close();
    this.#init.discovery.closeGroup(this.#id);
    this.#publishers.close();
    await this.#init.resolver.closeGroup(this.#id);
  }

  /** What others have answered to a question for ways: from a neighbour, or over several peers, as if of one's own. */
  #receiveRoutes(encoded: readonly Uint8Array[], from: PeerId): void {
    const { resolver, groups, identity, discovery } = this.#init;
    const credential = groups.membership(this.#id)?.credential;
    const own = credential && { peer: identity.id, credential };
    const source = resolver.group(this.#id)?.neighbour(from) ?? own;
    if (source !== undefined) discovery.receive(this.#id, encoded, source);
  }

  /** Whom the neighbour knows, while hardly anybody is known here: a way to others should this neighbour go. */
  async #askForMembers(neighbour: GroupNeighbour): Promise<void> {
    const { discovery, store } = this.#init;
    if (store.search({ kind: 'peer', group: this.#id, limit: FEW_MEMBERS }).length >= FEW_MEMBERS) return;
    try {
      await discovery.knownPeers(neighbour, this.#id, MEMBERS_ASKED_FOR);
    } catch (error) {
      // The next neighbour may tell more.
      if (!(error instanceof PipevineError)) throw error;
    }
  }

  #later(): Timer {
    return this.#init.platform.clock.setTimer(RECHECK_MS, () => {
      this.recheck();
      this.#recheck = this.#later();
    });
  }
}
