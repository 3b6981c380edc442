import type { AdvertisementStore } from '../advertisement/advertisement-store.ts';
import { decodeDelegationBody } from '../advertisement/delegation-body.ts';
import { decodePeerBody } from '../advertisement/peer-body.ts';
import { decodeRouteBody } from '../advertisement/route-body.ts';
import { LruCache } from '../bound/lru-cache.ts';
import type { RouteSource } from '../endpoint/endpoint.ts';
import { wellFormed } from '../error/well-formed.ts';
import { type GroupId, WORLD_GROUP } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { RelaySource } from '../pipe/pipe-paths.ts';
import type { Clock } from '../platform/clock.ts';
import type { EndpointAddress } from '../platform/transport.ts';

const MAX_ADDRESSES = 16;

export interface AdvertisedRoutesInit {
  readonly store: Pick<AdvertisementStore, 'get' | 'subscribe'>;
  readonly clock: Clock;
  readonly groups: () => readonly GroupId[];
  /** Addresses known otherwise, better ones than advertised: heard on the local network, remembered from before. */
  readonly otherAddresses: (peer: PeerId) => readonly EndpointAddress[];
}

interface Delegation {
  readonly delegate: PeerId | undefined;
  readonly notAfterMs: number;
}

const NONE: Delegation = { delegate: undefined, notAfterMs: Infinity };
/** Delegations kept ready, about 200 bytes each: listing a group's things asks for the host of each. */
const MAX_READY_DELEGATIONS = 16_384;

/** Routes from what peers have signed: their own addresses, and who speaks for them. */
export class AdvertisedRoutes implements RouteSource, RelaySource {
  readonly #init: AdvertisedRoutesInit;
  readonly #followed = new Set<GroupId>();
  #delegations = new LruCache<Delegation>(MAX_READY_DELEGATIONS);

  constructor(init: AdvertisedRoutesInit) {
    this.#init = init;
  }

  addressesOf(peer: PeerId): readonly EndpointAddress[] {
    const { store, groups, otherAddresses } = this.#init;
    const addresses = new Set(otherAddresses(peer));
    for (const group of groups()) {
      const advertisement = store.get({ group, kind: 'peer', publisher: peer, key: '' });
      const body = advertisement && wellFormed(() => decodePeerBody(advertisement.body));
      for (const address of body?.addresses ?? []) addresses.add(address);
    }
    return [...addresses].slice(0, MAX_ADDRESSES);
  }

  hostOf(peer: PeerId): PeerId | undefined {
    this.#follow();
    let delegation = this.#delegations.get(peer);
    if (delegation === undefined) {
      delegation = this.#newest(peer) ?? NONE;
      this.#delegations.set(peer, delegation, 1);
    }
    return delegation.notAfterMs > this.#init.clock.wallMs() ? delegation.delegate : undefined;
  }

  /** In the world group: those that it names in any own group, since there nothing is advertised. */
  relaysOf(peer: PeerId, group: GroupId): readonly PeerId[] {
    if (group !== WORLD_GROUP) return this.#relaysIn(group, peer);
    return [...new Set(this.#init.groups().flatMap((own) => this.#relaysIn(own, peer)))];
  }

  #relaysIn(group: GroupId, peer: PeerId): readonly PeerId[] {
    const advertisement = this.#init.store.get({ group, kind: 'route', publisher: peer, key: '' });
    return (advertisement && wellFormed(() => decodeRouteBody(advertisement.body)))?.relays ?? [];
  }

  /** What is kept ready must be looked up anew when a peer signs another delegation. */
  #follow(): void {
    const { store, groups } = this.#init;
    for (const group of groups()) {
      if (this.#followed.has(group)) continue;
      this.#followed.add(group);
      this.#delegations = new LruCache(MAX_READY_DELEGATIONS);
      store.subscribe({ kind: 'delegation', group }, ({ advertisement }) =>
        this.#delegations.delete(advertisement.publisher),
      );
    }
  }

  /** Of what the peer has signed in all groups, the last. */
  #newest(peer: PeerId): Delegation | undefined {
    const { store, groups } = this.#init;
    let newest: (Delegation & { readonly issuedAtMs: number }) | undefined;
    for (const group of groups()) {
      const advertisement = store.get({ group, kind: 'delegation', publisher: peer, key: '' });
      const body = advertisement && wellFormed(() => decodeDelegationBody(advertisement.body));
      if (advertisement === undefined || body === undefined) continue;
      const { issuedAtMs } = advertisement;
      if (newest === undefined || issuedAtMs > newest.issuedAtMs) newest = { ...body, issuedAtMs };
    }
    return newest;
  }
}
