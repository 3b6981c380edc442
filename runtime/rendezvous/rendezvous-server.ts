import { ADVERTISEMENT_KINDS, type AdvertisementQuery } from '../advertisement/advertisement.ts';
import type { AdvertisementStore } from '../advertisement/advertisement-store.ts';
import type { Endpoint } from '../endpoint/endpoint.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { checkAccess } from '../group/access.ts';
import { may } from '../group/capability.ts';
import { type GroupId, shortGroupId } from '../id/group-id.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import type { GroupNeighbour, GroupResolver, ResolverContext } from '../resolver/resolver.ts';
import { ClientDesk } from './client-desk.ts';
import {
  nextPeerviewDeadline,
  type Peerview,
  type PeerviewInput,
  ringOf,
  stepPeerview,
  wantedOf,
} from './peerview-state.ts';
import { nextPromotionDeadline, type PromotionState, stepPromotion } from './promotion-state.ts';
import type { RendezvousMode } from './rendezvous.ts';
import {
  DONE_ANSWER,
  decodeKnown,
  decodeRequest,
  encodeAdvertisements,
  encodeGrant,
  encodeKnown,
  encodePeerview,
  type KnownRendezvous,
} from './rendezvous-codec.ts';
import {
  FEED_ANSWER_MS,
  LEASE_ANSWER_MS,
  MAX_ALTERNATIVES,
  MAX_ASKED,
  MAX_LEASES,
  MAX_PEERVIEW,
  MAX_PROMOTE_STEPS,
  PEERVIEW_EXCHANGE_MS,
  PEERVIEW_SETTLE_MS,
  PROMOTE_AFTER_MS,
  PROMOTE_STEP_MS,
  RENDEZVOUS_HANDLER,
} from './rendezvous-defaults.ts';
import type { RendezvousClientView, RendezvousPart } from './rendezvous-part.ts';
import { Replication } from './replication.ts';
import { Ring } from './ring.ts';
import type { SearchPlan, SearchTarget } from './search-scope.ts';

export interface RendezvousServerInit {
  readonly group: GroupId;
  readonly resolver: GroupResolver;
  readonly store: Pick<AdvertisementStore, 'search' | 'held' | 'subscribe'>;
  readonly endpoint: Pick<Endpoint, 'want' | 'addresses'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly crypto: Crypto;
  readonly mode: RendezvousMode;
  /** Whether the own credential has the capability `rendezvous`. */
  readonly mayServe: () => boolean;
  /** Whether this peer keeps the authority of the group: it was there before all others. */
  readonly keepsAuthority: () => boolean;
  readonly hostOf: (peer: PeerId) => PeerId | undefined;
  readonly isOwn: (publisher: PeerId) => boolean;
  /** Known addresses of another peer, to be told to others. */
  readonly addressesOf: (peer: PeerId) => readonly EndpointAddress[];
  /**
   * Takes advertisements of others into the store, at once; `from` brought them. Counts and drops those whose publisher
   * may not publish; throws `malformed`, `forged` or `refused` when the bringer is to blame.
   */
  readonly receive: (encoded: readonly Uint8Array[], from: Pick<GroupNeighbour, 'peer' | 'credential'>) => void;
  /** This peer has begun or ended to serve: time to advertise it. */
  readonly onServing?: (serving: boolean) => void;
}

/** The part of a group's rendezvous service that serves: leases, the shared index, the view of the other rendezvous. */
export class RendezvousServer implements RendezvousPart {
  readonly #init: RendezvousServerInit;
  readonly #client: RendezvousClientView;
  readonly #desk: ClientDesk;
  readonly #addresses = new Map<PeerId, readonly EndpointAddress[]>();
  readonly #wants = new Map<PeerId, { release(): void }>();
  #endings: (() => void)[] = [];
  #service: (() => void)[] = [];
  #promotion: PromotionState = { phase: 'idle' };
  #view: Peerview = new Map();
  #ring: Ring;
  #replication: Replication;
  #serving = false;
  #exchangeAtMs = Infinity;
  #settleAtMs = Infinity;
  #timer: Timer | undefined;
  #wantsRefused = 0;
  #closed = false;

  constructor(init: RendezvousServerInit, client: RendezvousClientView) {
    this.#init = init;
    this.#client = client;
    const { clock, random, receive, resolver } = init;
    const isPresent = (peer: PeerId) => resolver.neighbour(peer) !== undefined;
    this.#desk = new ClientDesk({ clock, random, receive, isPresent });
    this.#ring = this.#ringOf([]);
    this.#replication = this.#newReplication();
  }

  get serving(): boolean {
    return this.#serving;
  }

  start(): void {
    const { resolver } = this.#init;
    const handler = resolver.handle(RENDEZVOUS_HANDLER, (body, context) => this.#handle(body, context));
    const events = resolver.subscribe({
      onOpen: (neighbour) => {
        if (!this.#serving) return this.#decide();
        if (may(neighbour.credential, 'rendezvous')) void this.#exchange(neighbour);
        else if (this.#view.has(neighbour.peer)) this.#see({ type: 'refused', peer: neighbour.peer });
      },
      onClosed: ({ peer }) => this.#see({ type: 'lost', peer }),
    });
    this.#endings = [() => handler.close(), () => events.unsubscribe()];
    this.#decide();
  }

  reconsider(): void {
    this.#decide();
  }

  addressesOf(peer: PeerId): readonly EndpointAddress[] {
    return this.#addresses.get(peer) ?? [];
  }

  plan(query: AdvertisementQuery, forWhom: 'own' | 'client'): SearchPlan {
    const { resolver, group } = this.#init;
    const { localPeer } = resolver;
    const { publisher, kind } = query;
    const key = query.key ?? (kind === 'peer' || kind === 'delegation' ? '' : undefined);
    const isOpen = (peer: PeerId) => resolver.neighbour(peer) !== undefined;
    const chosen =
      publisher !== undefined && key !== undefined
        ? this.#ring.holders(this.#ring.pointOf({ group, kind, publisher, key }))
        : this.#ring.coverSet(localPeer, isOpen);
    const rest = this.#ring.members.filter((peer) => !chosen.includes(peer));
    return {
      first: [...this.#targets(chosen), ...(forWhom === 'own' ? this.#others() : [])],
      second: this.#targets(rest),
    };
  }

  watched(): readonly SearchTarget[] {
    return [...this.#targets(this.#ring.members), ...this.#others()];
  }

  hops(neighbours: readonly GroupNeighbour[]): readonly GroupNeighbour[] {
    const isServed = ({ peer }: GroupNeighbour) => this.#desk.serves(peer) || this.#ring.members.includes(peer);
    return [...neighbours.filter(isServed), ...neighbours.filter((one) => !isServed(one)).slice(0, MAX_ASKED)];
  }

  status() {
    return {
      clients: this.#desk.size,
      peerview: this.#serving ? this.#ring.members : this.#client.known().map(({ peer }) => peer),
    };
  }

  bounds(): ReturnType<RendezvousPart['bounds']> {
    return {
      ...this.#desk.bounds(),
      'rendezvous peerview': { used: wantedOf(this.#view).length, limit: MAX_PEERVIEW, dropped: this.#wantsRefused },
      'rendezvous replication': this.#replication.bound(),
    };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    if (this.#serving) this.#end();
    this.#closed = true;
    this.#timer?.cancel();
    for (const end of this.#endings) end();
  }

  async #handle(body: Uint8Array, context: ResolverContext): Promise<Uint8Array> {
    const { remotePeer, credential, propagated } = context;
    if (propagated) throw new PipevineError('refused', 'A rendezvous is asked directly, not by propagation.');
    const request = decodeRequest(body);
    checkAccess(`rendezvous.${request.type === 'cancel' ? 'lease' : request.type}`, remotePeer, credential);
    if (!this.#serving) {
      const { group, resolver } = this.#init;
      if (request.type === 'lease' && this.#client.leased()) return encodeKnown(this.#client.known());
      const who = `Peer ${shortPeerId(resolver.localPeer)} is no rendezvous of group ${shortGroupId(group)} now`;
      throw new PipevineError('not-found', `${who}; ask another.`);
    }
    switch (request.type) {
      case 'lease':
        return this.#grant(remotePeer, request);
      case 'cancel':
        if (this.#desk.cancel(remotePeer, request.leaseId)) this.#clientsChanged();
        return DONE_ANSWER;
      case 'push':
        await this.#desk.push(request.encoded, { peer: remotePeer, credential });
        return DONE_ANSWER;
      case 'replicate':
        this.#init.receive(request.encoded, { peer: remotePeer, credential });
        return DONE_ANSWER;
      case 'peerview':
        if (request.leaving) this.#see({ type: 'refused', peer: remotePeer });
        else this.#hear(remotePeer, request.rendezvous);
        return encodeKnown(this.#known(MAX_PEERVIEW));
    }
  }

  #grant(peer: PeerId, asked: { readonly leaseId: Uint8Array | undefined; readonly lifetimeMs: number }): Uint8Array {
    const wasClient = this.#desk.serves(peer);
    const granted = this.#desk.grant(peer, asked);
    if (granted === undefined && this.#ring.members.length > 1) {
      return encodeKnown(this.#known(MAX_ALTERNATIVES).slice(1));
    }
    if (granted === undefined) {
      throw new PipevineError('overloaded', `This rendezvous has ${MAX_LEASES} clients, the limit; ask another.`);
    }
    if (!wasClient) this.#clientsChanged();
    // Those that could take this one's place are named, too: should it die, they know or become one that serves.
    const others = this.#init.resolver
      .neighbours()
      .filter((one) => one.peer !== peer && may(one.credential, 'rendezvous'));
    const rendezvous = this.#known(
      MAX_ALTERNATIVES,
      others.map((one) => one.peer),
    );
    return encodeGrant({ ...granted, rendezvous });
  }

  /** Another rendezvous has spoken as one. */
  #hear(peer: PeerId, rendezvous: readonly KnownRendezvous[]): void {
    const { localPeer } = this.#init.resolver;
    this.#see({ type: 'confirmed', peer });
    const others = rendezvous.filter((one) => one.peer !== localPeer);
    this.#see({ type: 'told', by: peer, peers: others.map((one) => one.peer) });
    for (const one of others) {
      // Who tells of itself knows best; hearsay fills gaps.
      const isNews = one.peer === peer || !this.#addresses.has(one.peer);
      if (isNews && this.#view.has(one.peer)) this.#addresses.set(one.peer, one.addresses);
    }
    this.#followWants();
  }

  async #exchange(neighbour: GroupNeighbour): Promise<void> {
    const { peer } = neighbour;
    try {
      const body = encodePeerview(this.#known(MAX_PEERVIEW), false);
      const answer = await neighbour.request(RENDEZVOUS_HANDLER, body, { timeoutMs: LEASE_ANSWER_MS });
      const rendezvous = decodeKnown(answer);
      if (this.#serving) this.#hear(peer, rendezvous);
    } catch (error) {
      if (!(error instanceof PipevineError)) throw error;
      const says = error.code === 'not-found' || error.code === 'refused' || error.code === 'malformed';
      this.#see({ type: says ? 'refused' : 'lost', peer });
    }
  }

  #see(input: PeerviewInput): void {
    if (!this.#serving) return;
    const before = ringOf(this.#view).join();
    this.#view = stepPeerview(this.#view, input, this.#init.clock.monotonicMs());
    if (ringOf(this.#view).join() !== before) {
      this.#settleAtMs = Math.min(this.#settleAtMs, this.#init.clock.monotonicMs() + PEERVIEW_SETTLE_MS);
    }
    if (input.type !== 'told') this.#followWants();
    this.#arm();
  }

  #followWants(): void {
    const wanted = new Set(wantedOf(this.#view));
    for (const [peer, want] of this.#wants) {
      if (wanted.has(peer)) continue;
      want.release();
      this.#wants.delete(peer);
    }
    for (const peer of this.#addresses.keys()) if (!wanted.has(peer)) this.#addresses.delete(peer);
    for (const peer of wanted) {
      if (this.#wants.has(peer)) continue;
      try {
        this.#wants.set(peer, this.#init.endpoint.want(peer));
      } catch (error) {
        if (!(error instanceof PipevineError)) throw error;
        this.#wantsRefused++;
      }
    }
  }

  /** Whether to serve, as things stand. */
  #decide(): void {
    if (this.#closed) return;
    const { clock, mode, mayServe } = this.#init;
    const facts = {
      mode,
      capable: mayServe(),
      leased: this.#client.leased(),
      others: ringOf(this.#view).length,
      clients: this.#desk.size,
    };
    this.#promotion = stepPromotion(this.#promotion, facts, clock.monotonicMs(), () => this.#promotionDelayMs());
    const serves = this.#promotion.phase === 'serving';
    if (serves && !this.#serving) this.#begin();
    else if (!serves && this.#serving) this.#end();
    this.#arm();
  }

  /** All that could serve have the same order of them, so that one goes first and the others find it. */
  #promotionDelayMs(): number {
    const { resolver, keepsAuthority } = this.#init;
    const capable = resolver.neighbours().filter(({ credential }) => may(credential, 'rendezvous'));
    // Who has joined knows that there are others, and waits for them.
    if (capable.length === 0 && this.#client.known().length === 0 && keepsAuthority()) return 0;
    const order = this.#ringOf(capable.map(({ peer }) => peer)).members;
    const place = Math.min(order.indexOf(resolver.localPeer), MAX_PROMOTE_STEPS);
    return PROMOTE_AFTER_MS + PROMOTE_STEP_MS * place;
  }

  #begin(): void {
    const { clock, resolver, store, group, isOwn, onServing } = this.#init;
    this.#serving = true;
    this.#view = new Map();
    this.#ring = this.#ringOf([]);
    this.#replication = this.#newReplication();
    this.#service = ADVERTISEMENT_KINDS.map((kind) =>
      store.subscribe({ group, kind }, (change) => {
        if (this.#desk.isTaking || isOwn(change.advertisement.publisher)) this.#replication.add(change);
      }),
    );
    const known = this.#client.known();
    this.#see({ type: 'told', by: resolver.localPeer, peers: known.map(({ peer }) => peer) });
    for (const { peer, addresses } of known) this.#addresses.set(peer, addresses);
    this.#followWants();
    this.#exchangeAtMs = clock.monotonicMs() + PEERVIEW_EXCHANGE_MS;
    for (const neighbour of resolver.neighbours()) {
      if (may(neighbour.credential, 'rendezvous')) void this.#exchange(neighbour);
    }
    this.#client.changed();
    onServing?.(true);
  }

  #end(): void {
    const { onServing } = this.#init;
    const leaving = encodePeerview(this.#known(1), true);
    for (const { neighbour } of this.#targets(ringOf(this.#view))) {
      neighbour.request(RENDEZVOUS_HANDLER, leaving, { timeoutMs: LEASE_ANSWER_MS }).catch((error: unknown) => {
        if (!(error instanceof PipevineError)) throw error;
      });
    }
    this.#serving = false;
    for (const end of this.#service) end();
    this.#service = [];
    this.#replication.close();
    this.#desk.clear();
    this.#view = new Map();
    this.#ring = this.#ringOf([]);
    this.#followWants();
    this.#exchangeAtMs = Infinity;
    this.#settleAtMs = Infinity;
    this.#client.changed();
    onServing?.(false);
  }

  #clientsChanged(): void {
    this.#client.changed();
    this.#decide();
  }

  #arm(): void {
    if (this.#closed) return;
    this.#timer?.cancel();
    const { clock } = this.#init;
    const deadlineMs = Math.min(
      nextPromotionDeadline(this.#promotion),
      nextPeerviewDeadline(this.#view),
      this.#exchangeAtMs,
      this.#settleAtMs,
    );
    if (deadlineMs === Infinity) return;
    this.#timer = clock.setTimer(Math.max(0, deadlineMs - clock.monotonicMs()), () => this.#onTimer());
  }

  #onTimer(): void {
    const { clock, random, resolver } = this.#init;
    const nowMs = clock.monotonicMs();
    if (nowMs >= nextPeerviewDeadline(this.#view)) this.#see({ type: 'timer' });
    if (nowMs >= this.#settleAtMs) {
      this.#settleAtMs = Infinity;
      this.#ring = this.#ringOf(ringOf(this.#view));
      this.#replication.changeRing(this.#ring);
      this.#exchangeAll();
      this.#client.changed();
    }
    if (nowMs >= this.#exchangeAtMs) {
      this.#exchangeAtMs = nowMs + PEERVIEW_EXCHANGE_MS * (0.8 + random.fraction() / 5);
      this.#desk.expire();
      for (const peer of ringOf(this.#view)) {
        if (resolver.neighbour(peer) === undefined) this.#see({ type: 'lost', peer });
      }
      this.#exchangeAll();
    }
    this.#decide();
  }

  #exchangeAll(): void {
    for (const { neighbour } of this.#targets(wantedOf(this.#view))) {
      if (may(neighbour.credential, 'rendezvous')) void this.#exchange(neighbour);
      else this.#see({ type: 'refused', peer: neighbour.peer });
    }
  }

  /** This peer first, then the others in the ring's order after it: each tells its clients of others first. */
  #known(limit: number, others: readonly PeerId[] = []): KnownRendezvous[] {
    const { resolver, endpoint, addressesOf } = this.#init;
    const { members } = this.#ringOf(ringOf(this.#view));
    const at = members.indexOf(resolver.localPeer);
    const known = new Set([...members.slice(at), ...members.slice(0, at), ...others]);
    return [...known].slice(0, limit).map((peer) => ({
      peer,
      addresses: peer === resolver.localPeer ? endpoint.addresses : (this.#addresses.get(peer) ?? addressesOf(peer)),
    }));
  }

  /** Of these peers, the ones whose pipe is open. */
  #targets(peers: readonly PeerId[]): SearchTarget[] {
    const { resolver } = this.#init;
    return peers.flatMap((peer) => {
      const neighbour = resolver.neighbour(peer);
      return neighbour === undefined ? [] : [{ neighbour, walk: false }];
    });
  }

  /** Neighbours that neither lease here nor share the index: what they publish is not in it. */
  #others(): SearchTarget[] {
    return this.#init.resolver
      .neighbours()
      .filter(({ peer }) => !this.#desk.serves(peer) && !this.#ring.members.includes(peer))
      .slice(0, MAX_ASKED)
      .map((neighbour) => ({ neighbour, walk: false }));
  }

  #ringOf(others: readonly PeerId[]): Ring {
    const { crypto, group, resolver } = this.#init;
    return new Ring(crypto, group, [resolver.localPeer, ...others]);
  }

  #newReplication(): Replication {
    const { resolver, isOwn, hostOf } = this.#init;
    const leases = (peer: PeerId | undefined) => peer !== undefined && this.#desk.serves(peer);
    return new Replication(
      {
        ...this.#init,
        localPeer: resolver.localPeer,
        isOurs: (publisher) => isOwn(publisher) || leases(publisher) || leases(hostOf(publisher)),
        send: async (to, encoded) => {
          const neighbour = resolver.neighbour(to);
          if (neighbour === undefined) throw new PipevineError('unreachable', 'The link to the rendezvous is gone.');
          const body = encodeAdvertisements('replicate', encoded);
          return neighbour.request(RENDEZVOUS_HANDLER, body, { timeoutMs: FEED_ANSWER_MS });
        },
      },
      this.#ring,
    );
  }
}
