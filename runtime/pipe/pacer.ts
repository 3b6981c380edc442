/** How much faster than the window's worth a round trip: a little, so that the window stays what limits (RFC 9002 section 7.7). */
const GAIN = 1.25;

/** The same while the window doubles every round trip: as fast as it grows. */
const SLOW_START_GAIN = 2;

/** Packets that may go at once after a pause: less than RFC 9002 section 7.7 allows, for home routers have short queues. */
const BURST_PACKETS = 4;

/** Timers are no finer, in ms: on a path of shorter round trips, what is due in two such steps goes at once. */
const GRANULARITY_MS = 1;

/** What a timer that comes late on a busy machine may make up for, in ms of the rate. */
const MAX_LATENESS_MS = 20;

/** What the rate follows from. */
export interface PacingRate {
  readonly windowBytes: number;
  readonly isSlowStart: boolean;
  /** Undefined before the first was measured: then nothing is held back, for the first window is a burst at most. */
  readonly roundTripMs: number | undefined;
}

/** Spreads a window over the round trip, so that no queue of the path has to take it at once (RFC 9002 section 7.7). */
export class Pacer {
  readonly #packetBytes: number;
  #allowance: number;
  #atMs: number;
  /** Whether a packet waits for its time: what is earned meanwhile is owed to it, not to a pause. */
  #isHeld = false;

  constructor(packetBytes: number, nowMs: number) {
    this.#packetBytes = packetBytes;
    this.#allowance = BURST_PACKETS * packetBytes;
    this.#atMs = nowMs;
  }

  /** How long the next packet must wait, in ms; 0 when it may go now. */
  waitMs(nowMs: number, rate: PacingRate): number {
    const elapsedMs = Math.max(0, nowMs - this.#atMs);
    this.#atMs = nowMs;
    if (rate.roundTripMs === undefined) return 0;
    const gain = rate.isSlowStart ? SLOW_START_GAIN : GAIN;
    const perMs = (gain * rate.windowBytes) / Math.max(rate.roundTripMs, 0.01);
    const spanMs = this.#isHeld ? MAX_LATENESS_MS : 2 * GRANULARITY_MS;
    const burst = Math.max(BURST_PACKETS * this.#packetBytes, perMs * spanMs);
    this.#allowance = Math.max(this.#allowance, Math.min(burst, this.#allowance + perMs * elapsedMs));
    this.#isHeld = this.#allowance <= 0;
    if (!this.#isHeld) return 0;
    return Math.max(GRANULARITY_MS, (this.#packetBytes - this.#allowance) / perMs);
  }

  onSent(bytes: number): void {
    this.#allowance -= bytes;
  }
}
