import type { Advertisement, AdvertisementQuery } from '../advertisement/advertisement.ts';
import type { AdvertisementStore } from '../advertisement/advertisement-store.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import { decodeItem, encodeQuery, type NeighbourQuery } from './discovery-codec.ts';
import { FIND_TIMEOUT_MS, MAX_RESULTS } from './discovery-defaults.ts';
import type { OpenNeighbour } from './group-neighbours.ts';

/** What came from neighbours and was not taken. */
export interface AnswerCounters {
  /** Did not verify, or was malformed: the neighbour is left alone for a while. */
  forged: number;
  /** Older than what is known already. */
  replayed: number;
  /** More than was asked for. */
  surplus: number;
}

export interface NeighbourAnswersInit {
  readonly group: GroupId;
  readonly localPeer: PeerId;
  readonly store: AdvertisementStore;
  readonly hostOf: (peer: PeerId) => PeerId | undefined;
  readonly counters: AnswerCounters;
  /** Told of a neighbour that sent what does not verify. */
  readonly onForged: (peer: PeerId) => void;
}

/**
 * Asks neighbours, and puts what verifies into the store: the store is then the truth for this peer. A neighbour is
 * believed about nothing but the absence of what it publishes or hosts itself.
 */
export class NeighbourAnswers {
  readonly #init: NeighbourAnswersInit;

  constructor(init: NeighbourAnswersInit) {
    this.#init = init;
  }

  /**
   * Follows one neighbour's answer to its end, or for a watch until the signal. Calls `onPresent` when the present set is
   * through. Rejects with the errors of the pipe, or `forged` when the neighbour sent what does not verify.
   */
  async follow(
    { peer, pipe }: OpenNeighbour,
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
    const { group, counters } = this.#init;
    const limit = query.limit ?? 1_000;
    const asked: NeighbourQuery = { ...query, limit, watch, delegations: query.kind !== 'delegation' };
    const wait = { signal: options.signal, timeoutMs: options.timeoutMs ?? FIND_TIMEOUT_MS };
    const seen = new Set<string>();
    let isPresentSet = true;
    let leftInSet = 2 * limit + 16;
    for await (const bytes of pipe.stream(encodeQuery(asked), wait)) {
      const item = this.#checked(peer, () => decodeItem(bytes));
      if (item.type === 'end') {
        if (isPresentSet && item.complete) this.#forgetAbsent(peer, query, seen);
        isPresentSet = false;
        options.onPresent?.();
        continue;
      }
      for (const encoded of item.encoded) {
        if (isPresentSet && --leftInSet < 0) {
          counters.surplus++;
          throw new PipevineError('protocol', `The neighbour answered with more than ${limit} results.`);
        }
        const receipt = this.#checked(peer, () => this.#init.store.receive(encoded, { group }));
        if (receipt.outcome === 'replayed') counters.replayed++;
        else if (receipt.outcome !== 'withdrawn') {
          if (isPresentSet) seen.add(nameOf(receipt.advertisement));
          options.onHeld?.(receipt.advertisement);
        }
      }
    }
  }

  /** What the neighbour offers itself and did not name is gone: it was withdrawn while nobody here listened. */
  #forgetAbsent(peer: PeerId, query: AdvertisementQuery, seen: ReadonlySet<string>): void {
    const { store, hostOf, localPeer } = this.#init;
    const { group, kind } = query;
    for (const held of store.search({ ...query, limit: MAX_RESULTS })) {
      const { publisher, key, sequence } = held;
      if (publisher === localPeer || seen.has(nameOf(held))) continue;
      if (publisher === peer || hostOf(publisher) === peer) store.forget({ group, kind, publisher, key, sequence });
    }
  }

  #checked<T>(peer: PeerId, read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (error instanceof PipevineError && error.code !== 'closed') {
        this.#init.counters.forged++;
        this.#init.onForged(peer);
      }
      throw error;
    }
  }
}

/** Names an advertisement within its group and kind. */
export function nameOf({ publisher, key }: Pick<Advertisement, 'publisher' | 'key'>): string {
  return `${publisher} ${key}`;
}
