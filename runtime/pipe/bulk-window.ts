import type { Clock, Timer } from '../platform/clock.ts';
import { BULK_DELAY_MS, BULK_FIRST_BYTES, BULK_MIN_BYTES, BULK_RATE_MS } from './pipe-defaults.ts';

/** Smallest frame of a bulk pipe, in bytes of payload: with less the frames' own cost counts. */
const MIN_FRAME_BYTES = 1_024;

/** Frames that fill the window: one that is on its way holds up others for this part of it. */
const FRAMES_A_WINDOW = 8;

/**
 * The window goes in bursts of this part of it, and a burst in this part of the time in which the window passes: what came in
 * one record would be acknowledged at once, and the path be idle until the acknowledgement is back. Their ratio is how
 * much faster is sent than the path is known to be, as in RFC 9002 section 7.7.
 */
const BURSTS_A_WINDOW = 4;
const BURST_TIMES_A_WINDOW = 5;

/** When something was sent over the path, and what had arrived by then. */
export interface BulkFlight {
  readonly sentMs: number;
  readonly deliveredBytes: number;
  /** Whether the window was in use, so that the path and not the sender is measured. */
  readonly limited: boolean;
}

/** Whoever waits for the window. */
export interface BulkWaiter {
  wantTurn(): void;
}

export interface BulkWindowInit {
  readonly clock: Clock;
  /** Round trip of the path alone, as far as it is known. */
  readonly rttMs: () => number | undefined;
  /** There is room again; who waits has asked for its turn. */
  readonly onRoom: () => void;
}

/**
 * How much the bulk pipes of one path have under way: what the path delivers within its own round trip and a little more,
 * so that it is busy all the time and yet the queue in front of it stays short for whatever else goes there. The aim is
 * LEDBAT's (RFC 6817), a bounded delay; the means is the delivery rate, measured as in draft-cheng-iccrg-delivery-rate-estimation.
 */
export class BulkWindow {
  readonly #init: BulkWindowInit;
  readonly #waiting = new Set<BulkWaiter>();
  #bytes = BULK_FIRST_BYTES;
  #underWayBytes = 0;
  #deliveredBytes = 0;
  /** The shortest time from sending to acknowledgement. */
  #leastMs = Infinity;
  /** Highest rate of this period and of the one before, in bytes a ms. */
  #rates: readonly [current: number, former: number] = [0, 0];
  #periodEndsMs = 0;
  #burstBytes = 0;
  #burstTimer: Timer | undefined;

  constructor(init: BulkWindowInit) {
    this.#init = init;
  }

  /** What may be under way, in bytes of cost. */
  get bytes(): number {
    return this.#bytes;
  }

  get underWayBytes(): number {
    return this.#underWayBytes;
  }

  /** One frame may exceed the window, so that none is too large for it. */
  get hasRoom(): boolean {
    return this.#underWayBytes < this.#bytes && this.#burstBytes * BURSTS_A_WINDOW < this.#bytes;
  }

  /** Largest payload of a frame that does not hold up others for long. */
  get frameBytes(): number {
    return Math.max(MIN_FRAME_BYTES, Math.floor(this.#bytes / FRAMES_A_WINDOW));
  }

  /** Calls `wantTurn` when there is room again. Those of a pipe that is gone are told in vain. */
  wait(waiter: BulkWaiter): void {
    this.#waiting.add(waiter);
  }

  sent(cost: number): void {
    this.#underWayBytes += cost;
    this.#burstBytes += cost;
    this.#burstTimer ??= this.#init.clock.setTimer(this.#passMs / BURST_TIMES_A_WINDOW, () => {
      this.#burstTimer = undefined;
      this.#burstBytes = 0;
      this.#offerRoom();
    });
  }

  /** The mark to keep with what was sent just now. */
  flight(): BulkFlight {
    const limited = this.#underWayBytes * 2 >= this.#bytes;
    return { sentMs: this.#init.clock.monotonicMs(), deliveredBytes: this.#deliveredBytes, limited };
  }

  /** So much of the cost has arrived; `newest` is the mark of the last of it. */
  delivered(cost: number, newest: BulkFlight | undefined): void {
    this.#underWayBytes -= cost;
    this.#deliveredBytes += cost;
    if (newest !== undefined) this.#measure(cost, newest);
    this.#offerRoom();
  }

  /** So much of the cost was lost, or is not looked at any more. */
  forget(cost: number): void {
    if (cost === 0) return;
    this.#underWayBytes -= cost;
    this.#offerRoom();
  }

  #measure(cost: number, newest: BulkFlight): void {
    const nowMs = this.#init.clock.monotonicMs();
    const tookMs = nowMs - newest.sentMs;
    this.#leastMs = Math.min(this.#leastMs, tookMs, this.#init.rttMs() ?? Infinity);
    const rate = (this.#deliveredBytes - newest.deliveredBytes) / Math.max(tookMs, 0.01);
    const [current, former] = this.#rates;
    // A sender that had nothing more to send measures itself.
    if (!newest.limited && rate <= Math.max(current, former)) return;
    if (nowMs >= this.#periodEndsMs) {
      this.#rates = [rate, current];
      this.#periodEndsMs = nowMs + Math.max(BULK_RATE_MS, 2 * this.#passMs);
    } else if (rate > current) {
      this.#rates = [rate, former];
    }
    const fitting = Math.max(...this.#rates) * this.#passMs;
    // While nothing queues, the path is not known yet.
    const isFree = newest.limited && tookMs - this.#leastMs < BULK_DELAY_MS * 0.7;
    this.#bytes = Math.max(BULK_MIN_BYTES, fitting, isFree ? this.#bytes + cost : 0);
  }

  /** In what time the window passes. */
  get #passMs(): number {
    return (Number.isFinite(this.#leastMs) ? this.#leastMs : (this.#init.rttMs() ?? 0)) + BULK_DELAY_MS;
  }

  #offerRoom(): void {
    // One by one: who is served, and wants more, waits behind the others.
    for (const waiter of this.#waiting) {
      if (!this.hasRoom) return;
      this.#waiting.delete(waiter);
      waiter.wantTurn();
      this.#init.onRoom();
    }
  }
}
