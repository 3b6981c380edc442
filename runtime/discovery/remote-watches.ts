import type { AdvertisementQuery } from '../advertisement/advertisement.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import { MAX_NEIGHBOUR_RETRY_MS, MAX_WATCHES, NEIGHBOUR_RETRY_MS } from './discovery-defaults.ts';
import type { OpenNeighbour } from './group-neighbours.ts';
import type { NeighbourAnswers } from './neighbour-answers.ts';

export interface RemoteWatchesInit {
  readonly clock: Clock;
  readonly random: Random;
  readonly answers: Pick<NeighbourAnswers, 'follow'>;
  /** The neighbours that can be asked now. */
  readonly open: () => readonly OpenNeighbour[];
}

interface Watch {
  readonly queryFor: (neighbour: PeerId) => AdvertisementQuery;
  users: number;
  /** The running watch at each neighbour. */
  readonly running: Map<PeerId, AbortController>;
}

/** Watches that run at every neighbour of a group while anybody here wants them; equal queries share one. */
export class RemoteWatches {
  readonly #init: RemoteWatchesInit;
  readonly #watches = new Map<string, Watch>();
  readonly #retries = new Set<Timer>();
  #refused = 0;

  constructor(init: RemoteWatchesInit) {
    this.#init = init;
  }

  /** Throws `overloaded`. Call the returned function once, to end this use. */
  use(query: AdvertisementQuery): () => void {
    const name = JSON.stringify([query.kind, query.publisher, query.key, query.name, sorted(query.attributes)]);
    return this.#use(name, () => query);
  }

  /** Watches at each neighbour what it publishes itself, not what it knows of others. Otherwise as `use`. */
  useOwn(query: AdvertisementQuery): () => void {
    return this.#use(`own ${query.kind}`, (publisher) => ({ ...query, publisher }));
  }

  #use(name: string, queryFor: Watch['queryFor']): () => void {
    let watch = this.#watches.get(name);
    if (watch === undefined) {
      if (this.#watches.size >= MAX_WATCHES) {
        this.#refused++;
        throw new PipevineError(
          'overloaded',
          `${MAX_WATCHES} watches run in this group, which is the limit; end some.`,
        );
      }
      watch = { queryFor, users: 0, running: new Map() };
      this.#watches.set(name, watch);
    }
    const used = watch;
    used.users++;
    if (used.users === 1) for (const neighbour of this.#init.open()) this.#run(used, neighbour);
    return () => {
      if (--used.users > 0) return;
      this.#watches.delete(name);
      for (const running of used.running.values()) running.abort();
      used.running.clear();
    };
  }

  /** A neighbour can be asked, at first or anew. */
  neighbourOpen(neighbour: OpenNeighbour): void {
    for (const watch of this.#watches.values()) this.#run(watch, neighbour);
  }

  get used(): number {
    return this.#watches.size;
  }

  get refused(): number {
    return this.#refused;
  }

  close(): void {
    for (const { running } of this.#watches.values()) for (const one of running.values()) one.abort();
    for (const retry of this.#retries) retry.cancel();
    this.#watches.clear();
  }

  #run(watch: Watch, neighbour: OpenNeighbour, delayMs = NEIGHBOUR_RETRY_MS): void {
    const { peer } = neighbour;
    watch.running.get(peer)?.abort();
    const abort = new AbortController();
    watch.running.set(peer, abort);
    let nextDelayMs = Math.min(2 * delayMs, MAX_NEIGHBOUR_RETRY_MS);
    const onPresent = () => {
      nextDelayMs = NEIGHBOUR_RETRY_MS;
    };
    const again = (error?: unknown) => {
      if (watch.running.get(peer) !== abort) return;
      watch.running.delete(peer);
      if (error !== undefined && !(error instanceof PipevineError)) throw error;
      const timer = this.#init.clock.setTimer(delayMs * (0.5 + 0.5 * this.#init.random.fraction()), () => {
        this.#retries.delete(timer);
        // Unless its pipe broke: then it is reported as open again, and the watch begins there and then.
        const isOpen = this.#init.open().some(({ pipe }) => pipe === neighbour.pipe);
        if (isOpen && watch.users > 0 && !watch.running.has(peer)) this.#run(watch, neighbour, nextDelayMs);
      });
      this.#retries.add(timer);
    };
    const options = { signal: abort.signal, onPresent };
    this.#init.answers.follow(neighbour, watch.queryFor(peer), true, options).then(again, again);
  }
}

function sorted(attributes: Readonly<Record<string, string>> | undefined): [string, string][] {
  return Object.entries(attributes ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
}
