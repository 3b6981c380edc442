import { LruCache } from '../bound/lru-cache.ts';
import { TokenBucket } from '../bound/token-bucket.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Clock } from '../platform/clock.ts';
import { ADMISSION_TURN_MS, MAX_ADMISSION_RATES } from './relay-defaults.ts';

export interface AdmissionPoolLimits {
  readonly maxPipes: number;
  readonly maxPerBinder: number;
  readonly maxPerTarget: number;
  /** New ones of one binder: at once, and a second in the long run. */
  readonly binderBurst: number;
  readonly binderPerSecond: number;
  readonly targetBurst: number;
  readonly targetPerSecond: number;
}

/** A place in the pool, for one pipe. */
export interface AdmissionPlace {
  /** Ends the pipe: others wait for its place. Set by whoever has it. */
  onDisplaced: () => void;
  /** Idempotent. */
  release(): void;
}

interface Held extends AdmissionPlace {
  readonly binder: PeerId;
  readonly target: PeerId;
  readonly sinceMs: number;
}

/** The pipes to membership services that a relay forwards at one time, for those who share one set of limits. */
export class AdmissionPool {
  readonly #clock: Clock;
  readonly #limits: AdmissionPoolLimits;
  /** The oldest first. */
  readonly #held = new Set<Held>();
  readonly #rates = new LruCache<TokenBucket>(MAX_ADMISSION_RATES);
  #refused = 0;

  constructor(clock: Clock, limits: AdmissionPoolLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  get status(): { readonly used: number; readonly limit: number; readonly dropped: number } {
    return { used: this.#held.size, limit: this.#limits.maxPipes, dropped: this.#refused };
  }

  /** Throws `overloaded`. One that has had its turn makes room for the next. */
  take(binder: PeerId, target: PeerId): AdmissionPlace {
    const { maxPipes, maxPerBinder, maxPerTarget, ...rates } = this.#limits;
    const nowMs = this.#clock.monotonicMs();
    this.#requireRate(`binder ${binder}`, rates.binderBurst, rates.binderPerSecond, nowMs);
    this.#requireRate(`target ${target}`, rates.targetBurst, rates.targetPerSecond, nowMs);
    this.#requireRoom((held) => held.binder === binder, maxPerBinder, nowMs);
    this.#requireRoom((held) => held.target === target, maxPerTarget, nowMs);
    this.#requireRoom(() => true, maxPipes, nowMs);
    const held: Held = {
      binder,
      target,
      sinceMs: nowMs,
      onDisplaced: () => undefined,
      release: () => void this.#held.delete(held),
    };
    this.#held.add(held);
    return held;
  }

  #requireRate(of: string, burst: number, perSecond: number, nowMs: number): void {
    const rate = this.#rates.get(of) ?? new TokenBucket(burst, perSecond, nowMs);
    this.#rates.set(of, rate, 1);
    if (!rate.take(nowMs)) throw this.#overloaded('come faster than this relay passes them on');
  }

  #requireRoom(isOne: (held: Held) => boolean, limit: number, nowMs: number): void {
    const [oldest, ...others] = [...this.#held].filter(isOne);
    if (oldest === undefined || others.length + 1 < limit) return;
    if (nowMs - oldest.sinceMs < ADMISSION_TURN_MS) throw this.#overloaded(`are open here, ${limit} of ${limit}`);
    oldest.release();
    oldest.onDisplaced();
  }

  #overloaded(why: string): PipevineError {
    this.#refused++;
    return new PipevineError('overloaded', `Pipes to membership services ${why}; wait some seconds, or ask another.`);
  }
}
