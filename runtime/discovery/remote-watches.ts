import type { AdvertisementQuery } from '../advertisement/advertisement.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import type { SearchTarget } from '../rendezvous/search-scope.ts';
import type { GroupNeighbour } from '../resolver/resolver.ts';
import { MAX_NEIGHBOUR_RETRY_MS, NEIGHBOUR_RETRY_MS } from './discovery-defaults.ts';
import type { NeighbourAnswers } from './neighbour-answers.ts';

export interface RemoteWatchesInit {
  readonly clock: Clock;
  readonly random: Random;
  readonly answers: Pick<NeighbourAnswers, 'follow'>;
  /** Different watches at a time. */
  readonly limit: number;
}

export interface WatchInit {
  /** Where to watch now. */
  readonly targets: () => readonly SearchTarget[];
  readonly queryFor: (neighbour: PeerId) => AdvertisementQuery;
  /**
   * The targets are all neighbours: not asked for again, since a busy peer has hundreds that come and go, but followed by
   * `opened` and `closed`.
   */
  readonly everyNeighbour?: boolean;
}

interface Watch extends WatchInit {
  users: number;
  /** The watch at each neighbour: under way, or waiting to begin anew. */
  readonly running: Map<PeerId, Running>;
}

interface Running {
  readonly target: SearchTarget;
  readonly abort: AbortController;
  retry?: Timer;
}

/** Watches that run at other peers of a group while anybody here wants them; equal queries share one. */
export class RemoteWatches {
  readonly #init: RemoteWatchesInit;
  readonly #watches = new Map<string, Watch>();
  #refused = 0;

  constructor(init: RemoteWatchesInit) {
    this.#init = init;
  }

  /** `name` tells the query apart. Throws `overloaded`. Call the returned function once, to end this use. */
  use(name: string, init: WatchInit): () => void {
    let watch = this.#watches.get(name);
    if (watch === undefined) {
      const { limit } = this.#init;
      if (this.#watches.size >= limit) {
        this.#refused++;
        throw new PipevineError('overloaded', `${limit} watches run in this group, which is the limit; end some.`);
      }
      watch = { ...init, users: 0, running: new Map() };
      this.#watches.set(name, watch);
      this.#update(watch);
    }
    const used = watch;
    used.users++;
    return () => {
      if (--used.users > 0) return;
      this.#watches.delete(name);
      stopAll(used);
    };
  }

  /** There may be other targets, or a target's pipe was opened anew. */
  update(): void {
    for (const watch of this.#watches.values()) if (!watch.everyNeighbour) this.#update(watch);
  }

  /** There is another neighbour, or its pipe was opened anew. */
  opened(neighbour: GroupNeighbour): void {
    for (const watch of this.#watches.values()) {
      if (!watch.everyNeighbour || watch.running.get(neighbour.peer)?.target.neighbour === neighbour) continue;
      stop(watch, neighbour.peer);
      this.#run(watch, { neighbour, walk: false }, NEIGHBOUR_RETRY_MS);
    }
  }

  closed(neighbour: GroupNeighbour): void {
    const { peer } = neighbour;
    for (const watch of this.#watches.values()) {
      if (watch.everyNeighbour && watch.running.get(peer)?.target.neighbour === neighbour) stop(watch, peer);
    }
  }

  get used(): number {
    return this.#watches.size;
  }

  get refused(): number {
    return this.#refused;
  }

  close(): void {
    for (const watch of this.#watches.values()) stopAll(watch);
    this.#watches.clear();
  }

  #update(watch: Watch): void {
    const targets = new Map(watch.targets().map((target) => [target.neighbour.peer, target]));
    for (const [peer, { target }] of watch.running) {
      const now = targets.get(peer);
      if (now?.neighbour === target.neighbour && now.walk === target.walk) targets.delete(peer);
      else stop(watch, peer);
    }
    for (const target of targets.values()) this.#run(watch, target, NEIGHBOUR_RETRY_MS);
  }

  #run(watch: Watch, target: SearchTarget, delayMs: number): void {
    const { peer } = target.neighbour;
    const running: Running = { target, abort: new AbortController() };
    watch.running.set(peer, running);
    const { clock, random } = this.#init;
    const startedMs = clock.monotonicMs();
    let isPresent = false;
    const onPresent = () => {
      isPresent = true;
    };
    const again = (error?: unknown) => {
      if (error !== undefined && !(error instanceof PipevineError)) throw error;
      if (watch.running.get(peer) !== running) return;
      // Who answers and ends the watch soon after has not served it.
      const hasServed = isPresent && clock.monotonicMs() - startedMs >= MAX_NEIGHBOUR_RETRY_MS;
      const pauseMs = hasServed ? NEIGHBOUR_RETRY_MS : delayMs;
      running.retry = clock.setTimer(pauseMs * (0.5 + 0.5 * random.fraction()), () => {
        this.#run(watch, target, Math.min(2 * pauseMs, MAX_NEIGHBOUR_RETRY_MS));
      });
    };
    const options = { signal: running.abort.signal, onPresent };
    this.#init.answers.follow(target, watch.queryFor(peer), true, options).then(again, again);
  }
}

function stop(watch: Watch, peer: PeerId): void {
  const running = watch.running.get(peer);
  watch.running.delete(peer);
  running?.retry?.cancel();
  running?.abort.abort();
}

function stopAll(watch: Watch): void {
  for (const peer of [...watch.running.keys()]) stop(watch, peer);
}
