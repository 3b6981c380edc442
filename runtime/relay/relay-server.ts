import { PipevineError } from '../error/pipevine-error.ts';
import { checkAccess } from '../group/access.ts';
import { may } from '../group/capability.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import type { Clock } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import { LeaseTable } from '../rendezvous/lease-table.ts';
import type { GroupResolver, ResolverHandler } from '../resolver/resolver.ts';
import { DONE_ANSWER, decodeRelayRequest, encodeRelayGrant } from './relay-codec.ts';
import { MAX_LEASES, RELAY_HANDLER } from './relay-defaults.ts';
import type { RelayBound, RelayForwarder, RelayGate } from './relay-forwarder.ts';

export interface RelayServerInit {
  readonly resolver: Pick<GroupResolver, 'group' | 'localPeer' | 'handle' | 'neighbour' | 'subscribe'>;
  readonly forwarder: Pick<RelayForwarder, 'open' | 'endOf'>;
  /** Whether the own credential grants to relay, now. */
  readonly mayServe: () => boolean;
  /** Who speaks for a peer, when a valid delegation says so. */
  readonly hostOf: (peer: PeerId) => PeerId | undefined;
  /** At which relays a peer leases, as it has signed. */
  readonly relaysOf: (peer: PeerId) => readonly PeerId[];
  readonly clock: Clock;
  readonly random: Random;
  readonly maxLeases?: number;
}

/** A relay in one group: grants leases, and says what is forwarded. */
export class RelayServer implements RelayGate {
  readonly #init: RelayServerInit;
  readonly #leases: LeaseTable;
  readonly #endings: (() => void)[];

  constructor(init: RelayServerInit) {
    const { resolver, forwarder } = init;
    this.#init = init;
    this.#leases = new LeaseTable(init.random, init.maxLeases ?? MAX_LEASES);
    const handler = resolver.handle(RELAY_HANDLER, (body, context) => this.#answer(body, context));
    const gate = forwarder.open(resolver.group, this);
    const subscription = resolver.subscribe({
      onOpen: () => {},
      // It has shown no valid credential for now; its pipes go on elsewhere, or here when it has.
      onClosed: ({ peer }) => forwarder.endOf(resolver.group, peer),
    });
    this.#endings = [() => handler.close(), () => gate.close(), () => subscription.unsubscribe()];
  }

  nextHop(from: PeerId, source: PeerId, target: PeerId): PeerId {
    const { resolver, hostOf, mayServe } = this.#init;
    if (!mayServe()) throw new PipevineError('unreachable', 'This peer is no relay of the group.');
    const previous = resolver.neighbour(from);
    if (previous === undefined) {
      throw new PipevineError('refused', `Peer ${shortPeerId(from)} has not shown this relay that it is a member.`);
    }
    const speaks = from === source || hostOf(source) === from || may(previous.credential, 'relay');
    if (!speaks) {
      throw new PipevineError('refused', `Peer ${shortPeerId(from)} does not speak for ${shortPeerId(source)}.`);
    }
    const hop = this.#client(target, from) ?? this.#otherRelay(target, from);
    if (hop === undefined) {
      throw new PipevineError('unreachable', `Peer ${shortPeerId(target)} has no lease at this relay, nor next to it.`);
    }
    return hop;
  }

  /** Leases granted. */
  get clients(): number {
    return this.#leases.size;
  }

  bounds(): Readonly<Record<string, RelayBound>> {
    return { 'relay leases': { used: this.#leases.size, limit: this.#leases.limit, dropped: this.#leases.dropped } };
  }

  /** Pipes that are forwarded in this group end; their ends look for another path. Idempotent. */
  close(): void {
    for (const end of this.#endings.splice(0)) end();
    this.#leases.clear();
  }

  /** The peer itself, or its host, when it has a lease and is linked. */
  #client(target: PeerId, from: PeerId): PeerId | undefined {
    const { resolver, hostOf, clock } = this.#init;
    const now = clock.monotonicMs();
    const isClient = (peer: PeerId): boolean =>
      peer !== from && this.#leases.has(peer, now) && resolver.neighbour(peer) !== undefined;
    return [target, hostOf(target)].find((peer) => peer !== undefined && isClient(peer));
  }

  #otherRelay(target: PeerId, from: PeerId): PeerId | undefined {
    const { resolver, hostOf, relaysOf } = this.#init;
    const host = hostOf(target);
    const relays = [...relaysOf(target), ...(host === undefined ? [] : relaysOf(host))];
    return relays.find((peer) => {
      if (peer === from || peer === resolver.localPeer) return false;
      const neighbour = resolver.neighbour(peer);
      return neighbour !== undefined && may(neighbour.credential, 'relay');
    });
  }

  async #answer(body: Uint8Array, context: Parameters<ResolverHandler>[1]): Promise<Uint8Array> {
    const { clock, resolver, mayServe } = this.#init;
    const { remotePeer, credential } = context;
    if (context.propagated) throw new PipevineError('refused', 'A relay is asked by its neighbours.');
    checkAccess('relay.lease', remotePeer, credential);
    const request = decodeRelayRequest(body);
    if (request.type === 'cancel') {
      this.#leases.cancel(remotePeer, request.leaseId);
      return DONE_ANSWER;
    }
    if (!mayServe()) throw new PipevineError('not-found', 'This peer is no relay of the group; ask another.');
    const isPresent = (peer: PeerId): boolean => resolver.neighbour(peer) !== undefined;
    const grant = this.#leases.grant(remotePeer, request, clock.monotonicMs(), isPresent);
    if (grant === undefined) {
      throw new PipevineError('overloaded', `This relay has ${this.#leases.limit} clients, its limit; ask another.`);
    }
    return encodeRelayGrant(grant);
  }
}
