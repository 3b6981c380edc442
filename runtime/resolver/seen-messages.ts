import { LruCache } from '../bound/lru-cache.ts';
import { TokenBucket } from '../bound/token-bucket.ts';
import { base32Encode } from '../id/base32.ts';
import type { PeerId } from '../id/peer-id.ts';
import { MAX_MESSAGES_OF_ORIGIN, MAX_ORIGINS, ORIGIN_BURST, ORIGIN_PER_SECOND } from './resolver-defaults.ts';

interface Origin {
  /** When each message was issued; in the order in which they came. */
  readonly messages: Map<string, number>;
  readonly rate: TokenBucket;
  /** What was issued then or before may have been seen and forgotten: it counts as seen. */
  seenUntilMs: number;
}

type Message = { readonly origin: PeerId; readonly id: Uint8Array; readonly issuedAtMs: number };

/**
 * Which propagated messages came before, and how many of each origin. An origin that floods makes this forget its own
 * messages, never another's; and what is forgotten is taken for seen, so that nothing can be played again.
 */
export class SeenMessages {
  readonly #origins = new LruCache<Origin>(MAX_ORIGINS);

  /** Origins remembered. */
  get size(): number {
    return this.#origins.size;
  }

  /** Origins forgotten for others. */
  get evicted(): number {
    return this.#origins.evicted;
  }

  has({ origin, id, issuedAtMs }: Message): boolean {
    const known = this.#origins.get(origin);
    return known !== undefined && (issuedAtMs <= known.seenUntilMs || known.messages.has(base32Encode(id)));
  }

  /**
   * Remembers a message that is the origin's, its signature having been checked: else anybody could make us deaf to it.
   * False when the origin sends more than it may; then it is not remembered.
   */
  add({ origin, id, issuedAtMs }: Message, nowMs: number): boolean {
    let known = this.#origins.get(origin);
    if (known === undefined) {
      known = { messages: new Map(), rate: new TokenBucket(ORIGIN_BURST, ORIGIN_PER_SECOND, nowMs), seenUntilMs: -1 };
      this.#origins.set(origin, known, 1);
    }
    if (!known.rate.take(nowMs)) return false;
    for (const [oldest, issuedMs] of known.messages) {
      if (known.messages.size < MAX_MESSAGES_OF_ORIGIN) break;
      known.messages.delete(oldest);
      known.seenUntilMs = Math.max(known.seenUntilMs, issuedMs);
    }
    known.messages.set(base32Encode(id), issuedAtMs);
    return true;
  }
}
