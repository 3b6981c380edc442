import { LruCache } from '../bound/lru-cache.ts';
import { type GroupId, WORLD_GROUP } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { WaitOptions } from '../pipe/pipe.ts';
import type { RelaySource } from '../pipe/pipe-paths.ts';
import type { Route, Router } from './router.ts';

/** Peers that others have said to be behind relays, and relays of each. */
const MAX_TOLD = 64;
const MAX_TOLD_RELAYS = 4;

type OpenRouter = Pick<Router, 'routesTo' | 'seek' | 'failed' | 'worked'>;

/** The relays that peers name, and the ways that the routers of the open groups find. */
export class RoutedRelays implements RelaySource {
  readonly #named: Pick<RelaySource, 'relaysOf'>;
  readonly #routers = new Map<GroupId, OpenRouter>();
  /** For peers of which nothing is known that they have signed. */
  readonly #told = new LruCache<readonly PeerId[]>(MAX_TOLD);

  constructor(named: Pick<RelaySource, 'relaysOf'>) {
    this.#named = named;
  }

  /** From now on ways in that group come from this router, until it is closed. */
  open(group: GroupId, router: OpenRouter): { close(): void } {
    this.#routers.set(group, router);
    return {
      close: () => {
        if (this.#routers.get(group) === router) this.#routers.delete(group);
      },
    };
  }

  /** From now on that relay is tried for pipes to that peer in the world group, after those that the peer names. */
  told(peer: PeerId, relay: PeerId): void {
    const others = (this.#told.get(peer) ?? []).filter((other) => other !== relay);
    this.#told.set(peer, [relay, ...others].slice(0, MAX_TOLD_RELAYS), 1);
  }

  relaysOf(peer: PeerId, group: GroupId): readonly PeerId[] {
    const named = this.#named.relaysOf(peer, group);
    const told = group === WORLD_GROUP ? (this.#told.get(peer) ?? []) : [];
    return told.length === 0 ? named : [...new Set([...named, ...told])];
  }

  routesTo(peer: PeerId, group: GroupId): readonly Route[] {
    return this.#routers.get(group)?.routesTo(peer) ?? [];
  }

  /** In the world group all own groups are asked: members of any may know the relays of an administrator. */
  async seek(peer: PeerId, group: GroupId, options?: Pick<WaitOptions, 'signal'>): Promise<void> {
    const routers = group === WORLD_GROUP ? [...this.#routers.values()] : [this.#routers.get(group)];
    await Promise.all(routers.map((router) => router?.seek(peer, options)));
  }

  failed(peer: PeerId, group: GroupId, route: Route, at?: number): void {
    this.#routers.get(group)?.failed(peer, route, at);
  }

  worked(peer: PeerId, group: GroupId, route: Route): void {
    this.#routers.get(group)?.worked(peer, route);
  }
}
