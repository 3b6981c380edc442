import type { AdvertisementKind, AdvertisementQuery } from '../advertisement/advertisement.ts';
import type { AdvertisementStore } from '../advertisement/advertisement-store.ts';
import type { StoreChange } from '../advertisement/advertisement-watchers.ts';
import { LruCache } from '../bound/lru-cache.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { checkAccess } from '../group/access.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Clock } from '../platform/clock.ts';
import type { SearchScope } from '../rendezvous/search-scope.ts';
import type { ResolverContext } from '../resolver/resolver.ts';
import { decodeQuery, encodeItem, type NeighbourQuery } from './discovery-codec.ts';
import {
  BATCH_BYTES,
  MAX_PENDING_CHANGES,
  MAX_QUERIES,
  MAX_SEARCH_DEBT,
  MAX_WALKS,
  SEARCHED_PER_MS,
  WALK_TIMEOUT_MS,
} from './discovery-defaults.ts';
import { type NeighbourAnswers, nameOf } from './neighbour-answers.ts';
import { Wakeup } from './wakeup.ts';

export interface DiscoveryServerInit {
  readonly group: GroupId;
  readonly store: Pick<AdvertisementStore, 'search' | 'held' | 'subscribe' | 'visited'>;
  readonly clock: Clock;
  readonly hostOf: (peer: PeerId) => PeerId | undefined;
  readonly scope: Pick<SearchScope, 'plan'>;
  readonly answers: Pick<NeighbourAnswers, 'search'>;
  /** Watches elsewhere on behalf of others, until the returned function is called. Throws `overloaded`. */
  readonly watchOthers: (query: AdvertisementQuery) => () => void;
}

/** What goes to an asker; read from the storage only when its turn comes. */
interface Sendable {
  readonly publisher: PeerId;
  readonly key: string;
  readonly sequence: number;
  encoded(): Uint8Array | undefined;
}

/** One answer: what was asked, and the highest sequence sent of each name, to send each version once. */
interface Answer {
  readonly query: NeighbourQuery;
  readonly asker: PeerId;
  readonly sent: Map<string, number>;
  readonly signal: AbortSignal;
}

/** Answers the queries of a group's members: from this peer's own store, and for who asks to walk from others' besides. */
export class DiscoveryServer {
  readonly #init: DiscoveryServerInit;
  /** What the searches of each asker have looked at and time has not yet paid off. */
  readonly #debts = new LruCache<{ readonly visits: number; readonly atMs: number }>(MAX_QUERIES);
  #underWay = 0;
  #refused = 0;
  #overrun = 0;
  #walks = 0;
  #walksRefused = 0;

  constructor(init: DiscoveryServerInit) {
    this.#init = init;
  }

  /** Answers one query of an authenticated member. */
  async *handle(body: Uint8Array, context: ResolverContext): AsyncGenerator<Uint8Array> {
    const asked = decodeQuery(body);
    const { propagated, remotePeer, credential, signal } = context;
    // What is propagated reaches the others by itself, and asks for no more than what is there now.
    const query = propagated ? { ...asked, walk: false, watch: false } : asked;
    checkAccess(query.watch ? 'discovery.watch' : 'discovery.query', remotePeer, credential);
    if (this.#underWay >= MAX_QUERIES || this.#debtOf(remotePeer) > MAX_SEARCH_DEBT) {
      this.#refused++;
      throw new PipevineError('overloaded', 'More discovery queries than this peer answers; ask again later.');
    }
    this.#underWay++;
    try {
      yield* this.#answer({ query, asker: remotePeer, sent: new Map(), signal }, propagated);
    } finally {
      this.#underWay--;
    }
  }

  /** Bounds and counters, by name. */
  status(): Readonly<Record<string, { readonly used: number; readonly limit: number; readonly dropped: number }>> {
    return {
      'discovery queries': { used: this.#underWay, limit: MAX_QUERIES, dropped: this.#refused },
      'discovery walks': { used: this.#walks, limit: MAX_WALKS, dropped: this.#walksRefused },
      'discovery watches overrun': { used: 0, limit: MAX_PENDING_CHANGES, dropped: this.#overrun },
    };
  }

  async *#answer(answer: Answer, quietly: boolean): AsyncGenerator<Uint8Array> {
    const { group, store } = this.#init;
    const { query, signal } = answer;
    const { watch, walk, proofs: _, ...conditions } = query;
    const local = { ...conditions, group };
    const pending = new Map<string, Sendable>();
    const wakeup = new Wakeup();
    let overrun = false;
    const onChange = ({ change, advertisement, withdrawal }: StoreChange) => {
      const { publisher, key, sequence, encoded } = withdrawal ?? advertisement;
      // What went without a withdrawal ran out or was dropped here: no news for others.
      const isNews = withdrawal !== undefined || change !== 'removed' || this.#holds(query.kind, advertisement);
      if (!isNews) return;
      if (pending.size >= MAX_PENDING_CHANGES) overrun = true;
      else pending.set(`${publisher} ${key}`, { publisher, key, sequence, encoded: () => encoded });
      wakeup.wake();
    };
    // Before the present set is read: what changes meanwhile comes after it, never between.
    const unsubscribe = watch ? store.subscribe(local, onChange) : () => undefined;
    const release = watch && walk ? this.#watchOthers(query) : () => undefined;
    signal.addEventListener('abort', wakeup.wake);
    try {
      const before = store.visited;
      const found = store.search(local);
      // Each entry is compared with as many patterns at most.
      this.#charge(answer.asker, (store.visited - before) * (1 + Object.keys(query.attributes ?? {}).length));
      if (quietly && found.length === 0) return;
      yield* this.#items(found, answer);
      const { length } = found;
      if (walk && length < query.limit) yield* this.#walk(answer, length);
      yield encodeItem({ type: 'end', complete: length < query.limit });
      while (watch && !signal.aborted) {
        if (overrun) {
          this.#overrun++;
          throw new PipevineError('overloaded', 'More changed than this watcher took; begin the watch anew.');
        }
        const changes = [...pending.values()];
        pending.clear();
        if (changes.length === 0) await wakeup.wait();
        else yield* this.#items(changes, answer);
      }
    } finally {
      signal.removeEventListener('abort', wakeup.wake);
      release();
      unsubscribe();
    }
  }

  /** Asks others on behalf of the asker. What comes is in the store before it is passed on. */
  async *#walk(answer: Answer, found: number): AsyncGenerator<Uint8Array> {
    const { group, scope, answers } = this.#init;
    const { watch: _, walk: __, proofs: ___, ...conditions } = answer.query;
    const query = { ...conditions, group };
    if (this.#walks >= MAX_WALKS) {
      this.#walksRefused++;
      return;
    }
    this.#walks++;
    try {
      let left = answer.query.limit - found;
      const options = { signal: answer.signal, timeoutMs: WALK_TIMEOUT_MS, isVain: () => found === 0 };
      for await (const batch of answers.search(query, () => scope.plan(query, 'client'), options)) {
        const fresh = batch.filter((one) => !this.#isSent(answer, one)).slice(0, left);
        left -= fresh.length;
        yield* this.#items(
          fresh.map(({ publisher, key, sequence, encoded }) => ({ publisher, key, sequence, encoded: () => encoded })),
          answer,
        );
        if (left <= 0) return;
      }
    } finally {
      this.#walks--;
    }
  }

  #watchOthers({ watch: _, walk: __, proofs: ___, ...conditions }: NeighbourQuery): () => void {
    try {
      return this.#init.watchOthers({ ...conditions, group: this.#init.group });
    } catch (error) {
      // Too many, and counted there: the watcher still hears of what changes here.
      if (error instanceof PipevineError && error.code === 'overloaded') return () => undefined;
      throw error;
    }
  }

  async *#items(advertisements: Iterable<Sendable>, answer: Answer): AsyncGenerator<Uint8Array> {
    let batch: Uint8Array[] = [];
    let bytes = 0;
    for (const advertisement of advertisements) {
      if (answer.signal.aborted) return;
      for (const one of this.#withProofs(advertisement, answer)) {
        if (bytes > 0 && bytes + one.length > BATCH_BYTES) {
          yield encodeItem({ type: 'advertisements', encoded: batch });
          batch = [];
          bytes = 0;
          // A long answer leaves turns of the loop to others.
          await new Promise<void>((resolve) => this.#init.clock.endOfTurn(resolve));
        }
        batch.push(one);
        bytes += one.length;
      }
    }
    if (bytes > 0) yield encodeItem({ type: 'advertisements', encoded: batch });
  }

  /** First who the host is, then that it may speak for the publisher, or who the publisher is; then the result. */
  *#withProofs(advertisement: Sendable, answer: Answer): Iterable<Uint8Array> {
    const { query } = answer;
    const { publisher } = advertisement;
    const bytes = this.#isSent(answer, advertisement) ? undefined : advertisement.encoded();
    if (bytes === undefined) return;
    if (query.proofs) {
      const host = this.#init.hostOf(publisher);
      if (host !== undefined) yield* this.#proof('peer', host, answer);
      if (query.kind !== 'peer') yield* this.#proof('peer', publisher, answer);
      if (host !== undefined && query.kind !== 'delegation') yield* this.#proof('delegation', publisher, answer);
    }
    // Without a walk no result comes twice, and a long answer needs no memory of what was in it.
    if (query.walk) answer.sent.set(nameOf(advertisement), advertisement.sequence);
    yield bytes;
  }

  *#proof(kind: 'peer' | 'delegation', publisher: PeerId, { sent }: Answer): Iterable<Uint8Array> {
    const held = this.#init.store.held({ group: this.#init.group, kind, publisher, key: '' });
    const name = `${kind}/${publisher}`;
    if (held === undefined || (sent.get(name) ?? -1) >= held.sequence) return;
    sent.set(name, held.sequence);
    const bytes = held.encoded();
    if (bytes !== undefined) yield bytes;
  }

  #debtOf(peer: PeerId): number {
    const debt = this.#debts.get(peer);
    const paid = debt && (this.#init.clock.monotonicMs() - debt.atMs) * SEARCHED_PER_MS;
    return debt === undefined || paid === undefined ? 0 : Math.max(0, debt.visits - paid);
  }

  #charge(peer: PeerId, visits: number): void {
    this.#debts.set(peer, { visits: this.#debtOf(peer) + visits, atMs: this.#init.clock.monotonicMs() }, 1);
  }

  #isSent({ sent }: Answer, one: Omit<Sendable, 'encoded'>): boolean {
    return (sent.get(nameOf(one)) ?? -1) >= one.sequence;
  }

  #holds(kind: AdvertisementKind, { publisher, key, sequence }: Omit<Sendable, 'encoded'>): boolean {
    return this.#init.store.held({ group: this.#init.group, kind, publisher, key })?.sequence === sequence;
  }
}
