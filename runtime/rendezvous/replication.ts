import type { AdvertisementName } from '../advertisement/advertisement-record.ts';
import type { AdvertisementStore } from '../advertisement/advertisement-store.ts';
import type { StoreChange } from '../advertisement/advertisement-watchers.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Clock } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import { AdvertisementFeed } from './advertisement-feed.ts';
import { MAX_FEED_PENDING, MAX_PEERVIEW } from './rendezvous-defaults.ts';
import type { Ring } from './ring.ts';

export interface ReplicationInit {
  readonly group: GroupId;
  readonly localPeer: PeerId;
  readonly store: Pick<AdvertisementStore, 'search' | 'held'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly hostOf: (peer: PeerId) => PeerId | undefined;
  /** Whether its advertisements come into the ring by this peer: its own, or those of one that leases here. */
  readonly isOurs: (publisher: PeerId) => boolean;
  /** Resolves when that rendezvous has taken them. */
  readonly send: (to: PeerId, encoded: readonly Uint8Array[]) => Promise<unknown>;
}

interface Target {
  readonly feed: AdvertisementFeed;
  /** The ring as of which this target has its share, as far as it is for this peer to give. */
  base: Ring;
  /** A run is under way, or waits. */
  isDue: boolean;
  /** Changes were dropped: what is ours goes once more. */
  isBehind: boolean;
}

/**
 * Sees that each advertisement is at its holders: sends what comes in to them, and when the ring has changed, what the
 * new holders lack. Of the holders that an advertisement had, the first that is left copies; when none is, whoever took
 * it in does.
 */
export class Replication {
  readonly #init: ReplicationInit;
  readonly #targets = new Map<PeerId, Target>();
  #ring: Ring;
  #dropped = 0;

  /** `ring`: of this peer alone. */
  constructor(init: ReplicationInit, ring: Ring) {
    this.#init = init;
    this.#ring = ring;
  }

  changeRing(ring: Ring): void {
    const before = this.#ring;
    this.#ring = ring;
    for (const [peer, { feed }] of this.#targets) {
      if (ring.members.includes(peer)) continue;
      this.#dropped += feed.dropped;
      feed.close();
      this.#targets.delete(peer);
    }
    for (const peer of ring.members) {
      if (peer === this.#init.localPeer) continue;
      let target = this.#targets.get(peer);
      if (target === undefined) {
        target = this.#target(peer, before);
        this.#targets.set(peer, target);
      }
      if (!target.isDue) this.#catchUp(peer, target);
    }
  }

  /** Something that is ours has changed. */
  add(change: StoreChange): void {
    const holders = this.#ring.holders(this.#ring.isFull ? 0 : this.#ring.pointOf(change.advertisement));
    for (const holder of holders) {
      const target = this.#targets.get(holder);
      if (target === undefined) continue;
      if (target.feed.pending >= MAX_FEED_PENDING) target.isBehind = true;
      target.feed.add(change);
    }
  }

  bound(): { readonly used: number; readonly limit: number; readonly dropped: number } {
    let used = 0;
    let dropped = this.#dropped;
    for (const { feed } of this.#targets.values()) {
      used += feed.pending;
      dropped += feed.dropped;
    }
    return { used, limit: MAX_FEED_PENDING * MAX_PEERVIEW, dropped };
  }

  close(): void {
    for (const { feed } of this.#targets.values()) feed.close();
    this.#targets.clear();
  }

  /** A share that stays the same is up to date as of the new ring: who held it of late is who can copy it later. */
  #catchUp(peer: PeerId, target: Target): void {
    target.isDue = target.isBehind || !this.#ring.sameShare(peer, target.base);
    if (target.isDue) target.feed.resync();
    else target.base = this.#ring;
  }

  #target(peer: PeerId, base: Ring): Target {
    // A run is for one ring, though another may come meanwhile: then there is another run.
    let run: { readonly ring: Ring; readonly all: boolean; readonly dropped: number } | undefined;
    const target: Target = {
      base,
      isDue: false,
      isBehind: false,
      feed: new AdvertisementFeed({
        ...this.#init,
        selects: (name) => {
          if (run === undefined) {
            run = { ring: this.#ring, all: target.isBehind, dropped: target.feed.dropped };
            target.isBehind = false;
          }
          return this.#lacks(peer, name, run.ring, target.base, run.all);
        },
        send: (encoded) => this.#init.send(peer, encoded),
        onComplete: () => {
          // Without a run nothing was there to be looked at.
          if (run === undefined) target.isBehind = false;
          if (run === undefined || run.dropped === target.feed.dropped) target.base = run?.ring ?? this.#ring;
          else target.isBehind ||= run.all;
          run = undefined;
          this.#catchUp(peer, target);
        },
      }),
    };
    return target;
  }

  /** Whether this peer should give it to the new or lagging holder `peer`. */
  #lacks(peer: PeerId, name: AdvertisementName, ring: Ring, base: Ring, all: boolean): boolean {
    const point = ring.isFull && base.isFull ? 0 : ring.pointOf(name);
    if (!ring.holders(point).includes(peer)) return false;
    const had = base.holders(point);
    if (had.includes(peer)) return all && this.#init.isOurs(name.publisher);
    const left = had.find((holder) => ring.members.includes(holder));
    return left === undefined ? this.#init.isOurs(name.publisher) : left === this.#init.localPeer;
  }
}
