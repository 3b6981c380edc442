import {
  PATH_CONFIRM_MS,
  PATH_PROBE_INTERVAL_MS,
  PATH_PROBES,
  PATH_RAISE_MS,
  SMALL_PACKET_BYTES,
} from './link-defaults.ts';

/** Tokens of probes, apart from those of the keep-alive. */
const FIRST_TOKEN = 0x8000_0000;

export interface PathMtuInit {
  /** Largest packet of the connection, in bytes. */
  readonly maxBytes: number;
  /** Whether a packet of that size is known to arrive; else the link begins with small ones. */
  readonly confirmed: boolean;
}

/**
 * What to do now: send PING with `token` in a packet of `bytes`, and if `compare` a small one with the token after it;
 * give the link up, because large packets vanish where small ones arrive; or wait for the next deadline.
 */
export type PathMtuStep =
  | { readonly do: 'probe'; readonly token: number; readonly bytes: number; readonly compare: boolean }
  | { readonly do: 'black-hole' | 'wait' };

type Phase =
  /** The size in use is the largest, or larger ones do not arrive: looks again at `nextMs`. */
  | { readonly name: 'resting'; readonly nextMs: number }
  | { readonly name: 'probing'; readonly probes: number; readonly nextMs: number; readonly smallArrived: boolean };

/**
 * Finds out whether the largest packets arrive (RFC 8899 section 5.2, with two sizes): by PINGs of full size, the
 * first when the link begins. A link that began with small packets goes over to large ones when one is answered; a
 * link with large ones is given up when none of a row is answered, while small ones are. No clock, no I/O.
 */
export class PathMtuState {
  readonly #init: PathMtuInit;
  readonly #smallBytes: number;
  #confirmed: boolean;
  #phase: Phase;
  #token = FIRST_TOKEN;
  /** First token of the row of probes under way. */
  #firstOfRow = FIRST_TOKEN;
  #wasUsed = false;

  constructor(init: PathMtuInit, nowMs: number) {
    this.#init = init;
    this.#smallBytes = Math.min(SMALL_PACKET_BYTES, init.maxBytes);
    this.#confirmed = init.confirmed || this.#smallBytes === init.maxBytes;
    this.#phase = this.#confirmed
      ? { name: 'resting', nextMs: nowMs + PATH_CONFIRM_MS }
      : { name: 'probing', probes: 0, nextMs: nowMs, smallArrived: false };
  }

  /** Largest packet that may be sent now, in bytes. Never shrinks. */
  get packetBytes(): number {
    return this.#confirmed ? this.#init.maxBytes : this.#smallBytes;
  }

  /** When to call `step` next. */
  get nextDeadlineMs(): number {
    return this.#phase.nextMs;
  }

  /** Something was sent that matters: a path without traffic is not looked at. */
  used(): void {
    this.#wasUsed = true;
  }

  /** A PONG came. */
  answered(token: number, nowMs: number): void {
    const phase = this.#phase;
    if (phase.name !== 'probing' || token < this.#firstOfRow || token > this.#token + 1) return;
    if (token % 2 === 1) {
      this.#phase = { ...phase, smallArrived: true };
      return;
    }
    this.#confirmed = true;
    this.#phase = { name: 'resting', nextMs: nowMs + PATH_CONFIRM_MS };
  }

  step(nowMs: number): PathMtuStep {
    const phase = this.#phase;
    if (nowMs < phase.nextMs) return { do: 'wait' };
    if (phase.name === 'resting') {
      if (!this.#wasUsed || this.#smallBytes === this.#init.maxBytes) {
        this.#phase = { name: 'resting', nextMs: nowMs + PATH_CONFIRM_MS };
        return { do: 'wait' };
      }
      return this.#probe(0, false, nowMs);
    }
    if (phase.probes < PATH_PROBES) return this.#probe(phase.probes, phase.smallArrived, nowMs);
    // When nothing at all arrives it is for the keep-alive to judge.
    if (this.#confirmed && phase.smallArrived) return { do: 'black-hole' };
    this.#phase = { name: 'resting', nextMs: nowMs + (this.#confirmed ? PATH_CONFIRM_MS : PATH_RAISE_MS) };
    return { do: 'wait' };
  }

  /** Even tokens are for large packets, the odd ones after them for small. */
  #probe(probes: number, smallArrived: boolean, nowMs: number): PathMtuStep {
    this.#wasUsed = false;
    this.#token = this.#token >= 0xffff_fff0 ? FIRST_TOKEN + 2 : this.#token + 2;
    if (probes === 0) this.#firstOfRow = this.#token;
    this.#phase = { name: 'probing', probes: probes + 1, nextMs: nowMs + PATH_PROBE_INTERVAL_MS, smallArrived };
    return { do: 'probe', token: this.#token, bytes: this.#init.maxBytes, compare: this.#confirmed && probes > 0 };
  }
}
