import type { PeerId } from '../id/peer-id.ts';
import type { Clock } from '../platform/clock.ts';
import { HOP_COST } from './find-routes.ts';
import { HOP_REST_MS, MAX_FAILED_HOPS } from './router-defaults.ts';

interface Failure {
  readonly near: PeerId;
  readonly far: PeerId;
  /** Failed attempts lately: each makes the hop dearer than a detour of one relay more. */
  count: number;
  /** A relay has said that it is this hop; until then it is not taken. */
  restUntilMs: number;
  untilMs: number;
}

/** A hop that failed once is dearer than a detour of one. */
const SUSPICION_COST = 1.5 * HOP_COST;
const MAX_SUSPICIONS = 8;

/** Hops between relays that have failed lately. */
export class FailedHops {
  readonly #clock: Clock;
  readonly #failures = new Map<string, Failure>();
  #forgotten = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#failures.size;
  }

  /** Failures that were forgotten for want of room. */
  get forgotten(): number {
    return this.#forgotten;
  }

  /** `certain`: a relay has named this hop, so that it rests; else it is only one of those that may have been it. */
  add(near: PeerId, far: PeerId, certain: boolean): void {
    const now = this.#clock.monotonicMs();
    const key = `${near} ${far}`;
    const before = this.#failures.get(key);
    this.#failures.delete(key);
    const count = before === undefined || before.untilMs <= now ? 1 : Math.min(before.count + 1, MAX_SUSPICIONS);
    const restUntilMs = certain ? now + HOP_REST_MS : (before?.restUntilMs ?? -Infinity);
    this.#failures.set(key, { near, far, count, restUntilMs, untilMs: now + 4 * HOP_REST_MS });
    for (const oldest of this.#failures.keys()) {
      if (this.#failures.size <= MAX_FAILED_HOPS) break;
      this.#failures.delete(oldest);
      this.#forgotten++;
    }
  }

  /** A pipe has gone over this hop: what was said against it is over. */
  clear(near: PeerId, far: PeerId): void {
    this.#failures.delete(`${near} ${far}`);
  }

  /** That peer has said anew whom it can reach: its hops may be tried again, though they stay suspect. */
  awaken(peer: PeerId): void {
    for (const failure of this.#failures.values()) {
      if (failure.near === peer || failure.far === peer) failure.restUntilMs = -Infinity;
    }
  }

  /** Infinity while it rests. */
  costOf(near: PeerId, far: PeerId): number {
    // A search asks this for thousands of hops, and mostly none has failed.
    if (this.#failures.size === 0) return 0;
    const failure = this.#failures.get(`${near} ${far}`);
    const now = this.#clock.monotonicMs();
    if (failure === undefined || failure.untilMs <= now) return 0;
    return failure.restUntilMs > now ? Infinity : failure.count * SUSPICION_COST;
  }
}
