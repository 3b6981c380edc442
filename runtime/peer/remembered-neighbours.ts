/**
 * Neighbours of one's groups, so that a peer is back after a restart without anybody's help. Table `neighbour`: base32 of
 * the peer's id to `{1: [* address], 2: last linked, wall clock in ms, 3: whether it is a gateway}`.
 */
import type { Endpoint } from '../endpoint/endpoint.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { base32Encode } from '../id/base32.ts';
import { type PeerId, parsePeerId, peerIdToBytes } from '../id/peer-id.ts';
import type { Clock } from '../platform/clock.ts';
import type { Storage } from '../platform/storage.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readMap, readText } from '../wire/shape.ts';

const TABLE = 'neighbour';
const WHAT = 'The record of a neighbour';
/** Records kept; beyond it the one goes that was not linked for longest. */
const MAX_RECORDS = 64;
/** Of these kept linked; gateways first, then those linked last. */
const MAX_WANTED = 16;
const MAX_ADDRESSES = 16;
/** A record is written again only when its time is so much older, ms: not each link is worth a sync of the disk. */
const REFRESH_MS = 24 * 3_600_000;

interface Remembered {
  readonly addresses: readonly EndpointAddress[];
  readonly linkedAtMs: number;
  readonly gateway: boolean;
}

export interface RememberedNeighboursInit {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly endpoint: Pick<Endpoint, 'want' | 'linkTo'>;
  /** A record could not be written; the neighbour is known until the next restart all the same. */
  readonly onError: (error: PipevineError) => void;
}

export class RememberedNeighbours {
  readonly #init: RememberedNeighboursInit;
  readonly #records = new Map<PeerId, Remembered>();
  readonly #wanted = new Map<PeerId, { release(): void }>();
  #forgotten = 0;
  #started = false;

  constructor(init: RememberedNeighboursInit) {
    this.#init = init;
    for (const [key, value] of init.storage.scan(TABLE)) {
      try {
        this.#records.set(parsePeerId(key), decodeRecord(value));
      } catch (error) {
        // A damaged record is worth nothing; the neighbour will be found otherwise.
        if (!(error instanceof PipevineError)) throw error;
      }
    }
  }

  /** Begins to keep the neighbours linked. */
  start(): void {
    this.#started = true;
    this.#want();
  }

  addressesOf(peer: PeerId): readonly EndpointAddress[] {
    return this.#records.get(peer)?.addresses ?? [];
  }

  /** A neighbour has proven to be a member of one of the groups, and can be dialled at these addresses. */
  remember(peer: PeerId, addresses: readonly EndpointAddress[], gateway: boolean): void {
    if (addresses.length === 0) return;
    const nowMs = Math.max(0, Math.floor(this.#init.clock.wallMs()));
    const record = { addresses: addresses.slice(0, MAX_ADDRESSES), linkedAtMs: nowMs, gateway };
    const before = this.#records.get(peer);
    this.#records.set(peer, record);
    const same =
      before !== undefined &&
      before.gateway === gateway &&
      before.addresses.join(' ') === record.addresses.join(' ') &&
      nowMs - before.linkedAtMs < REFRESH_MS;
    if (!same) this.#store(peer, encodeRecord(record));
    if (this.#records.size > MAX_RECORDS) this.#forgetOldest();
    this.#want();
  }

  /** No group is shared with it any more. */
  forget(peer: PeerId): void {
    if (!this.#records.delete(peer)) return;
    this.#wanted.get(peer)?.release();
    this.#wanted.delete(peer);
    this.#store(peer, undefined);
  }

  get known(): Iterable<PeerId> {
    return this.#records.keys();
  }

  /** Bounds and counters, by name. */
  status(): Readonly<Record<string, { readonly used: number; readonly limit: number; readonly dropped: number }>> {
    return { 'neighbours remembered': { used: this.#records.size, limit: MAX_RECORDS, dropped: this.#forgotten } };
  }

  close(): void {
    for (const want of this.#wanted.values()) want.release();
    this.#wanted.clear();
    this.#started = false;
  }

  #want(): void {
    if (!this.#started) return;
    const best = [...this.#records].sort(
      ([, a], [, b]) => Number(b.gateway) - Number(a.gateway) || b.linkedAtMs - a.linkedAtMs,
    );
    const chosen = new Set(best.slice(0, MAX_WANTED).map(([peer]) => peer));
    for (const [peer, want] of this.#wanted) {
      if (chosen.has(peer)) continue;
      want.release();
      this.#wanted.delete(peer);
    }
    for (const peer of chosen) {
      if (!this.#wanted.has(peer)) this.#wanted.set(peer, this.#init.endpoint.want(peer));
    }
  }

  #forgetOldest(): void {
    let oldest: readonly [PeerId, Remembered] | undefined;
    for (const entry of this.#records) {
      const linked = this.#init.endpoint.linkTo(entry[0]) !== undefined;
      if (!linked && (oldest === undefined || entry[1].linkedAtMs < oldest[1].linkedAtMs)) oldest = entry;
    }
    if (oldest === undefined) [oldest] = this.#records;
    if (oldest === undefined) return;
    this.#forgotten++;
    this.forget(oldest[0]);
  }

  #store(peer: PeerId, value: Uint8Array | undefined): void {
    this.#init.storage
      .commit([{ table: TABLE, key: base32Encode(peerIdToBytes(peer)), value }])
      .catch((error: unknown) => {
        if (!(error instanceof PipevineError)) throw error;
        this.#init.onError(error);
      });
  }
}

function encodeRecord(record: Remembered): Uint8Array {
  return encodeCanonical(
    new Map<number, readonly string[] | number | boolean>([
      [1, record.addresses],
      [2, record.linkedAtMs],
      [3, record.gateway],
    ]),
  );
}

function decodeRecord(bytes: Uint8Array): Remembered {
  const reader = readMap(decodeStrict(bytes), WHAT);
  return {
    addresses: reader
      .array(1, 'addresses', { maxLength: MAX_ADDRESSES })
      .map((address) => readText(address, `${WHAT}: address`, { maxBytes: 512 })),
    linkedAtMs: reader.integer(2, 'time'),
    gateway: reader.boolean(3, 'gateway'),
  };
}
