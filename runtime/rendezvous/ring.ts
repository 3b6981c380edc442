import type { AdvertisementName } from '../advertisement/advertisement-record.ts';
import { type GroupId, groupIdToBytes } from '../id/group-id.ts';
import { type PeerId, peerIdToBytes } from '../id/peer-id.ts';
import type { Crypto } from '../platform/crypto.ts';
import { joinBytes } from '../wire/join-bytes.ts';
import { REPLICAS } from './rendezvous-defaults.ts';

const encoder = new TextEncoder();
const MEMBER_DOMAIN = encoder.encode('pipevine/1 rendezvous ring');
const SLOT_DOMAIN = encoder.encode('pipevine/1 rendezvous slot');

/**
 * Which rendezvous of a group hold what: consistent hashing (Karger et al. 1997). Points are the first 6 bytes of
 * SHA-256, so from 0 to 2^48 - 1. An advertisement is held by the `REPLICAS` members whose points follow its own.
 */
export class Ring {
  /** In the order of their points. */
  readonly members: readonly PeerId[];
  readonly #points: readonly number[];
  readonly #crypto: Crypto;

  constructor(crypto: Crypto, group: GroupId, members: Iterable<PeerId>) {
    const groupBytes = groupIdToBytes(group);
    const placed = [...new Set(members)]
      .map((peer) => ({ peer, point: firstBytes(crypto, [MEMBER_DOMAIN, groupBytes, peerIdToBytes(peer)]) }))
      .sort((a, b) => a.point - b.point || (a.peer < b.peer ? -1 : 1));
    this.members = placed.map(({ peer }) => peer);
    this.#points = placed.map(({ point }) => point);
    this.#crypto = crypto;
  }

  /** Whether every member holds everything, so that points do not matter. */
  get isFull(): boolean {
    return this.members.length <= REPLICAS;
  }

  pointOf({ group, kind, publisher, key }: AdvertisementName): number {
    return firstBytes(this.#crypto, [SLOT_DOMAIN, encoder.encode(`${group} ${kind} ${publisher} ${key}`)]);
  }

  /** The members that hold what hashes to this point, the first in the ring's order first. */
  holders(point: number): readonly PeerId[] {
    if (this.isFull) return this.members;
    let low = 0;
    let high = this.#points.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#points[middle] ?? 0) < point) low = middle + 1;
      else high = middle;
    }
    return this.#from(low);
  }

  /**
   * As few members as hold everything between them, the member `from` first: about every `REPLICAS`-th in the ring's
   * order. Those that cannot be asked are passed over, so that what any other holds is still found.
   */
  coverSet(from: PeerId, canAsk: (member: PeerId) => boolean): readonly PeerId[] {
    const { members } = this;
    const start = Math.max(0, members.indexOf(from));
    const chosen = [from];
    // No run of REPLICAS members, which is what holds a point, is left without a chosen one.
    for (let at = 0; at + REPLICAS < members.length; ) {
      let next = at + REPLICAS;
      const member = () => members[(start + next) % members.length] ?? from;
      while (next > at && !canAsk(member())) next--;
      if (next > at) chosen.push(member());
      at = Math.max(next, at + 1);
    }
    return chosen;
  }

  /** Whether a member holds the same points in both rings. */
  sameShare(member: PeerId, other: Ring): boolean {
    const mine = this.#before(member);
    const theirs = other.#before(member);
    return mine !== undefined && mine === theirs;
  }

  /** What bounds a member's share: who comes before it. Undefined for one that is no member. */
  #before(member: PeerId): string | undefined {
    const at = this.members.indexOf(member);
    if (at < 0) return undefined;
    if (this.isFull) return 'all';
    return this.#from(at - REPLICAS + this.members.length).join();
  }

  /** As many members as hold a point, from this place in the order on. */
  #from(at: number): readonly PeerId[] {
    const doubled = [...this.members, ...this.members];
    const start = at % this.members.length;
    return doubled.slice(start, start + REPLICAS);
  }
}

/** A number that orders `candidate` among others for `peer`; each peer has an order of its own, so that load spreads. */
export function affinity(crypto: Crypto, peer: PeerId, candidate: PeerId): number {
  return firstBytes(crypto, [peerIdToBytes(peer), peerIdToBytes(candidate)]);
}

function firstBytes(crypto: Crypto, parts: readonly Uint8Array[]): number {
  return crypto
    .sha256(joinBytes(parts))
    .subarray(0, 6)
    .reduce((number, byte) => number * 256 + byte, 0);
}
