import { PipevineError } from '../error/pipevine-error.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Advertisement, AdvertisementKind, AdvertisementQuery } from './advertisement.ts';
import { type IndexEntry, QueryConditions, shelfName } from './advertisement-index.ts';

/** A change of what the store holds. */
export interface StoreChange {
  /** `removed`: withdrawn, expired, forgotten, dropped to make room, or changed so that it meets the query no more. */
  readonly change: 'added' | 'updated' | 'removed';
  /** The newest version known; when withdrawn, the last one before the withdrawal. */
  readonly advertisement: Advertisement;
  /** The signed withdrawal, when there was one. */
  readonly withdrawal?: Advertisement;
  /** Whether this process published it. */
  readonly own: boolean;
}

interface Watcher {
  readonly conditions: QueryConditions;
  readonly listener: (change: StoreChange) => void;
}

/**
 * Who is told of which changes. Those that ask for one publisher are kept apart: each neighbour of a busy peer watches
 * what that peer publishes itself, and what others publish need not be compared with all of these.
 */
export class AdvertisementWatchers {
  readonly #limit: number;
  /** By group and kind, and by publisher where the query names one. */
  readonly #watchers = new Map<string, Set<Watcher>>();
  #count = 0;
  #refused = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Throws `invalid-argument`, or `overloaded`. The returned function ends it, and is idempotent. */
  add(query: AdvertisementQuery, listener: (change: StoreChange) => void): () => void {
    const watcher = { conditions: new QueryConditions(query), listener };
    if (this.#count >= this.#limit) {
      this.#refused++;
      throw new PipevineError('overloaded', `${this.#limit} watchers of advertisements are the most; end some.`);
    }
    const name = placeOf(query.group, query.kind, query.publisher);
    const watchers = this.#watchers.get(name) ?? new Set();
    this.#watchers.set(name, watchers.add(watcher));
    this.#count++;
    return () => {
      if (!watchers.delete(watcher)) return;
      this.#count--;
      if (watchers.size === 0 && this.#watchers.get(name) === watchers) this.#watchers.delete(name);
    };
  }

  /** Whether anybody may have to be told when this entry changes. */
  concern({ shelf: { group, kind }, publisher }: IndexEntry): boolean {
    return this.#watchers.has(placeOf(group, kind)) || this.#watchers.has(placeOf(group, kind, publisher));
  }

  /** `before`: what was held under this name. `held`: whether the advertisement is held now. */
  notify(before: IndexEntry | undefined, news: Omit<StoreChange, 'change'>, held: boolean): void {
    const { group, kind, publisher } = news.advertisement;
    for (const name of [placeOf(group, kind), placeOf(group, kind, publisher)]) {
      const watchers = this.#watchers.get(name);
      if (watchers === undefined) continue;
      for (const watcher of [...watchers]) tell(watcher, before, news, held);
    }
  }

  /** Nobody is told of anything any more. */
  clear(): void {
    this.#watchers.clear();
  }

  /** How full the table is, and how often it had to refuse. */
  bound(): { readonly used: number; readonly limit: number; readonly dropped: number } {
    return { used: this.#count, limit: this.#limit, dropped: this.#refused };
  }
}

function placeOf(group: GroupId, kind: AdvertisementKind, publisher?: PeerId): string {
  const shelf = shelfName(group, kind);
  return publisher === undefined ? shelf : `${shelf} ${publisher}`;
}

function tell(
  { conditions, listener }: Watcher,
  before: IndexEntry | undefined,
  news: Omit<StoreChange, 'change'>,
  held: boolean,
): void {
  const met = before !== undefined && conditions.meets(before);
  const meets = held && conditions.matches(news.advertisement);
  if (!met && !meets) return;
  try {
    listener({ change: meets ? (met ? 'updated' : 'added') : 'removed', ...news });
  } catch (error) {
    // The listener's defect, reported as such, and no harm to the others.
    queueMicrotask(() => {
      throw error;
    });
  }
}
