import type { AdvertisementStore, StoreChange } from '../advertisement/advertisement-store.ts';
import { TokenBucket } from '../bound/token-bucket.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { PipeListener, PipeService, RequestContext } from '../pipe/pipe.ts';
import type { Clock } from '../platform/clock.ts';
import { decodeQuery, encodeItem, type NeighbourQuery } from './discovery-codec.ts';
import {
  BATCH_BYTES,
  DISCOVERY_SERVICE,
  MAX_PENDING_CHANGES,
  MAX_QUERIES,
  MAX_QUERIES_PER_NEIGHBOUR,
  QUERIES_PER_SECOND,
  QUERY_BURST,
} from './discovery-defaults.ts';
import { Wakeup } from './wakeup.ts';

export interface DiscoveryServerInit {
  readonly group: GroupId;
  readonly store: Pick<AdvertisementStore, 'search' | 'held' | 'subscribe'>;
  readonly clock: Clock;
}

/** What goes to an asker; read from the storage only when its turn comes. */
interface Sendable {
  readonly publisher: PeerId;
  encoded(): Uint8Array | undefined;
}

interface Asker {
  underWay: number;
  readonly rate: TokenBucket;
}

/** Answers the queries of a group's members from this peer's own store; never asks others in turn. */
export class DiscoveryServer {
  readonly #group: GroupId;
  readonly #store: DiscoveryServerInit['store'];
  readonly #clock: Clock;
  readonly #askers = new Map<PeerId, Asker>();
  #underWay = 0;
  #refused = 0;
  #overrun = 0;

  constructor(init: DiscoveryServerInit) {
    this.#group = init.group;
    this.#store = init.store;
    this.#clock = init.clock;
  }

  serve(pipes: Pick<PipeService, 'serve'>): PipeListener {
    return pipes.serve({ group: this.#group, name: DISCOVERY_SERVICE, kinds: ['request'] }, (body, context) =>
      this.handle(body, context),
    );
  }

  /** Answers one query of an authenticated member. */
  async *handle(body: Uint8Array, context: RequestContext): AsyncGenerator<Uint8Array> {
    const release = this.#admit(context.remotePeer);
    try {
      const query = decodeQuery(body);
      yield* this.#answer(query, context.signal);
    } finally {
      release();
    }
  }

  /** Bounds and counters, by name. */
  status(): Readonly<Record<string, { readonly used: number; readonly limit: number; readonly dropped: number }>> {
    return {
      'discovery queries': { used: this.#underWay, limit: MAX_QUERIES, dropped: this.#refused },
      'discovery watches overrun': { used: 0, limit: MAX_PENDING_CHANGES, dropped: this.#overrun },
    };
  }

  async *#answer(query: NeighbourQuery, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const { watch, delegations, ...conditions } = query;
    const local = { ...conditions, group: this.#group };
    const isDelegated = delegations && query.kind !== 'delegation';
    const delegated = new Map<PeerId, number>();
    const pending = new Map<string, Sendable>();
    const wakeup = new Wakeup();
    let overrun = false;
    const onChange = (change: StoreChange) => {
      const { publisher, key, encoded } = change.withdrawal ?? change.advertisement;
      if (pending.size >= MAX_PENDING_CHANGES) overrun = true;
      else pending.set(`${publisher} ${key}`, { publisher, encoded: () => encoded });
      wakeup.wake();
    };
    // Before the present set is read: what changes meanwhile comes after it, never between.
    const unsubscribe = watch ? this.#store.subscribe(local, onChange) : () => undefined;
    signal.addEventListener('abort', wakeup.wake);
    try {
      const found = this.#store.search({ ...local, limit: query.limit });
      const complete = found.length < query.limit;
      yield* this.#items(found, isDelegated ? delegated : undefined, signal);
      yield encodeItem({ type: 'end', complete });
      while (watch && !signal.aborted) {
        if (overrun) {
          this.#overrun++;
          throw new PipevineError('overloaded', 'More changed than this watcher took; begin the watch anew.');
        }
        const changes = [...pending.values()];
        pending.clear();
        if (changes.length === 0) await wakeup.wait();
        else yield* this.#items(changes, isDelegated ? delegated : undefined, signal);
      }
    } finally {
      signal.removeEventListener('abort', wakeup.wake);
      unsubscribe();
    }
  }

  async *#items(
    advertisements: Iterable<Sendable>,
    delegated: Map<PeerId, number> | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    let batch: Uint8Array[] = [];
    let bytes = 0;
    for (const advertisement of advertisements) {
      if (signal.aborted) return;
      for (const one of this.#withDelegation(advertisement, delegated)) {
        if (bytes > 0 && bytes + one.length > BATCH_BYTES) {
          yield encodeItem({ type: 'advertisements', encoded: batch });
          batch = [];
          bytes = 0;
          // A long answer leaves turns of the loop to others.
          await new Promise<void>((resolve) => this.#clock.endOfTurn(resolve));
        }
        batch.push(one);
        bytes += one.length;
      }
    }
    if (bytes > 0) yield encodeItem({ type: 'advertisements', encoded: batch });
  }

  *#withDelegation({ publisher, encoded }: Sendable, delegated: Map<PeerId, number> | undefined): Iterable<Uint8Array> {
    const bytes = encoded();
    if (bytes === undefined) return;
    const name = { group: this.#group, kind: 'delegation', publisher, key: '' } as const;
    const delegation = delegated && this.#store.held(name);
    if (delegation !== undefined && (delegated?.get(publisher) ?? -1) < delegation.sequence) {
      delegated?.set(publisher, delegation.sequence);
      const delegationBytes = delegation.encoded();
      if (delegationBytes !== undefined) yield delegationBytes;
    }
    yield bytes;
  }

  #admit(peer: PeerId): () => void {
    const nowMs = this.#clock.monotonicMs();
    let asker = this.#askers.get(peer);
    if (asker === undefined) {
      // Whoever asks nothing now costs nothing; its rate begins anew, which one new link at a time cannot abuse much.
      for (const [other, { underWay }] of this.#askers) {
        if (this.#askers.size < MAX_QUERIES) break;
        if (underWay === 0) this.#askers.delete(other);
      }
      asker = { underWay: 0, rate: new TokenBucket(QUERY_BURST, QUERIES_PER_SECOND, nowMs) };
      this.#askers.set(peer, asker);
    }
    if (asker.underWay >= MAX_QUERIES_PER_NEIGHBOUR || this.#underWay >= MAX_QUERIES || !asker.rate.take(nowMs)) {
      this.#refused++;
      throw new PipevineError('overloaded', 'More discovery queries than this peer answers; ask again later.');
    }
    const admitted = asker;
    admitted.underWay++;
    this.#underWay++;
    return () => {
      admitted.underWay--;
      this.#underWay--;
    };
  }
}
