import { ADVERTISEMENT_KINDS, type AdvertisementQuery } from '../advertisement/advertisement.ts';
import type { AdvertisementStore } from '../advertisement/advertisement-store.ts';
import { equalBytes } from '../advertisement/cose-sign1.ts';
import type { Endpoint } from '../endpoint/endpoint.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { may } from '../group/capability.ts';
import { base32Encode } from '../id/base32.ts';
import { type GroupId, groupIdToBytes } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import type { Storage } from '../platform/storage.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import type { GroupNeighbour, GroupResolver } from '../resolver/resolver.ts';
import { AdvertisementFeed } from './advertisement-feed.ts';
import {
  type HeldLease,
  type LeaseInput,
  type LeaseState,
  leaseOf,
  nextLeaseDeadline,
  soughtSince,
  stepLease,
} from './lease-state.ts';
import type { GroupRendezvous, RendezvousStatus } from './rendezvous.ts';
import {
  decodeKnown,
  decodeLeaseAnswer,
  encodeAdvertisements,
  encodeCancel,
  encodeKnown,
  encodeLeaseRequest,
  type KnownRendezvous,
} from './rendezvous-codec.ts';
import {
  FEED_ANSWER_MS,
  LEASE_ANSWER_MS,
  LEASE_DIAL_MS,
  LEASE_MS,
  LEASE_SETTLE_MS,
  MAX_ALTERNATIVES,
  MAX_ASKED,
  MAX_FEED_PENDING,
  MAX_REFERRED,
  RENDEZVOUS_HANDLER,
  RENDEZVOUS_TABLE,
  RENEW_ALONE_MS,
} from './rendezvous-defaults.ts';
import type { RendezvousClientView, RendezvousPart } from './rendezvous-part.ts';
import { affinity } from './ring.ts';
import type { SearchPlan, SearchScope, SearchTarget } from './search-scope.ts';

export interface RendezvousClientInit {
  readonly group: GroupId;
  readonly resolver: GroupResolver;
  readonly store: Pick<AdvertisementStore, 'search' | 'held' | 'subscribe'>;
  readonly endpoint: Pick<Endpoint, 'want'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly crypto: Crypto;
  readonly storage: Pick<Storage, 'get' | 'commit'>;
  /** Who speaks for a peer, when it is hosted. */
  readonly hostOf: (peer: PeerId) => PeerId | undefined;
  /** Whether this process publishes for that peer: itself, or one that it hosts. */
  readonly isOwn: (publisher: PeerId) => boolean;
  /** Where a peer may be dialled, as far as is known here. */
  readonly addressesOf: (peer: PeerId) => readonly EndpointAddress[];
  /** Makes the part that serves; absent in a peer that only leases. */
  readonly server?: (client: RendezvousClientView) => RendezvousPart;
}

/**
 * A group's rendezvous service: holds a lease at one rendezvous, keeps the index there up to date with what this process
 * publishes, and says where to search. While its own part serves, that one is asked instead.
 */
export class RendezvousClient implements GroupRendezvous {
  readonly #init: RendezvousClientInit;
  readonly #part: RendezvousPart | undefined;
  readonly #listeners = new Set<() => void>();
  /** Called when the lease has been granted or refused. */
  readonly #awaiting = new Set<() => void>();
  readonly #endings: (() => void)[] = [];
  #alternatives: readonly KnownRendezvous[] = [];
  #state: LeaseState = { phase: 'off' };
  #feed: { readonly lease: HeldLease; readonly feed: AdvertisementFeed; close(): void } | undefined;
  #timer: Timer | undefined;
  #feedDropped = 0;
  #closed = false;

  readonly scope: SearchScope = {
    plan: (query, forWhom) => this.#plan(query, forWhom),
    settled: () => this.#settled(),
    watched: () => (this.#part?.serving ? this.#part.watched() : this.#targets().first),
    subscribe: (listener) => {
      this.#listeners.add(listener);
      return { unsubscribe: () => void this.#listeners.delete(listener) };
    },
  };

  constructor(init: RendezvousClientInit) {
    this.#init = init;
    try {
      const stored = init.storage.get(RENDEZVOUS_TABLE, this.#storageKey());
      if (stored !== undefined) this.#alternatives = decodeKnown(stored);
    } catch (error) {
      // A damaged record is worth nothing; rendezvous will be found otherwise.
      if (!(error instanceof PipevineError)) throw error;
    }
    this.#part = init.server?.({
      leased: () => leaseOf(this.#state) !== undefined,
      known: () => this.#alternatives,
      changed: () => {
        if (!this.#closed) this.#input({ type: this.#part?.serving ? 'stop' : 'start' });
        this.#changed();
      },
    });
  }

  /** Begins to seek a lease, or to serve. */
  start(): void {
    const { resolver, store, group } = this.#init;
    const events = resolver.subscribe({
      onOpen: (neighbour) => {
        if (may(neighbour.credential, 'rendezvous')) this.#input({ type: 'hint', peer: neighbour.peer });
        this.#changed();
      },
      onClosed: ({ peer }) => {
        this.#input({ type: 'lost', peer });
        this.#changed();
      },
    });
    this.#endings.push(() => events.unsubscribe());
    for (const kind of ADVERTISEMENT_KINDS) {
      const end = store.subscribe({ group, kind }, (change) => {
        if (this.#init.isOwn(change.advertisement.publisher)) this.#feed?.feed.add(change);
      });
      this.#endings.push(end);
    }
    resolver.setHops((neighbours) => this.#hops(neighbours));
    this.#part?.start();
    if (!this.#part?.serving) this.#input({ type: 'start' });
  }

  /** To be called when the own credential has changed: it may allow to serve, or not any more. */
  credentialChanged(): void {
    this.#part?.reconsider();
  }

  /** Where a rendezvous may be dialled, as others say: for the endpoint's route source. */
  addressesOf(peer: PeerId): readonly EndpointAddress[] {
    const known = this.#alternatives.find((one) => one.peer === peer);
    return known?.addresses ?? this.#part?.addressesOf(peer) ?? [];
  }

  status(): RendezvousStatus {
    const lease = leaseOf(this.#state);
    const nowMs = this.#init.clock.monotonicMs();
    return {
      group: this.#init.group,
      serving: this.#part?.serving ?? false,
      lease: lease && { rendezvous: lease.peer, remainingMs: Math.max(0, lease.untilMs - nowMs) },
      ...(this.#part?.status() ?? { clients: 0, peerview: this.#alternatives.map(({ peer }) => peer) }),
    };
  }

  bounds(): ReturnType<GroupRendezvous['bounds']> {
    const feed = this.#feed?.feed;
    return {
      'rendezvous push': {
        used: feed?.pending ?? 0,
        limit: MAX_FEED_PENDING,
        dropped: this.#feedDropped + (feed?.dropped ?? 0),
      },
      ...this.#part?.bounds(),
    };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const end of this.#endings) end();
    this.#input({ type: 'stop' });
    this.#listeners.clear();
    await this.#part?.close();
  }

  #plan(query: AdvertisementQuery, forWhom: 'own' | 'client'): SearchPlan {
    if (this.#part?.serving) return this.#part.plan(query, forWhom);
    return forWhom === 'own' ? this.#targets() : { first: [], second: [] };
  }

  /** Without a lease a search would not find what only the rendezvous knows. */
  async #settled(): Promise<void> {
    const { resolver, clock } = this.#init;
    await resolver.settled();
    const sinceMs = soughtSince(this.#state);
    const leftMs = sinceMs === undefined ? 0 : sinceMs + LEASE_SETTLE_MS - clock.monotonicMs();
    if (leftMs <= 0) return;
    await new Promise<void>((resolve) => {
      const end = () => {
        timer.cancel();
        this.#awaiting.delete(end);
        resolve();
      };
      const timer = clock.setTimer(leftMs, end);
      this.#awaiting.add(end);
    });
  }

  #targets(): SearchPlan {
    const neighbours = this.#init.resolver.neighbours();
    const held = leaseOf(this.#state)?.peer;
    const rendezvous = neighbours.find(({ peer }) => peer === held);
    const others = neighbours.filter((one) => one !== rendezvous);
    // One that should know and does not say is not the only one to be asked.
    const another = others.find(({ credential }) => may(credential, 'rendezvous'));
    const plain = others.map((neighbour) => ({ neighbour, walk: false }));
    if (rendezvous === undefined) return { first: plain.slice(0, MAX_ASKED), second: [] };
    const target: SearchTarget = { neighbour: rendezvous, walk: true };
    return {
      first: neighbours.length > MAX_ASKED ? [target] : [target, ...plain],
      second: another === undefined ? [] : [{ neighbour: another, walk: true }],
    };
  }

  #hops(neighbours: readonly GroupNeighbour[]): readonly GroupNeighbour[] {
    if (this.#part?.serving) return this.#part.hops(neighbours);
    const held = leaseOf(this.#state)?.peer;
    if (held === undefined) return neighbours;
    const others = neighbours.filter(({ peer }) => peer !== held).slice(0, MAX_ASKED);
    return [...neighbours.filter(({ peer }) => peer === held), ...others];
  }

  /** Open neighbours first; within both in an order of this peer's own, so that the clients spread. */
  #candidates(): readonly PeerId[] {
    const { resolver, crypto } = this.#init;
    const open = resolver.neighbours().filter(({ credential }) => may(credential, 'rendezvous'));
    const ranked = (peers: readonly PeerId[]) =>
      peers
        .map((peer) => [affinity(crypto, resolver.localPeer, peer), peer] as const)
        .sort(([a], [b]) => a - b)
        .map(([, peer]) => peer);
    const others = this.#alternatives.map(({ peer }) => peer);
    return [...new Set([...ranked(open.map(({ peer }) => peer)), ...ranked(others)])];
  }

  #input(input: LeaseInput): void {
    const { clock, random } = this.#init;
    const before = leaseOf(this.#state);
    const candidates = () => this.#candidates();
    const step = stepLease(this.#state, input, candidates, clock.monotonicMs(), random.fraction());
    this.#state = step.state;
    this.#timer?.cancel();
    const deadlineMs = nextLeaseDeadline(step.state);
    if (deadlineMs < Infinity) {
      const delayMs = Math.max(0, deadlineMs - clock.monotonicMs());
      this.#timer = clock.setTimer(delayMs, () => this.#input({ type: 'timer' }));
    }
    const lease = leaseOf(step.state);
    if (lease !== before) this.#follow(lease);
    if (lease?.peer !== before?.peer) {
      this.#part?.reconsider();
      this.#changed();
    }
    if (soughtSince(step.state) === undefined || input.type === 'failed') for (const end of [...this.#awaiting]) end();
    if (step.effect?.type === 'ask') void this.#ask(step.effect.peer, step.effect.leaseId);
    else if (step.effect?.type === 'cancel') this.#cancel(step.effect.peer, step.effect.leaseId);
  }

  async #ask(peer: PeerId, leaseId: Uint8Array | undefined): Promise<void> {
    try {
      const { resolver, addressesOf } = this.#init;
      // Named, so that an address need not rest for long: it is tried until it answers.
      const dial = { timeoutMs: LEASE_DIAL_MS, addresses: addressesOf(peer) };
      const neighbour = resolver.neighbour(peer) ?? (await resolver.connect(peer, dial));
      if (!may(neighbour.credential, 'rendezvous')) {
        this.#know(this.#alternatives.filter((one) => one.peer !== peer));
        throw new PipevineError('refused', 'The peer said to be a rendezvous has no such capability.');
      }
      const wait = { timeoutMs: LEASE_ANSWER_MS };
      const grant = decodeLeaseAnswer(await neighbour.request(RENDEZVOUS_HANDLER, encodeLeaseRequest(leaseId), wait));
      const known = grant.rendezvous.filter((one) => one.peer !== resolver.localPeer);
      if (grant.leaseId === undefined) {
        this.#know([...known.slice(0, MAX_REFERRED), ...this.#alternatives]);
        throw new PipevineError('not-found', 'It refers to other rendezvous.');
      }
      this.#know([...known, ...this.#alternatives]);
      const renewInMs = known.length < 2 ? RENEW_ALONE_MS : LEASE_MS / 2;
      this.#input({ type: 'granted', peer, leaseId: grant.leaseId, lifetimeMs: grant.lifetimeMs, renewInMs });
    } catch (error) {
      if (!(error instanceof PipevineError)) throw error;
      this.#input({ type: 'failed', peer });
    }
  }

  #cancel(peer: PeerId, leaseId: Uint8Array): void {
    // Best effort: a lease that nobody cancels expires.
    this.#init.resolver
      .neighbour(peer)
      ?.request(RENDEZVOUS_HANDLER, encodeCancel(leaseId), { timeoutMs: LEASE_ANSWER_MS })
      .catch(ignoreRefusal);
  }

  /** A lease of another generation begins the index anew: whoever granted it may know nothing. */
  #follow(lease: HeldLease | undefined): void {
    const before = this.#feed;
    const same =
      before !== undefined && lease?.peer === before.lease.peer && equalBytes(lease.leaseId, before.lease.leaseId);
    if (same) return;
    if (before !== undefined) {
      this.#feedDropped += before.feed.dropped;
      before.close();
    }
    this.#feed = undefined;
    if (lease === undefined) return;
    const { endpoint, resolver, isOwn } = this.#init;
    const { peer } = lease;
    const feed = new AdvertisementFeed({
      ...this.#init,
      selects: ({ publisher }) => isOwn(publisher),
      send: async (encoded) => {
        const neighbour = resolver.neighbour(peer);
        if (neighbour === undefined) throw new PipevineError('unreachable', 'The link to the rendezvous is gone.');
        const body = encodeAdvertisements('push', encoded);
        await neighbour.request(RENDEZVOUS_HANDLER, body, { timeoutMs: FEED_ANSWER_MS }).catch((error: unknown) => {
          const forgotten = error instanceof PipevineError && (error.code === 'expired' || error.code === 'not-found');
          if (forgotten && this.#feed?.feed === feed) this.#input({ type: 'lost', peer });
          throw error;
        });
      },
    });
    let want: { release(): void } | undefined;
    try {
      want = endpoint.want(peer);
    } catch (error) {
      // Too many links are wanted: the lease lasts as long as this one does by itself.
      ignoreRefusal(error);
    }
    const close = () => {
      feed.close();
      want?.release();
    };
    this.#feed = { lease, feed, close };
    feed.resync();
  }

  #know(rendezvous: readonly KnownRendezvous[]): void {
    const before = this.#alternatives.map(({ peer }) => peer).join();
    const byPeer = new Map<PeerId, KnownRendezvous>();
    for (const one of rendezvous) if (!byPeer.has(one.peer)) byPeer.set(one.peer, one);
    this.#alternatives = [...byPeer.values()].slice(0, MAX_ALTERNATIVES);
    if (this.#alternatives.map(({ peer }) => peer).join() === before) return;
    const value = encodeKnown(this.#alternatives);
    // Not written: known until the next start all the same.
    this.#init.storage.commit([{ table: RENDEZVOUS_TABLE, key: this.#storageKey(), value }]).catch(ignoreRefusal);
  }

  #storageKey(): string {
    return base32Encode(groupIdToBytes(this.#init.group));
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

function ignoreRefusal(error: unknown): void {
  if (!(error instanceof PipevineError)) throw error;
}
