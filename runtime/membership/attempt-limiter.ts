export interface AttemptLimits {
  readonly windowMs: number;
  readonly maxPerPeer: number;
  readonly maxInTotal: number;
}

/**
 * Counts failures in windows of fixed length, by peer and in total. The table needs no bound of its own: it holds no
 * more peers than failures are let through in a window.
 */
export class AttemptLimiter {
  readonly #limits: AttemptLimits;
  readonly #byPeer = new Map<string, number>();
  #total = 0;
  #windowEndMs = 0;
  #refused = 0;

  constructor(limits: AttemptLimits) {
    this.#limits = limits;
  }

  /** Attempts refused so far. */
  get refused(): number {
    return this.#refused;
  }

  /** Failures of the latest window. */
  get recent(): number {
    return this.#total;
  }

  /** Whether this peer may try now, by monotonic time. */
  allows(peer: string, nowMs: number): boolean {
    if (nowMs >= this.#windowEndMs) {
      this.#byPeer.clear();
      this.#total = 0;
    }
    const allowed = this.#total < this.#limits.maxInTotal && (this.#byPeer.get(peer) ?? 0) < this.#limits.maxPerPeer;
    if (!allowed) this.#refused++;
    return allowed;
  }

  failed(peer: string, nowMs: number): void {
    if (this.#total === 0) this.#windowEndMs = nowMs + this.#limits.windowMs;
    this.#total++;
    this.#byPeer.set(peer, (this.#byPeer.get(peer) ?? 0) + 1);
  }

  /** Takes back one failure: the attempt came to a good end after all. */
  succeeded(peer: string): void {
    const count = this.#byPeer.get(peer) ?? 0;
    if (count === 0) return;
    this.#total--;
    if (count === 1) this.#byPeer.delete(peer);
    else this.#byPeer.set(peer, count - 1);
  }
}
