import { ACK_DELAY_MS } from './pipe-defaults.ts';

/** Round trip assumed before one was measured, in ms (RFC 9002 section 6.2.2). */
const INITIAL_RTT_MS = 333;

/** Smallest step of the timers, in ms. */
const GRANULARITY_MS = 1;

/** Longest probe timeout, in ms: the link's keep-alive decides that a neighbour is dead, not the pipe. */
const MAX_PROBE_TIMEOUT_MS = 3_000;

/** Estimates the round trip and what follows from it (RFC 9002 section 5.3 and 6). */
export class RoundTrip {
  #latestMs = INITIAL_RTT_MS;
  #smoothedMs = INITIAL_RTT_MS;
  #variationMs = INITIAL_RTT_MS / 2;
  #shortestMs = Infinity;
  #measured = false;

  sample(ms: number): void {
    this.#latestMs = ms;
    this.#shortestMs = Math.min(this.#shortestMs, ms);
    if (!this.#measured) {
      this.#measured = true;
      this.#smoothedMs = ms;
      this.#variationMs = ms / 2;
      return;
    }
    this.#variationMs += (Math.abs(this.#smoothedMs - ms) - this.#variationMs) / 4;
    this.#smoothedMs += (ms - this.#smoothedMs) / 8;
  }

  /** Smoothed, in ms; undefined before the first was measured. */
  get measuredMs(): number | undefined {
    return this.#measured ? this.#smoothedMs : undefined;
  }

  /** The shortest that was measured, in ms; undefined before. */
  get shortestMs(): number | undefined {
    return this.#measured ? this.#shortestMs : undefined;
  }

  /** A packet sent so long before another that was acknowledged is lost. */
  get lossDelayMs(): number {
    return Math.max((9 / 8) * Math.max(this.#latestMs, this.#smoothedMs), GRANULARITY_MS);
  }

  /** Silence after which the sender asks by sending again; doubles with each of `probes` in vain. */
  probeTimeoutMs(probes: number): number {
    const base = this.#smoothedMs + Math.max(4 * this.#variationMs, GRANULARITY_MS) + ACK_DELAY_MS;
    return Math.min(base * 2 ** Math.min(probes, 16), MAX_PROBE_TIMEOUT_MS);
  }
}
