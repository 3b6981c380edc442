import type { NetworkConditions } from '@pipevine/transports';
import { MemoryStorage, nodeCrypto, seededRandom } from '@pipevine/transports';
import type { Advertisement } from '../../advertisement/advertisement.ts';
import { AdvertisementStore } from '../../advertisement/advertisement-store.ts';
import { decodeRouteBody, encodeRouteBody, NEIGHBOURS_KEY } from '../../advertisement/route-body.ts';
import { EndpointService } from '../../endpoint/endpoint-service.ts';
import { PipevineError } from '../../error/pipevine-error.ts';
import { wellFormed } from '../../error/well-formed.ts';
import { WORLD_GROUP } from '../../id/group-id.ts';
import type { PeerId } from '../../id/peer-id.ts';
import type { Link } from '../../link/link.ts';
import { Pipes } from '../../pipe/pipes.ts';
import { Overlay, type TestPeer, WORLD_ONLY } from '../../pipe/testing/overlay.ts';
import { RelayClient } from '../../relay/relay-client.ts';
import { RelayForwarder } from '../../relay/relay-forwarder.ts';
import { RelayServer } from '../../relay/relay-server.ts';
import { type FakeResolver, FakeResolvers } from '../../resolver/testing/fake-resolvers.ts';
import { NeighbourAdvertiser } from '../neighbour-advertiser.ts';
import { RoutedRelays } from '../routed-relays.ts';
import { Router } from '../router.ts';

/** A member of the tests: what it knows of routes comes from signed advertisements of others. */
export interface RoutedPeer extends TestPeer {
  readonly resolver: FakeResolver;
  readonly store: AdvertisementStore;
  readonly router: Router | undefined;
  readonly forwarder: RelayForwarder;
  readonly leases: () => readonly PeerId[];
}

export interface RoutedPeerInit {
  readonly relays?: boolean;
  /** Default: it has one. */
  readonly router?: boolean;
  /** Nobody can dial it. Default: only relays can be dialled. */
  readonly hidden?: boolean;
}

/**
 * Peers whose links and pipes are real and whose resolvers are fakes: each link opens the resolvers at its ends to each
 * other, and neighbours hear of each other's routes at once, as discovery lets them.
 */
export class RoutedOverlay {
  readonly overlay: Overlay;
  readonly resolvers: FakeResolvers;
  readonly peers = new Map<PeerId, RoutedPeer>();
  /** What has been published, by publisher and key: neighbours get it. */
  readonly #published = new Map<PeerId, Map<string, Advertisement>>();
  readonly #seed: number;

  constructor(seed = 1, conditions: Partial<NetworkConditions> = { delayMs: 2 }) {
    this.#seed = seed;
    this.overlay = new Overlay(seed, conditions);
    this.resolvers = new FakeResolvers(this.overlay.clock, { group: WORLD_GROUP, delayMs: 2 });
  }

  get clock() {
    return this.overlay.clock;
  }

  async relay(name: string, init: RoutedPeerInit = {}): Promise<RoutedPeer> {
    return this.peer(name, { relays: true, ...init });
  }

  async peer(name: string, init: RoutedPeerInit = {}): Promise<RoutedPeer> {
    const { overlay } = this;
    const process = overlay.network.boot(name);
    const { clock } = process;
    const identity = overlay.identity(name);
    const random = seededRandom(`${this.#seed} ${name}`);
    const isRelay = init.relays === true;
    const resolver = this.resolvers.peer(name, { identity, roles: isRelay ? ['relay', 'member'] : ['member'] });
    const store = new AdvertisementStore({ storage: new MemoryStorage({ clock }), clock, crypto: nodeCrypto, random });
    const hostOf = (peer: PeerId) => overlay.hosts.get(peer);
    const endpoint = new EndpointService({
      identity,
      clock,
      random,
      crypto: nodeCrypto,
      transports: process.transports,
      routes: { addressesOf: (peer) => overlay.addresses.get(peer) ?? [] },
    });
    resolver.connect = async (peer, options) => {
      await endpoint.connect(peer, options);
      const neighbour = resolver.neighbour(peer);
      if (neighbour === undefined) throw new PipevineError('refused', 'It is no member.');
      return neighbour;
    };
    const relaysOf = (peer: PeerId): readonly PeerId[] => {
      const held = store.get({ group: WORLD_GROUP, kind: 'route', publisher: peer, key: '' });
      return (held && wellFormed(() => decodeRouteBody(held.body)))?.relays ?? [];
    };
    const routed = new RoutedRelays({ relaysOf });
    const forwarder = new RelayForwarder({ clock });
    const errors: unknown[] = [];
    const pipes = new Pipes({
      endpoint,
      routes: { hostOf },
      relays: routed,
      forwarder,
      groups: WORLD_ONLY,
      identity,
      clock,
      random,
      crypto: nodeCrypto,
      onError: (error) => errors.push(error),
    });
    const router =
      init.router === false
        ? undefined
        : new Router({
            group: WORLD_GROUP,
            resolver,
            store,
            hostOf,
            receive: (encoded, from) => this.#receive(store, encoded, from),
            clock,
          });
    if (router !== undefined) routed.open(WORLD_GROUP, router);
    const publish = (key: string) => (relays: readonly PeerId[] | undefined) => {
      const body = encodeRouteBody({ relays: relays ?? [] });
      void store.publish(identity, { kind: 'route', group: WORLD_GROUP, key, body }).then((advertisement) => {
        const own = this.#published.get(identity.id) ?? new Map<string, Advertisement>();
        this.#published.set(identity.id, own.set(key, advertisement));
        for (const other of resolver.links) this.#tell(identity.id, other.localPeer);
      });
    };
    if (isRelay) {
      new RelayServer({
        resolver,
        forwarder,
        mayServe: () => true,
        hostOf,
        relaysOf,
        clock,
        random,
        ...(router && { router }),
      });
      new NeighbourAdvertiser({ resolver, mayServe: () => true, advertise: publish(NEIGHBOURS_KEY), clock, random });
    }
    const client = new RelayClient({
      resolver,
      endpoint,
      knownRelays: () => [],
      find: async () => {},
      advertise: publish(''),
      clock,
      random,
    });
    endpoint.subscribe({
      onLinkUp: (link) => this.#opened(resolver, link),
      onLinkDown: (link) => {
        const other = this.resolvers.peers.get(link.remotePeer);
        if (other !== undefined) this.resolvers.unlink(resolver, other);
      },
    });
    await overlay.clock.run(endpoint.listen(`mem://${name}:1`));
    if (isRelay && init.hidden !== true) overlay.addresses.set(identity.id, [`mem://${name}:1`]);
    if (!isRelay) client.start();
    const leases = () => client.relays();
    const peer = { name, identity, process, endpoint, pipes, errors, resolver, store, router, forwarder, leases };
    this.peers.set(identity.id, peer);
    return peer;
  }

  /** Links two peers, at an address that nobody else learns, and keeps them linked while both are there. */
  async link(a: RoutedPeer, b: RoutedPeer): Promise<void> {
    const known = this.overlay.addresses.get(b.identity.id);
    this.overlay.addresses.set(b.identity.id, [`mem://${b.name}:1`]);
    await this.clock.run(a.endpoint.connect(b.identity.id));
    if (known === undefined) this.overlay.addresses.delete(b.identity.id);
  }

  /** Links that are the only ones: those two and no others can reach each other from now on. */
  async chain(...peers: readonly RoutedPeer[]): Promise<void> {
    for (const [i, near] of peers.entries()) {
      const far = peers[i + 1];
      if (far !== undefined) await this.link(near, far);
    }
  }

  /** All can be found by nobody any more: only the links that there are remain. */
  hide(...peers: readonly RoutedPeer[]): void {
    for (const { identity } of peers) this.overlay.addresses.delete(identity.id);
  }

  /** Signs and gives one peer whatever the test wants, as if it had heard it. */
  async forge(publisher: RoutedPeer, key: string, relays: readonly PeerId[], to: readonly RoutedPeer[]): Promise<void> {
    const body = encodeRouteBody({ relays });
    const init = { kind: 'route', group: WORLD_GROUP, key, body } as const;
    const { encoded } = await this.clock.run(publisher.store.publish(publisher.identity, init));
    for (const { store } of to) this.#receive(store, [encoded], publisher.identity.id);
  }

  #opened(resolver: FakeResolver, link: Link): void {
    const other = this.resolvers.peers.get(link.remotePeer);
    if (other === undefined) return;
    this.resolvers.link(resolver, other);
    this.#tell(resolver.localPeer, other.localPeer);
    this.#tell(other.localPeer, resolver.localPeer);
  }

  #tell(from: PeerId, to: PeerId): void {
    const told = this.peers.get(to);
    const encoded = [...(this.#published.get(from)?.values() ?? [])].map((advertisement) => advertisement.encoded);
    if (told !== undefined) this.#receive(told.store, encoded, from);
  }

  /** As discovery does: only what members have signed. */
  #receive(store: AdvertisementStore, encoded: readonly Uint8Array[], _from: PeerId): void {
    for (const one of encoded) {
      store.receive(one, { group: WORLD_GROUP, accept: ({ publisher }) => this.peers.has(publisher) });
    }
  }
}
