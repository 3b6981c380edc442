import { DOUBT_ASK_MS, DOUBT_ASKS, KEEP_ALIVE_JITTER, RTT_REFRESH_MS } from './link-defaults.ts';

export interface KeepAliveInit {
  /** Silence after which the other side is asked, in ms. */
  readonly intervalMs: number;
  /** Intervals without any sign of life after which it is dead. */
  readonly attempts: number;
}

/** What to do now: send PING with this token, give the link up, or wait for the next deadline. */
export type KeepAliveStep = { readonly do: 'ping'; readonly token: number } | { readonly do: 'give-up' | 'wait' };

/**
 * Decides when to ask whether the other side still lives, and measures the round trip (RFC 6298 section 2, without the
 * variance). It gives up only after questions of its own went unanswered, so that a process that was held up for a
 * minute first reads what has come meanwhile.
 */
export class KeepAliveState {
  readonly #init: KeepAliveInit;
  #heardMs: number;
  #nextMs: number;
  #unanswered = 0;
  #token = 0;
  #askedMs: number | undefined;
  #measuredMs: number;
  #rttMs: number | undefined;
  /** How often it was asked since an answer is missed that should have come. */
  #doubtAsks: number | undefined;

  constructor(init: KeepAliveInit, nowMs: number, fraction: number) {
    this.#init = init;
    this.#heardMs = nowMs;
    this.#measuredMs = nowMs;
    this.#nextMs = this.#after(nowMs, fraction);
  }

  /** Smoothed round-trip time in ms; undefined before the first answer. */
  get rttMs(): number | undefined {
    return this.#rttMs;
  }

  /** When to call `step` next. */
  get nextDeadlineMs(): number {
    return this.#nextMs;
  }

  /** For how long nothing authentic has come. */
  silentMs(nowMs: number): number {
    return nowMs - this.#heardMs;
  }

  /** Anything authentic came. */
  heard(nowMs: number): void {
    this.#heardMs = nowMs;
    this.#unanswered = 0;
    this.#doubtAsks = undefined;
  }

  /** Something else that the other side should have answered was not: it is asked now, and given up soon. */
  doubt(nowMs: number): void {
    if (this.#doubtAsks !== undefined) return;
    this.#doubtAsks = 0;
    this.#nextMs = nowMs;
  }

  /** Makes a PING to be sent now, whatever the deadline. */
  ask(nowMs: number): number {
    this.#askedMs = nowMs;
    this.#token = (this.#token + 1) % 0x1_0000_0000;
    return this.#token;
  }

  /** A PONG came; one for an older question measures nothing. */
  answered(token: number, nowMs: number): void {
    if (this.#askedMs === undefined || token !== this.#token) return;
    const sample = nowMs - this.#askedMs;
    this.#askedMs = undefined;
    this.#measuredMs = nowMs;
    this.#rttMs = this.#rttMs === undefined ? sample : this.#rttMs + (sample - this.#rttMs) / 8;
  }

  /** `fraction` is drawn from [0, 1) for the jitter. */
  step(nowMs: number, fraction: number): KeepAliveStep {
    const { intervalMs, attempts } = this.#init;
    if (nowMs < this.#nextMs) return { do: 'wait' };
    if (this.#doubtAsks !== undefined) {
      if (this.#doubtAsks >= DOUBT_ASKS) return { do: 'give-up' };
      this.#doubtAsks++;
      this.#nextMs = nowMs + DOUBT_ASK_MS;
      return { do: 'ping', token: this.ask(nowMs) };
    }
    if (this.#unanswered > 0) {
      if (this.#unanswered >= attempts - 1 && nowMs - this.#heardMs >= intervalMs * attempts) return { do: 'give-up' };
    } else if (nowMs - this.#heardMs < intervalMs * KEEP_ALIVE_JITTER && nowMs - this.#measuredMs < RTT_REFRESH_MS) {
      this.#nextMs = this.#after(this.#heardMs, fraction);
      return { do: 'wait' };
    }
    const silent = nowMs - this.#heardMs >= intervalMs * KEEP_ALIVE_JITTER;
    if (silent) this.#unanswered++;
    // The last wait ends exactly when the link is dead.
    const isLast = silent && this.#unanswered >= attempts - 1;
    this.#nextMs = Math.max(isLast ? this.#heardMs + intervalMs * attempts : this.#after(nowMs, fraction), nowMs + 1);
    return { do: 'ping', token: this.ask(nowMs) };
  }

  #after(fromMs: number, fraction: number): number {
    const { intervalMs } = this.#init;
    return fromMs + intervalMs * (KEEP_ALIVE_JITTER + (1 - KEEP_ALIVE_JITTER) * fraction);
  }
}
