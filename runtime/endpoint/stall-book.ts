import { LruCache } from '../bound/lru-cache.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import { backoffMs } from './backoff.ts';
import { STALL_FIRST_MS, STALL_MAX_MS } from './endpoint-defaults.ts';

interface Stall {
  readonly times: number;
  readonly atMs: number;
}

/**
 * Remembers over which transports links to a peer have fallen silent. Such a way lets a handshake pass and may stall again
 * with the first large record, so it goes behind the others for a while. By scheme, for the side that accepts never sees
 * the address that was dialled.
 */
export class StallBook {
  readonly #stalls: LruCache<Stall>;

  constructor(maxEntries: number) {
    this.#stalls = new LruCache(maxEntries);
  }

  /** A link ended because nothing came over it any more. */
  stalled(peer: PeerId, address: EndpointAddress, nowMs: number): void {
    const key = keyOf(peer, address);
    const before = this.#stalls.get(key);
    const isRepeated = before !== undefined && nowMs < before.atMs + lengthMs(before) + STALL_MAX_MS;
    this.#stalls.set(key, { times: isRepeated ? before.times + 1 : 1, atMs: nowMs }, 1);
  }

  /** Whether addresses of this scheme go behind others of the peer now. */
  isBehind(peer: PeerId, address: EndpointAddress, nowMs: number): boolean {
    const stall = this.#stalls.get(keyOf(peer, address));
    return stall !== undefined && nowMs < stall.atMs + lengthMs(stall);
  }
}

const lengthMs = ({ times }: Stall): number => backoffMs(times, STALL_FIRST_MS, STALL_MAX_MS);

const keyOf = (peer: PeerId, address: EndpointAddress): string => `${peer} ${address.split(':', 1)[0]}`;
