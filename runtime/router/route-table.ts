import type { AdvertisementStore } from '../advertisement/advertisement-store.ts';
import { decodeRouteBody, NEIGHBOURS_KEY } from '../advertisement/route-body.ts';
import { wellFormed } from '../error/well-formed.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';

export interface RouteTableInit {
  readonly group: GroupId;
  readonly store: Pick<AdvertisementStore, 'get' | 'held'>;
}

/** What the members of one group have signed about how they can be reached. */
export class RouteTable {
  readonly #init: RouteTableInit;

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

  #read(publisher: PeerId, key: string): readonly PeerId[] {
    const { group, store } = this.#init;
    const body = store.get({ group, kind: 'route', publisher, key })?.body;
    return (body && wellFormed(() => decodeRouteBody(body)))?.relays ?? [];
  }
}
