import { TokenBucket } from '../bound/token-bucket.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { PeerId } from '../id/peer-id.ts';
import {
  MAX_QUERIES_OF_NEIGHBOUR,
  MESSAGE_BURST,
  MESSAGES_PER_SECOND,
  QUERIES_PER_SECOND,
  QUERY_BURST,
} from './resolver-defaults.ts';

interface Asker {
  underWay: number;
  readonly directed: TokenBucket;
  readonly propagated: TokenBucket;
}

/** How much each neighbour may ask, in all groups together. */
export class QueryAdmission {
  readonly limit: number;
  readonly #askers = new Map<PeerId, Asker>();
  #underWay = 0;
  #refused = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get underWay(): number {
    return this.#underWay;
  }

  get refused(): number {
    return this.#refused;
  }

  /** Call what comes back when the query is over, once. Throws `overloaded`. */
  admit(peer: PeerId, type: 'directed' | 'propagated', nowMs: number): () => void {
    const asker = this.#askers.get(peer) ?? this.#begin(peer, nowMs);
    if (asker.underWay >= MAX_QUERIES_OF_NEIGHBOUR || this.#underWay >= this.limit || !asker[type].take(nowMs)) {
      this.#refused++;
      throw new PipevineError('overloaded', 'More queries than this peer answers; ask again later.');
    }
    asker.underWay++;
    this.#underWay++;
    return () => {
      asker.underWay--;
      this.#underWay--;
    };
  }

  #begin(peer: PeerId, nowMs: number): Asker {
    // Whoever asks nothing now costs nothing; its rate begins anew, which one new link at a time cannot abuse much.
    for (const [other, { underWay }] of this.#askers) {
      if (this.#askers.size < this.limit) break;
      if (underWay === 0) this.#askers.delete(other);
    }
    const asker = {
      underWay: 0,
      directed: new TokenBucket(QUERY_BURST, QUERIES_PER_SECOND, nowMs),
      propagated: new TokenBucket(MESSAGE_BURST, MESSAGES_PER_SECOND, nowMs),
    };
    this.#askers.set(peer, asker);
    return asker;
  }
}
