import { PipevineError } from '../error/pipevine-error.ts';
import type { Clock } from '../platform/clock.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import { joinBytes } from '../wire/join-bytes.ts';
import { COOKIE_BYTES } from './datagram-packet.ts';
import { COOKIE_PERIOD_MS, MAX_HALF_OPEN, MAX_HALF_OPEN_BEFORE_COOKIES } from './link-defaults.ts';

export interface HandshakeGateInit {
  readonly crypto: Crypto;
  readonly random: Random;
  readonly clock: Clock;
  /** Handshakes under way above which the oldest is given up for each newcomer: it had more time than an honest one needs. */
  readonly maxHalfOpen?: number;
  /** Handshakes under way above which datagram dialers must prove their address by a cookie. */
  readonly maxHalfOpenBeforeCookies?: number;
}

/** Bounds the handshakes that strangers may have under way; one for all listeners of a peer. */
export class HandshakeGate {
  readonly #init: HandshakeGateInit;
  readonly #secret: Uint8Array;
  readonly #max: number;
  readonly #maxBeforeCookies: number;
  /** In the order in which they came in. */
  readonly #inside = new Set<{ readonly giveUp: () => void }>();
  #refused = 0;

  constructor(init: HandshakeGateInit) {
    this.#init = init;
    this.#secret = init.random.bytes(32);
    this.#max = init.maxHalfOpen ?? MAX_HALF_OPEN;
    this.#maxBeforeCookies = init.maxHalfOpenBeforeCookies ?? MAX_HALF_OPEN_BEFORE_COOKIES;
  }

  /** Handshakes under way. */
  get halfOpen(): number {
    return this.#inside.size;
  }

  /** Handshakes given up for newcomers since the start. */
  get refused(): number {
    return this.#refused;
  }

  /** Whether datagram dialers must bring a cookie now. */
  get wantsCookies(): boolean {
    return this.#inside.size > this.#maxBeforeCookies;
  }

  /**
   * Lets a handshake begin; the caller calls what it gets once, when it has ended. `giveUp` is called, with `overloaded`, when
   * its place is needed for a newer one.
   */
  enter(giveUp: (error: PipevineError) => void): () => void {
    if (this.#inside.size >= this.#max) this.#giveUpOldest();
    const text = `${this.#max} newer handshakes are under way; try again in some seconds.`;
    const place = { giveUp: () => giveUp(new PipevineError('overloaded', text)) };
    this.#inside.add(place);
    return () => void this.#inside.delete(place);
  }

  /** A cookie that proves, when it comes back, that packets reach `address`. Nothing is remembered for it. */
  cookieFor(address: EndpointAddress, initiatorId: Uint8Array): Uint8Array {
    return this.#cookie(this.#period(), address, initiatorId);
  }

  /** Whether this is a cookie of ours for that address and id, of this period or the one before. */
  isCookie(cookie: Uint8Array, address: EndpointAddress, initiatorId: Uint8Array): boolean {
    const period = this.#period();
    const { crypto } = this.#init;
    const now = crypto.equalConstantTime(cookie, this.#cookie(period, address, initiatorId));
    return crypto.equalConstantTime(cookie, this.#cookie(period - 1, address, initiatorId)) || now;
  }

  #giveUpOldest(): void {
    const [oldest] = this.#inside;
    if (oldest === undefined) return;
    this.#refused++;
    this.#inside.delete(oldest);
    oldest.giveUp();
  }

  #period(): number {
    return Math.floor(this.#init.clock.monotonicMs() / COOKIE_PERIOD_MS);
  }

  #cookie(period: number, address: EndpointAddress, initiatorId: Uint8Array): Uint8Array {
    const context = new TextEncoder().encode(`pipevine/1 cookie ${period} ${address} `);
    return this.#init.crypto.hmacSha256(this.#secret, joinBytes([context, initiatorId])).slice(0, COOKIE_BYTES);
  }
}
