import type { RouteSource } from '../endpoint/endpoint.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import { MAX_RELAYS_PER_PEER } from './pipe-defaults.ts';
import type { PipePath } from './pipe-path.ts';

/** At which relays a peer can be reached. A hint; never trusted. */
export interface RelaySource {
  /** In this group, as the peer has signed; best first. Of the own peer: those that it leases at. */
  relaysOf(peer: PeerId, group: GroupId): readonly PeerId[];
  /** Ways over several relays, as far as is known now: the first of each is a neighbour. Best first. Default: none. */
  routesTo?(peer: PeerId, group: GroupId): readonly (readonly PeerId[])[];
  /** Looks for such ways. Resolves when there is one, or all were asked; never rejects. */
  seek?(peer: PeerId, group: GroupId, options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** One of them did not serve. `at`: the relay of it that said so, from 1 on. */
  failed?(peer: PeerId, group: GroupId, route: readonly PeerId[], at?: number): void;
  /** A pipe was bound over one of them. */
  worked?(peer: PeerId, group: GroupId, route: readonly PeerId[]): void;
}

/** A way to a peer; over several relays that are named in BIND when `relays` is there. */
export interface RoutedPath extends PipePath {
  /** All relays on the way, the first of them `via`. */
  readonly relays?: readonly PeerId[];
}

export interface PipePathsInit {
  readonly localPeer: PeerId;
  /** Whether pipes can be bound over the link to a neighbour now. */
  readonly isLinked: (neighbour: PeerId) => boolean;
  readonly routes: Pick<RouteSource, 'hostOf'>;
  /** Default: no relays. */
  readonly relays?: RelaySource;
}

/** What tells ways over relays apart. */
export function pathKey(path: RoutedPath): string {
  return path.relays?.join(' ') ?? path.via;
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

  /**
   * Ways over relays: those at which the peer leases, then ways over several that are named, then the relays of this peer,
   * which may know others. With links or without.
   */
  relayed(peer: PeerId, group: GroupId): readonly RoutedPath[] {
    const { relays, localPeer } = this.#init;
    const direct = this.relaysOf(peer, group);
    const named = this.#named(peer, group);
    const own = (relays?.relaysOf(localPeer, group) ?? []).filter((relay) => this.#mayRelay(relay, peer));
    return [...direct.map(overRelay), ...named, ...own.filter((relay) => !direct.includes(relay)).map(overRelay)];
  }

  /** The first relays of these ways. */
  relays(peer: PeerId, group: GroupId): readonly PeerId[] {
    return [...new Set(this.relayed(peer, group).map(({ via }) => via))];
  }

  /** Relays at which the peer, or whoever hosts it, can be reached. */
  relaysOf(peer: PeerId, group: GroupId): readonly PeerId[] {
    const { relays, routes } = this.#init;
    if (relays === undefined) return [];
    const host = routes.hostOf(peer);
    const all = [...relays.relaysOf(peer, group), ...(host === undefined ? [] : relays.relaysOf(host, group))];
    return [...new Set(all)].filter((relay) => this.#mayRelay(relay, peer)).slice(0, MAX_RELAYS_PER_PEER);
  }

  /** Whether others are to be asked: of the linked relays that are known to lead to the peer, all have failed. */
  wantsRoutes(peer: PeerId, group: GroupId, hasFailed: (path: RoutedPath) => boolean): boolean {
    if (this.#init.relays?.seek === undefined || this.isLinked(this.direct(peer).via)) return false;
    const ways = [...this.relaysOf(peer, group).map(overRelay), ...this.#named(peer, group)];
    return !ways.some((path) => this.isLinked(path.via) && !hasFailed(path));
  }

  /** Asks others for ways over relays. Resolves when there is one, or all were asked; never rejects. */
  async seek(peer: PeerId, group: GroupId, signal?: AbortSignal): Promise<void> {
    await this.#init.relays?.seek?.(peer, group, signal === undefined ? {} : { signal });
  }

  /** A way did not lead to the peer; `reason`: what UNBIND said, if anything did. */
  failed(peer: PeerId, group: GroupId, path: RoutedPath, reason?: string): void {
    if (path.type !== 'relayed') return;
    this.#init.relays?.failed?.(peer, group, path.relays ?? [path.via], relayThatFailed(reason));
  }

  /** A pipe was bound over it. */
  worked(peer: PeerId, group: GroupId, path: RoutedPath): void {
    if (path.relays !== undefined) this.#init.relays?.worked?.(peer, group, path.relays);
  }

  /**
   * The best way over a link that is up; those that are `resting` do not count. When no relay is known that leads there,
   * others are asked meanwhile.
   */
  linked(
    peer: PeerId,
    group: GroupId,
    relayed: { readonly allowed: boolean; readonly resting: (relay: PeerId, path: RoutedPath) => boolean },
  ): RoutedPath | undefined {
    const direct = this.direct(peer);
    if (this.isLinked(direct.via)) return direct;
    if (!relayed.allowed) return undefined;
    const ways = this.relayed(peer, group).filter(({ via }) => this.isLinked(via));
    const way = ways.find((path) => !relayed.resting(path.via, path));
    if (this.wantsRoutes(peer, group, (path) => relayed.resting(path.via, path))) void this.seek(peer, group);
    return way;
  }

  /** Of several relays each; one alone is among those that the peer names. */
  #named(peer: PeerId, group: GroupId): readonly RoutedPath[] {
    const routes = this.#init.relays?.routesTo?.(peer, group) ?? [];
    return routes.flatMap((relays): RoutedPath[] => {
      const [via] = relays;
      const isUsable = via !== undefined && relays.length > 1 && relays.every((relay) => this.#mayRelay(relay, peer));
      return isUsable && this.isLinked(via) ? [{ via, type: 'relayed', relays }] : [];
    });
  }

  #mayRelay(relay: PeerId, peer: PeerId): boolean {
    return relay !== peer && relay !== this.#init.localPeer && relay !== this.#init.routes.hostOf(peer);
  }
}

function overRelay(via: PeerId): RoutedPath {
  return { via, type: 'relayed' };
}

const SAYS_WHERE = /^At relay (\d): /;

/** How a relay begins the reason of an UNBIND `unreachable`: `hops` relays were passed, itself included. */
export function atRelay(hops: number, reason: string): string {
  return SAYS_WHERE.test(reason) ? reason : `At relay ${hops}: ${reason}`;
}

/** Which relay on the way, from 1 on, says that it cannot pass on; undefined when none does. */
export function relayThatFailed(reason: string | undefined): number | undefined {
  const number = Number(SAYS_WHERE.exec(reason ?? '')?.[1]);
  return number > 0 ? number : undefined;
}
