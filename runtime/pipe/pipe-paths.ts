import type { RouteSource } from '../endpoint/endpoint.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import { MAX_RELAYS_PER_PEER } from './pipe-defaults.ts';
import type { PipePath } from './pipe-path.ts';

/** At which relays a peer can be reached. A hint; never trusted. */
export interface RelaySource {
  /** In this group, as the peer has signed; best first. Of the own peer: those that it leases at. */
  relaysOf(peer: PeerId, group: GroupId): readonly PeerId[];
}

export interface PipePathsInit {
  readonly localPeer: PeerId;
  /** Whether pipes can be bound over the link to a neighbour now. */
  readonly isLinked: (neighbour: PeerId) => boolean;
  readonly routes: Pick<RouteSource, 'hostOf'>;
  /** Default: no relays. */
  readonly relays?: RelaySource;
}

/** The ways to a peer, best first. */
export class PipePaths {
  readonly #init: PipePathsInit;

  constructor(init: PipePathsInit) {
    this.#init = init;
  }

  isLinked(neighbour: PeerId): boolean {
    return this.#init.isLinked(neighbour);
  }

  /** Without relays: over a link that is up, else over the one that would be dialled. */
  direct(peer: PeerId): PipePath {
    if (this.isLinked(peer)) return { via: peer, type: 'direct' };
    const host = this.#init.routes.hostOf(peer);
    return host === undefined || host === peer ? { via: peer, type: 'direct' } : { via: host, type: 'hosted' };
  }

  /** Relays that may forward to a peer: those that it leases at, then those of this peer, which may know others. */
  relays(peer: PeerId, group: GroupId): readonly PeerId[] {
    const own = this.#init.relays?.relaysOf(this.#init.localPeer, group) ?? [];
    return [...new Set([...this.relaysOf(peer, group), ...own.filter((relay) => this.#mayRelay(relay, peer))])];
  }

  /** Relays at which the peer, or whoever hosts it, can be reached. */
  relaysOf(peer: PeerId, group: GroupId): readonly PeerId[] {
    const { relays, routes } = this.#init;
    if (relays === undefined) return [];
    const host = routes.hostOf(peer);
    const all = [...relays.relaysOf(peer, group), ...(host === undefined ? [] : relays.relaysOf(host, group))];
    return [...new Set(all)].filter((relay) => this.#mayRelay(relay, peer)).slice(0, MAX_RELAYS_PER_PEER);
  }

  /** The best way over a link that is up; relays that are `resting` do not count. */
  linked(
    peer: PeerId,
    group: GroupId,
    relayed: { readonly allowed: boolean; readonly resting: (relay: PeerId) => boolean },
  ): PipePath | undefined {
    const direct = this.direct(peer);
    if (this.isLinked(direct.via)) return direct;
    if (!relayed.allowed) return undefined;
    const via = this.relays(peer, group).find((relay) => this.isLinked(relay) && !relayed.resting(relay));
    return via === undefined ? undefined : { via, type: 'relayed' };
  }

  #mayRelay(relay: PeerId, peer: PeerId): boolean {
    return relay !== peer && relay !== this.#init.localPeer && relay !== this.#init.routes.hostOf(peer);
  }
}
