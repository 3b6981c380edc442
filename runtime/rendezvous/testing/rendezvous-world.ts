import { MemoryStorage, nodeCrypto, seededRandom, VirtualClock } from '@pipevine/transports';
import type { AdvertisementQuery } from '../../advertisement/advertisement.ts';
import { AdvertisementStore } from '../../advertisement/advertisement-store.ts';
import { PipevineError } from '../../error/pipevine-error.ts';
import type { PeerId } from '../../id/peer-id.ts';
import type { WaitOptions } from '../../pipe/pipe.ts';
import type { GroupResolver } from '../../resolver/resolver.ts';
import { type FakeResolver, FakeResolvers } from '../../resolver/testing/fake-resolvers.ts';
import type { RendezvousMode } from '../rendezvous.ts';
import { RendezvousClient } from '../rendezvous-client.ts';
import { RendezvousServer } from '../rendezvous-server.ts';
import type { SearchTarget } from '../search-scope.ts';

export interface WorldPeer {
  readonly resolver: FakeResolver;
  readonly store: AdvertisementStore;
  readonly rendezvous: RendezvousClient;
  readonly server: RendezvousServer | undefined;
  /** Links that are wanted now, by peer. */
  readonly wanted: ReadonlySet<PeerId>;
  readonly hosted: Set<PeerId>;
}

/** Peers of one group with their rendezvous services, over resolvers that are calls within the process. */
export class RendezvousWorld {
  readonly clock = new VirtualClock();
  readonly network = new FakeResolvers(this.clock);
  readonly peers: WorldPeer[] = [];
  /** Messages that searches have cost. */
  messages = 0;
  readonly #dead = new Set<FakeResolver>();
  readonly #sides = new Map<PeerId, number>();

  peer(
    name: string,
    init: {
      readonly roles?: readonly string[];
      readonly mode?: RendezvousMode;
      readonly storage?: MemoryStorage;
      readonly keepsAuthority?: boolean;
    } = {},
  ): WorldPeer {
    const { clock, network } = this;
    const resolver = network.peer(name, init);
    const storage = init.storage ?? new MemoryStorage({ clock });
    const random = seededRandom(name);
    const common = { storage, clock, random, crypto: nodeCrypto };
    const store = new AdvertisementStore(common);
    const hosted = new Set<PeerId>();
    const wanted = new Set<PeerId>();
    const guarded = this.#guarded(resolver);
    let server: RendezvousServer | undefined;
    const { group } = network;
    const hostOf = (peer: PeerId) => this.peers.find((one) => one.hosted.has(peer))?.resolver.localPeer;
    const parts = {
      ...common,
      group,
      resolver: guarded,
      store,
      hostOf,
      isOwn: (peer: PeerId) => peer === resolver.localPeer || hosted.has(peer),
      addressesOf: () => [],
      endpoint: { addresses: [`mem://${name}:1`], want: (peer: PeerId | string) => this.#want(guarded, wanted, peer) },
    };
    const { mode } = init;
    const rendezvous = new RendezvousClient({
      ...parts,
      ...(mode !== undefined && {
        server: (client) => {
          server = new RendezvousServer(
            {
              ...parts,
              mode,
              mayServe: () => resolver.credential.roles.includes('gateway'),
              keepsAuthority: () => init.keepsAuthority ?? false,
              receive: (encoded) => {
                for (const one of encoded) store.receive(one, { group });
              },
            },
            client,
          );
          return server;
        },
      }),
    });
    rendezvous.start();
    const peer: WorldPeer = { resolver, store, rendezvous, server, wanted, hosted };
    this.peers.push(peer);
    return peer;
  }

  link(a: WorldPeer, b: WorldPeer): void {
    this.network.link(a.resolver, b.resolver);
  }

  /** As by a power cut. */
  kill(peer: WorldPeer): void {
    this.network.stop(peer.resolver);
    this.#dead.add(peer.resolver);
    this.peers.splice(this.peers.indexOf(peer), 1);
  }

  /** Cuts the network between these peers and all others. */
  partition(peers: readonly WorldPeer[]): void {
    for (const { resolver } of peers) this.#sides.set(resolver.localPeer, 1);
    for (const a of peers) {
      for (const b of this.peers) if (!peers.includes(b)) this.network.unlink(a.resolver, b.resolver);
    }
  }

  heal(): void {
    this.#sides.clear();
  }

  publish(peer: WorldPeer, key: string, body = new Uint8Array(20)) {
    const { identity, group } = peer.resolver;
    return this.clock.run(peer.store.publish(identity, { group, kind: 'thing', key, name: key, body }));
  }

  /** Searches as discovery does, in its own store and then by its scope; undefined when nobody asked holds it. */
  find(peer: WorldPeer, query: Omit<AdvertisementQuery, 'group'>): 'first' | 'second' | undefined {
    const full = { ...query, group: this.network.group };
    if (peer.store.search(full).length > 0) return 'first';
    const { first, second } = peer.rendezvous.scope.plan(full, 'own');
    for (const [round, targets] of Object.entries({ first, second })) {
      if (this.#ask(targets, full)) return round === 'first' ? 'first' : 'second';
    }
    return undefined;
  }

  #ask(targets: readonly SearchTarget[], query: AdvertisementQuery): boolean {
    let found = false;
    for (const { neighbour, walk } of targets) {
      this.messages++;
      const asked = this.peers.find(({ resolver }) => resolver.localPeer === neighbour.peer);
      if (asked === undefined) continue;
      if (asked.store.search(query).length > 0) found = true;
      if (!walk || found) continue;
      const plan = asked.rendezvous.scope.plan(query, 'client');
      found = this.#ask(plan.first, query) || this.#ask(plan.second, query);
    }
    return found;
  }

  #reaches(a: PeerId, b: PeerId): boolean {
    return this.#sides.get(a) === this.#sides.get(b);
  }

  #guarded(resolver: FakeResolver): GroupResolver {
    const { localPeer, group } = resolver;
    return {
      group,
      localPeer,
      handle: (name, handler) => resolver.handle(name, handler),
      neighbours: () => resolver.neighbours(),
      neighbour: (peer) => resolver.neighbour(peer),
      settled: () => resolver.settled(),
      connect: async (peer: PeerId, options?: WaitOptions) => {
        if (this.#reaches(localPeer, peer) && !this.#dead.has(resolver)) return resolver.connect(peer, options);
        // A dial into a cut network ends by its deadline.
        await this.network.wait(options?.timeoutMs ?? 10_000);
        throw new PipevineError('timeout', 'Nobody answers there.');
      },
      subscribe: (events) => resolver.subscribe(events),
      distrust: (peer) => resolver.distrust(peer),
      query: (handler, body, options) => resolver.query(handler, body, options),
      propagate: (handler, body, options) => resolver.propagate(handler, body, options),
      setHops: (next) => resolver.setHops(next),
    };
  }

  #want(resolver: GroupResolver, wanted: Set<PeerId>, target: string): { release(): void } {
    const peer = target as PeerId; // No seed address is wanted here.
    wanted.add(peer);
    let held = true;
    const seek = async (): Promise<void> => {
      while (held) {
        await resolver.connect(peer, { timeoutMs: 2_000 }).catch(() => undefined);
        await this.network.wait(2_000);
      }
    };
    void seek();
    return {
      release: () => {
        held = false;
        wanted.delete(peer);
      },
    };
  }
}
