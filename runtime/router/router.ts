import type { AdvertisementStore } from '../advertisement/advertisement-store.ts';
import { LruCache } from '../bound/lru-cache.ts';
import { TokenBucket } from '../bound/token-bucket.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { may } from '../group/capability.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { WaitOptions } from '../pipe/pipe.ts';
import { MAX_RELAY_HOPS } from '../pipe/relayed-path.ts';
import type { Clock } from '../platform/clock.ts';
import type { GroupNeighbour, GroupResolver, ResolverHandler } from '../resolver/resolver.ts';
import { FailedHops } from './failed-hops.ts';
import { findRoutes } from './find-routes.ts';
import { RouteAnswers } from './route-answers.ts';
import { decodeRouteAnswer, encodeRouteQuery } from './route-codec.ts';
import { passesRoutes, routeHops } from './route-hops.ts';
import { RouteTable } from './route-table.ts';
import {
  ASK_TIMEOUT_MS,
  ASK_TTL_HOPS,
  ASKED_NEIGHBOURS,
  MAX_CACHED_TARGETS,
  MAX_EXPLORED,
  MAX_FAILED_HOPS,
  MAX_ROUTES,
  MAX_SEARCHES,
  MAX_VAIN_MS,
  PROPAGATE_TIMEOUT_MS,
  PROPAGATED_BURST,
  PROPAGATED_PER_SECOND,
  ROUTE_HANDLER,
  ROUTE_TTL_MS,
  VAIN_MS,
} from './router-defaults.ts';

/** A way over relays, the first of them a neighbour, none twice. */
export type Route = readonly PeerId[];

export interface RouterInit {
  readonly group: GroupId;
  readonly resolver: Pick<
    GroupResolver,
    'localPeer' | 'handle' | 'neighbours' | 'neighbour' | 'subscribe' | 'query' | 'distrust'
  >;
  readonly store: Pick<AdvertisementStore, 'get' | 'held' | 'subscribe'>;
  /** Who speaks for a peer, when a valid delegation says so. */
  readonly hostOf: (peer: PeerId) => PeerId | undefined;
  /**
   * Takes signed advertisements that a member gave into the store, those of publishers that may; throws what is wrong
   * with them.
   */
  readonly receive: (encoded: readonly Uint8Array[], from: PeerId) => void;
  /** Round trip to a neighbour, ms, where it is known: the nearer of two relays is taken first. */
  readonly rttOf?: (neighbour: PeerId) => number | undefined;
  readonly clock: Clock;
}

interface Bound {
  readonly used: number;
  readonly limit: number;
  readonly dropped: number;
}

interface Kept {
  readonly routes: readonly Route[];
  readonly generation: number;
  readonly untilMs: number;
}

interface Vain {
  readonly untilMs: number;
  readonly pauseMs: number;
}

/**
 * Finds ways over several relays to members of one group, from what these and the relays have signed, and asks others
 * for what is missing. What is found is a hint: whoever names a neighbour that it does not have costs one attempt.
 */
export class Router {
  readonly #init: RouterInit;
  readonly #table: RouteTable;
  readonly #answers: RouteAnswers;
  readonly #failed: FailedHops;
  readonly #kept = new LruCache<Kept>(MAX_CACHED_TARGETS);
  readonly #vain = new LruCache<Vain>(MAX_CACHED_TARGETS);
  readonly #searches = new Map<PeerId, Promise<void>>();
  readonly #bucket: TokenBucket;
  readonly #closing = new AbortController();
  readonly #endings: (() => void)[];
  /** One more with each change of what ways are made of. */
  #generation = 0;
  /** The linked relays, until there are others. */
  #linked: readonly PeerId[] | undefined;
  #refused = 0;
  #forged = 0;

  constructor(init: RouterInit) {
    const { group, resolver, store, clock } = init;
    this.#init = init;
    this.#table = new RouteTable(init);
    this.#answers = new RouteAnswers({ ...init, table: this.#table });
    this.#failed = new FailedHops(clock);
    this.#bucket = new TokenBucket(PROPAGATED_BURST, PROPAGATED_PER_SECOND, clock.monotonicMs());
    const changed = (): void => {
      this.#generation++;
    };
    const unsubscribe = store.subscribe({ kind: 'route', group }, ({ advertisement }) => {
      this.#table.changed(advertisement);
      this.#failed.awaken(advertisement.publisher);
      changed();
    });
    // Ways begin at linked relays: of other neighbours a busy peer has many that come and go.
    const relayChanged = ({ credential }: GroupNeighbour): void => {
      if (!may(credential, 'relay')) return;
      this.#linked = undefined;
      changed();
    };
    const neighbours = resolver.subscribe({ onOpen: relayChanged, onClosed: relayChanged });
    const answer: ResolverHandler = (body, context) => this.#answers.answer(body, context);
    const handler = resolver.handle(ROUTE_HANDLER, answer, { hops: routeHops });
    this.#endings = [unsubscribe, () => neighbours.unsubscribe(), () => handler.close()];
  }

  /** Whether a peer has signed that it relays. */
  isRelay(peer: PeerId): boolean {
    return this.#table.isRelay(peer);
  }

  /** Ways to a peer as far as is known here, best first, without those of which a relay has just said that they end there. */
  routesTo(target: PeerId): readonly Route[] {
    const now = this.#init.clock.monotonicMs();
    const kept = this.#kept.get(target);
    if (kept !== undefined && kept.generation === this.#generation && kept.untilMs > now) return kept.routes;
    const routes = this.#find(target, (near, far) => this.#failed.costOf(near, far));
    this.#kept.set(target, { routes, generation: this.#generation, untilMs: now + ROUTE_TTL_MS }, 1);
    return routes;
  }

  /** The same, whatever was said of them: for whoever has asked, and knows no other. */
  lastResorts(target: PeerId): readonly Route[] {
    return this.#find(target, () => 0);
  }

  /**
   * Asks others how a peer can be reached, unless that was in vain just now. Resolves when a way is known, or all were
   * asked; never rejects.
   */
  async seek(target: PeerId, { signal }: Pick<WaitOptions, 'signal'> = {}): Promise<void> {
    const now = this.#init.clock.monotonicMs();
    if (this.#closing.signal.aborted || signal?.aborted || (this.#vain.get(target)?.untilMs ?? 0) > now) return;
    let search = this.#searches.get(target);
    if (search === undefined) {
      if (this.#searches.size >= MAX_SEARCHES) {
        this.#refused++;
        return;
      }
      search = this.#search(target).finally(() => this.#searches.delete(target));
      this.#searches.set(target, search);
    }
    await search;
  }

  /**
   * A way did not lead to the peer. `at`: which relay said so, from 1 on, when one did; else any hop may be the one. The last
   * relay of the way may have gone on over others of its own choice: what those say is said of it.
   */
  failed(target: PeerId, route: Route, at?: number): void {
    for (const [i, near] of route.entries()) {
      const far = route[i + 1] ?? target;
      if (at === undefined || Math.min(at, route.length) === i + 1) this.#failed.add(near, far, at !== undefined);
    }
    this.#generation++;
  }

  /** A pipe goes over that way. */
  worked(target: PeerId, route: Route): void {
    for (const [i, near] of route.entries()) this.#failed.clear(near, route[i + 1] ?? target);
    this.#vain.delete(target);
  }

  /** Bounds and counters, by name. */
  status(): Readonly<Record<string, Bound>> {
    return {
      'routes kept': { used: this.#kept.size, limit: MAX_CACHED_TARGETS, dropped: this.#kept.evicted },
      'route searches': { used: this.#searches.size, limit: MAX_SEARCHES, dropped: this.#refused },
      'route hops that failed': {
        used: this.#failed.size,
        limit: MAX_FAILED_HOPS,
        dropped: this.#failed.forgotten,
      },
      'route answers forged': { used: 0, limit: 0, dropped: this.#forged },
    };
  }

  /** Idempotent. */
  close(): void {
    this.#closing.abort();
    for (const end of this.#endings.splice(0)) end();
  }

  #find(target: PeerId, costOf: (near: PeerId, far: PeerId) => number): readonly Route[] {
    const { resolver, hostOf } = this.#init;
    const host = hostOf(target);
    const ends = [target, ...(host === undefined ? [] : [host])].flatMap((peer) => [
      ...this.#table.relaysOf(peer),
      ...this.#table.neighboursOf(peer),
    ]);
    return findRoutes({
      starts: this.#linkedRelays(),
      target,
      ends,
      neighboursOf: (relay) => this.#table.neighboursOf(relay),
      excluded: new Set([resolver.localPeer, ...(host === undefined ? [] : [host])]),
      costOf,
      maxHops: MAX_RELAY_HOPS,
      maxRoutes: MAX_ROUTES,
      maxExplored: MAX_EXPLORED,
    });
  }

  /** The nearest first. */
  #linkedRelays(): readonly PeerId[] {
    const { resolver, rttOf } = this.#init;
    this.#linked ??= resolver.neighbours().flatMap(({ peer, credential }) => (may(credential, 'relay') ? peer : []));
    const ranked = this.#linked.map((peer) => ({ peer, rttMs: rttOf?.(peer) ?? Infinity }));
    ranked.sort((a, b) => (a.rttMs === b.rttMs ? 0 : a.rttMs - b.rttMs));
    return ranked.map(({ peer }) => peer);
  }

  #isKnown(target: PeerId): boolean {
    return this.routesTo(target).length > 0;
  }

  async #search(target: PeerId): Promise<void> {
    const body = encodeRouteQuery(target);
    const found = await this.#askNeighbours(target, body);
    if (!found) await this.#askAll(target, body);
    if (this.#isKnown(target)) {
      this.#vain.delete(target);
      return;
    }
    const now = this.#init.clock.monotonicMs();
    const pauseMs = Math.min(2 * (this.#vain.get(target)?.pauseMs ?? VAIN_MS / 2), MAX_VAIN_MS);
    this.#vain.set(target, { untilMs: now + pauseMs, pauseMs }, 1);
  }

  /** Those that relay or are a rendezvous first: they know most. */
  async #askNeighbours(target: PeerId, body: Uint8Array): Promise<boolean> {
    const { resolver } = this.#init;
    const asked = resolver.neighbours().filter(passesRoutes).slice(0, ASKED_NEIGHBOURS);
    const options = { timeoutMs: ASK_TIMEOUT_MS, signal: this.#closing.signal };
    await Promise.all(
      asked.map(async (neighbour) => {
        try {
          for await (const answer of neighbour.stream(ROUTE_HANDLER, body, options)) {
            this.#take(answer, neighbour.peer);
            break;
          }
        } catch (error) {
          // One that does not answer, or has no router, knows no way.
          if (!(error instanceof PipevineError)) throw error;
        }
      }),
    );
    return this.#isKnown(target);
  }

  async #askAll(target: PeerId, body: Uint8Array): Promise<void> {
    const { resolver, clock } = this.#init;
    if (!this.#bucket.take(clock.monotonicMs())) {
      this.#refused++;
      return;
    }
    const options = { ttlHops: ASK_TTL_HOPS, timeoutMs: PROPAGATE_TIMEOUT_MS, signal: this.#closing.signal };
    try {
      for await (const { from, body: answer } of resolver.query(ROUTE_HANDLER, body, options)) {
        this.#take(answer, from);
        if (this.#isKnown(target)) return;
      }
    } catch (error) {
      if (!(error instanceof PipevineError)) throw error;
    }
  }

  /** Nothing of an answer is believed but what its publishers have signed. */
  #take(answer: Uint8Array, from: PeerId): void {
    const { receive, resolver } = this.#init;
    try {
      receive(decodeRouteAnswer(answer), from);
    } catch (error) {
      if (!(error instanceof PipevineError)) throw error;
      this.#forged++;
      if (['forged', 'malformed', 'too-large'].includes(error.code)) resolver.distrust(from);
    }
  }
}
