import type { Advertisement } from '../advertisement/advertisement.ts';
import type { AdvertisementStore } from '../advertisement/advertisement-store.ts';
import { decodeRouteBody, NEIGHBOURS_KEY } from '../advertisement/route-body.ts';
import { LruCache } from '../bound/lru-cache.ts';
import { wellFormed } from '../error/well-formed.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import { MAX_READY_ROUTES } from './router-defaults.ts';

export interface RouteTableInit {
  readonly group: GroupId;
  readonly store: Pick<AdvertisementStore, 'get' | 'held'>;
}

/** What the members of one group have signed about how they can be reached. */
export class RouteTable {
  readonly #init: RouteTableInit;
  /** By key and publisher: a search for ways reads hundreds. */
  readonly #ready = new LruCache<readonly PeerId[]>(MAX_READY_ROUTES);

  constructor(init: RouteTableInit) {
    this.#init = init;
  }

  /** Relays at which a peer leases. */
  relaysOf(peer: PeerId): readonly PeerId[] {
    return this.#read(peer, '');
  }

  /** Relays that a relay is linked to. */
  neighboursOf(relay: PeerId): readonly PeerId[] {
    return this.#read(relay, NEIGHBOURS_KEY);
  }

  /** Whether a peer has signed that it relays. */
  isRelay(peer: PeerId): boolean {
    const { group, store } = this.#init;
    return store.held({ group, kind: 'route', publisher: peer, key: NEIGHBOURS_KEY }) !== undefined;
  }

  /** To be called when one of the peer's `route` advertisements has changed, or is held no more. */
  changed({ publisher, key }: Pick<Advertisement, 'publisher' | 'key'>): void {
    this.#ready.delete(nameOf(publisher, key));
  }

  #read(publisher: PeerId, key: string): readonly PeerId[] {
    const name = nameOf(publisher, key);
    let relays = this.#ready.get(name);
    if (relays === undefined) {
      const { group, store } = this.#init;
      const body = store.get({ group, kind: 'route', publisher, key })?.body;
      relays = (body && wellFormed(() => decodeRouteBody(body)))?.relays ?? [];
      this.#ready.set(name, relays, 1);
    }
    return relays;
  }
}

function nameOf(publisher: PeerId, key: string): string {
  return `${key} ${publisher}`;
}
