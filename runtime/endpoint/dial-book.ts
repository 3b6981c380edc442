import type { ErrorCode, PipevineError } from '../error/pipevine-error.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import { backoffMs } from './backoff.ts';
import { ADDRESS_REST_FIRST_MS, ADDRESS_REST_MAX_MS, NAMED_ADDRESS_REST_MS } from './endpoint-defaults.ts';

/** How the last attempt at one address ended, for whoever asks why a peer is reached as it is. */
export interface DialAttempt {
  readonly address: EndpointAddress;
  readonly outcome: 'linked' | ErrorCode;
  /** What the error said; empty for `linked`. */
  readonly message: string;
  /** Wall time of the outcome, ms since 1970. */
  readonly atMs: number;
  /** Failures in a row. */
  readonly failures: number;
}

interface Entry {
  readonly peer: PeerId | undefined;
  attempt: DialAttempt;
  /** Whether the peer was reached there once, and nobody else was since. */
  proven: boolean;
  /** Monotonic. */
  failedAtMs: number;
}

/** Remembers the outcome of the last attempt at each address, the latest ones only. */
export class DialBook {
  readonly #entries = new Map<string, Entry>();
  readonly #maxEntries: number;
  #forgotten = 0;

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Entries that had to make room for newer ones. */
  get forgotten(): number {
    return this.#forgotten;
  }

  /** `peer` is whom the dialler wanted, or found when it wanted nobody in particular. */
  linked(peer: PeerId, address: EndpointAddress, wallMs: number): void {
    this.#set(peer, { address, outcome: 'linked', message: '', atMs: wallMs, failures: 0 }, true, 0);
  }

  failed(
    peer: PeerId | undefined,
    address: EndpointAddress,
    error: PipevineError,
    wallMs: number,
    monotonicMs: number,
  ): void {
    const before = this.#entries.get(keyOf(peer, address));
    const failures = (before?.attempt.failures ?? 0) + 1;
    const attempt = { address, outcome: error.code, message: error.message, atMs: wallMs, failures };
    this.#set(peer, attempt, before?.proven === true && error.code !== 'wrong-peer', monotonicMs);
  }

  /** Monotonic time before which the address rests after its failures; 0 when it does not. */
  restsUntilMs(peer: PeerId | undefined, address: EndpointAddress, namedByCaller: boolean): number {
    const entry = this.#entries.get(keyOf(peer, address));
    if (entry === undefined || entry.attempt.failures === 0) return 0;
    const restMs = backoffMs(entry.attempt.failures, ADDRESS_REST_FIRST_MS, ADDRESS_REST_MAX_MS);
    return entry.failedAtMs + (namedByCaller ? Math.min(restMs, NAMED_ADDRESS_REST_MS) : restMs);
  }

  lastOutcome(peer: PeerId | undefined, address: EndpointAddress): DialAttempt | undefined {
    return this.#entries.get(keyOf(peer, address))?.attempt;
  }

  /** The remembered outcomes for a peer, oldest first. */
  attempts(peer: PeerId): DialAttempt[] {
    return [...this.#entries.values()].filter((entry) => entry.peer === peer).map((entry) => entry.attempt);
  }

  /** Addresses at which this peer was reached before, latest first. */
  provenAddresses(peer: PeerId): EndpointAddress[] {
    const proven = [...this.#entries.values()].filter((entry) => entry.peer === peer && entry.proven);
    return proven.map((entry) => entry.attempt.address).reverse();
  }

  /** Who was reached at an address last, if nobody else was since. */
  provenPeer(address: EndpointAddress): PeerId | undefined {
    let peer: PeerId | undefined;
    for (const entry of this.#entries.values()) {
      if (entry.attempt.address === address && entry.proven) peer = entry.peer;
    }
    return peer;
  }

  #set(peer: PeerId | undefined, attempt: DialAttempt, proven: boolean, failedAtMs: number): void {
    const key = keyOf(peer, attempt.address);
    this.#entries.delete(key);
    this.#entries.set(key, { peer, attempt, proven, failedAtMs });
    if (this.#entries.size <= this.#maxEntries) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      this.#forgotten++;
      break;
    }
  }
}

/** A wrong peer behind an address says nothing about that address for the peer that is there. */
function keyOf(peer: PeerId | undefined, address: EndpointAddress): string {
  return `${peer ?? ''} ${address}`;
}
