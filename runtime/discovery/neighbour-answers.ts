import type { Advertisement, AdvertisementQuery } from '../advertisement/advertisement.ts';
import { QueryConditions } from '../advertisement/advertisement-index.ts';
import type { AdvertisementReceipt, AdvertisementStore } from '../advertisement/advertisement-store.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Clock } from '../platform/clock.ts';
import type { SearchPlan, SearchTarget } from '../rendezvous/search-scope.ts';
import type { GroupResolver } from '../resolver/resolver.ts';
import { untilAborted } from '../resolver/until-aborted.ts';
import { decodeItem, encodeQuery, type NeighbourQuery } from './discovery-codec.ts';
import { DISCOVERY_HANDLER, FIND_TIMEOUT_MS, MAX_FIND_EXTENSION, MAX_RESULTS } from './discovery-defaults.ts';
import type { PublisherGate, PublisherSource } from './publisher-check.ts';
import { Wakeup } from './wakeup.ts';

/** What is hosted is proven by a delegation, which the host's peer advertisement proves. */
const MAX_PROOF_DEPTH = 3;

/** What came from neighbours and was not taken. */
export interface AnswerCounters {
  /** Did not verify, or was malformed: the neighbour is left alone for a while. */
  forged: number;
  /** Older than what is known already. */
  replayed: number;
  /** More than was asked for. */
  surplus: number;
  /** Nothing shows that its publisher may publish in the group. */
  unproven: number;
}

export interface NeighbourAnswersInit {
  readonly group: GroupId;
  readonly resolver: Pick<GroupResolver, 'localPeer' | 'distrust'>;
  readonly store: AdvertisementStore;
  readonly clock: Clock;
  readonly publishers: PublisherGate;
  readonly hostOf: (peer: PeerId) => PeerId | undefined;
  readonly counters: AnswerCounters;
}

/**
 * Asks neighbours, and puts what verifies and is proven into the store: the store is then the truth for this peer. A
 * neighbour is believed about nothing but the absence of what it publishes or hosts itself.
 */
export class NeighbourAnswers {
  readonly #init: NeighbourAnswersInit;

  constructor(init: NeighbourAnswersInit) {
    this.#init = init;
  }

  /**
   * Takes in what a neighbour gave; `onReceipt` hears of each but the unproven, and how many these are is returned. A proof
   * may come after what it proves. Throws what the store throws; the neighbour is then distrusted.
   */
  take(
    given: readonly Uint8Array[],
    from: PublisherSource,
    onReceipt: (receipt: AdvertisementReceipt) => void,
  ): number {
    const { group, store, publishers, counters } = this.#init;
    const accept = (advertisement: Advertisement) => publishers.accept(advertisement, from);
    let left = given;
    for (let pass = 0; pass < MAX_PROOF_DEPTH; pass++) {
      const unproven: Uint8Array[] = [];
      for (const encoded of left) {
        const receipt = this.#checked(from.peer, () => store.receive(encoded, { group, accept }));
        if (receipt.outcome === 'replayed') counters.replayed++;
        if (receipt.outcome === 'unproven') unproven.push(encoded);
        else onReceipt(receipt);
      }
      if (unproven.length === left.length) break;
      left = unproven;
    }
    counters.unproven += left.length;
    return left.length;
  }

  /**
   * Follows one neighbour's answer to its end, or for a watch until the signal. Calls `onPresent` when the present set is
   * through. Rejects with the errors of the resolver, or `forged` when the neighbour sent what does not verify.
   */
  async follow(
    { neighbour, walk }: SearchTarget,
    query: AdvertisementQuery,
    watch: boolean,
    options: {
      readonly signal: AbortSignal;
      readonly timeoutMs?: number;
      readonly onPresent?: () => void;
      /** Each that verified, or was verified before, and is held now. */
      readonly onHeld?: (advertisement: Advertisement) => void;
    },
  ): Promise<void> {
    const { counters } = this.#init;
    const limit = query.limit ?? 1_000;
    const asked: NeighbourQuery = { ...query, limit, watch, walk, proofs: true };
    const wait = { signal: options.signal, timeoutMs: options.timeoutMs ?? FIND_TIMEOUT_MS };
    const seen = new Set<string>();
    let isPresentSet = true;
    // Of each result several versions, and three proofs, in the worst honest case.
    let leftInSet = 4 * limit + 16;
    for await (const bytes of neighbour.stream(DISCOVERY_HANDLER, encodeQuery(asked), wait)) {
      const item = this.#checked(neighbour.peer, () => decodeItem(bytes));
      if (item.type === 'end') {
        if (isPresentSet && item.complete) this.#forgetAbsent(neighbour.peer, query, seen);
        isPresentSet = false;
        options.onPresent?.();
        continue;
      }
      leftInSet -= item.encoded.length;
      if (isPresentSet && leftInSet < 0) {
        counters.surplus++;
        throw new PipevineError('protocol', `The neighbour answered with more than ${limit} results.`);
      }
      this.take(item.encoded, neighbour, (receipt) => {
        if (!('advertisement' in receipt) || receipt.outcome === 'withdrawn') return;
        if (isPresentSet && receipt.advertisement.kind === query.kind) seen.add(nameOf(receipt.advertisement));
        options.onHeld?.(receipt.advertisement);
      });
    }
  }

  /**
   * Searches by a plan: what meets the query and comes from others, each version once, in the batches in which it
   * comes. The second round is asked only when `isVain` after the first. Ends when all have answered, at the deadline (while
   * results keep coming it moves), when the publisher or host of the one advertisement looked for has answered, or
   * with the signal.
   */
  async *search(
    query: AdvertisementQuery,
    plan: () => SearchPlan,
    options: {
      readonly signal?: AbortSignal | undefined;
      readonly timeoutMs: number;
      /** Waited for before the plan is made. */
      readonly ready?: Promise<void>;
      readonly isVain?: () => boolean;
    },
  ): AsyncGenerator<Advertisement[]> {
    const { clock, hostOf } = this.#init;
    const { signal, timeoutMs, ready, isVain } = options;
    const conditions = new QueryConditions(query);
    const sequences = new Map<string, number>();
    const wakeup = new Wakeup();
    const ending = new AbortController();
    const end = () => {
      ending.abort();
      wakeup.wake();
    };
    signal?.addEventListener('abort', end);
    if (signal?.aborted) end();
    const latestMs = clock.monotonicMs() + MAX_FIND_EXTENSION * timeoutMs;
    let progressed = false;
    let deadline = clock.setTimer(timeoutMs, onDeadline);
    // A long answer is not cut off while it comes; a neighbour that trickles is.
    function onDeadline(): void {
      if (!progressed || clock.monotonicMs() >= latestMs) return end();
      progressed = false;
      deadline = clock.setTimer(timeoutMs, onDeadline);
    }
    let arrived: Advertisement[] = [];
    const onHeld = (advertisement: Advertisement) => {
      // Proofs come along with what was asked for; and a neighbour may send what was not.
      if (!conditions.matches(advertisement)) return;
      progressed = true;
      const name = nameOf(advertisement);
      if ((sequences.get(name) ?? -1) >= advertisement.sequence) return;
      sequences.set(name, advertisement.sequence);
      arrived.push(advertisement);
      wakeup.wake();
    };
    const { publisher } = query;
    const authority = query.key === undefined || publisher === undefined ? undefined : (hostOf(publisher) ?? publisher);
    const ask = async (targets: readonly SearchTarget[], roundMs: number) => {
      const wait = { signal: ending.signal, timeoutMs: roundMs, onHeld };
      // A neighbour that fails to answer leaves the others' answers as they are.
      const ended = await Promise.allSettled(
        targets.map(async (target) => {
          await this.follow(target, query, false, wait);
          if (target.neighbour.peer === authority && sequences.size > 0) end();
        }),
      );
      for (const one of ended) {
        if (one.status === 'rejected' && !(one.reason instanceof PipevineError)) throw one.reason;
      }
    };
    const askAll = async () => {
      if (ready !== undefined) await untilAborted(ready, ending.signal);
      if (ending.signal.aborted) return;
      const { first, second } = plan();
      await ask(first, second.length === 0 ? timeoutMs : timeoutMs / 2);
      if (sequences.size === 0 && !ending.signal.aborted && isVain?.() !== false) await ask(second, timeoutMs);
    };
    let asking = true;
    const asked = askAll().finally(() => {
      asking = false;
      wakeup.wake();
    });
    try {
      for (;;) {
        if (arrived.length > 0) {
          const batch = arrived;
          arrived = [];
          yield batch;
        } else if (asking && !ending.signal.aborted) await wakeup.wait();
        else break;
      }
    } finally {
      deadline.cancel();
      signal?.removeEventListener('abort', end);
      end();
      await asked;
    }
  }

  /** What the neighbour offers itself and did not name is gone: it was withdrawn while nobody here listened. */
  #forgetAbsent(peer: PeerId, query: AdvertisementQuery, seen: ReadonlySet<string>): void {
    const { store, hostOf, resolver } = this.#init;
    const { group, kind } = query;
    for (const held of store.search({ ...query, limit: MAX_RESULTS })) {
      const { publisher, key, sequence } = held;
      if (publisher === resolver.localPeer || seen.has(nameOf(held))) continue;
      if (publisher === peer || hostOf(publisher) === peer) store.forget({ group, kind, publisher, key, sequence });
    }
  }

  #checked<T>(peer: PeerId, read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (error instanceof PipevineError && error.code !== 'closed') {
        this.#init.counters.forged++;
        this.#init.resolver.distrust(peer);
      }
      throw error;
    }
  }
}

/** Names an advertisement within its group and kind. */
export function nameOf({ publisher, key }: Pick<Advertisement, 'publisher' | 'key'>): string {
  return `${publisher} ${key}`;
}
