import { abortable } from '../endpoint/abortable.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { checkAccess } from '../group/access.ts';
import { may } from '../group/capability.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import { relayThatFailed } from '../pipe/pipe-paths.ts';
import { MAX_RELAY_HOPS } from '../pipe/relayed-path.ts';
import type { Clock } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import { LeaseTable } from '../rendezvous/lease-table.ts';
import type { GroupResolver, ResolverHandler } from '../resolver/resolver.ts';
import { AdmissionDirectory, type AdmissionSources } from './admission-directory.ts';
import type { AdmissionHop } from './admission-gate.ts';
import { DONE_ANSWER, decodeRelayRequest, encodeRelayGrant } from './relay-codec.ts';
import {
  MAX_DIALLED_RELAYS,
  MAX_LEASES,
  MAX_MEETINGS,
  RELAY_DIAL_MS,
  RELAY_HANDLER,
  SEEK_MS,
} from './relay-defaults.ts';
import type { RelayBound, RelayedBind, RelayForwarder, RelayGate, RelayHop } from './relay-forwarder.ts';

/** Finds ways over several relays, as `Router` does. */
export interface RelayRouter {
  routesTo(target: PeerId): readonly (readonly PeerId[])[];
  /** Those, too, that have just failed. */
  lastResorts(target: PeerId): readonly (readonly PeerId[])[];
  seek(target: PeerId): Promise<void>;
  failed(target: PeerId, route: readonly PeerId[], at?: number): void;
  worked(target: PeerId, route: readonly PeerId[]): void;
  /** Whether a peer has signed that it relays. */
  isRelay(peer: PeerId): boolean;
}

export interface RelayServerInit {
  readonly resolver: Pick<
    GroupResolver,
    'group' | 'localPeer' | 'handle' | 'neighbours' | 'neighbour' | 'subscribe' | 'connect'
  >;
  readonly forwarder: Pick<RelayForwarder, 'open' | 'endOf'>;
  /** Whether the own credential grants to relay, now. */
  readonly mayServe: () => boolean;
  /** Who speaks for a peer, when a valid delegation says so. */
  readonly hostOf: (peer: PeerId) => PeerId | undefined;
  /** At which relays a peer leases, as it has signed. */
  readonly relaysOf: (peer: PeerId) => readonly PeerId[];
  /** Default: only relays that are linked are passed on to, and none is dialled. */
  readonly router?: RelayRouter;
  /** Default: whoever is no member is not told who admits. */
  readonly admissions?: AdmissionSources;
  readonly clock: Clock;
  readonly random: Random;
  readonly maxLeases?: number;
}

/** A relay in one group: grants leases, and says what is forwarded. */
export class RelayServer implements RelayGate {
  readonly #init: RelayServerInit;
  readonly #leases: LeaseTable;
  readonly #directory: AdmissionDirectory | undefined;
  readonly #endings: (() => void)[];
  /** BINDs that wait for the credential of who asks. */
  #meetings = 0;

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
    const isClient = (peer: PeerId): boolean => this.#client(peer, resolver.localPeer) === peer;
    this.#directory = init.admissions && new AdmissionDirectory({ ...init, ...init.admissions, isClient });
    this.#endings = [
      () => this.#directory?.close(),
      () => handler.close(),
      () => gate.close(),
      () => subscription.unsubscribe(),
    ];
  }

  nextHop(bind: RelayedBind): RelayHop | Promise<RelayHop> {
    const { resolver, mayServe } = this.#init;
    if (!mayServe()) throw new PipevineError('unreachable', 'This peer is no relay of the group.');
    const isMember = resolver.neighbour(bind.from) !== undefined;
    return isMember || this.#meetings >= MAX_MEETINGS ? this.#nextHop(bind) : this.#nextHopOfNewcomer(bind);
  }

  /** Who has just come asks for a pipe as soon as it may, and shows its credential at the same time. */
  async #nextHopOfNewcomer(bind: RelayedBind): Promise<RelayHop> {
    this.#meetings++;
    try {
      await this.#meet(bind.from);
    } finally {
      this.#meetings--;
    }
    return this.#nextHop(bind);
  }

  #nextHop(bind: RelayedBind): RelayHop | Promise<RelayHop> {
    const { resolver, hostOf } = this.#init;
    const { from, source, target, named } = bind;
    const previous = resolver.neighbour(from);
    if (previous === undefined) {
      throw new PipevineError('refused', `Peer ${shortPeerId(from)} has not shown this relay that it is a member.`);
    }
    const speaks = from === source || hostOf(source) === from || may(previous.credential, 'relay');
    if (!speaks) {
      throw new PipevineError('refused', `Peer ${shortPeerId(from)} does not speak for ${shortPeerId(source)}.`);
    }
    if (named !== undefined) return this.#named(bind, named);
    const client = this.#client(target, from);
    if (client !== undefined) return { to: client };
    // Only the first relay names the others: so what was named stays as it is to the end.
    const router = bind.hops === 0 ? this.#init.router : undefined;
    const known = router && this.#found(bind, router.routesTo(target));
    if (known !== undefined) return known;
    const other = this.#otherRelay(target, from);
    if (other !== undefined) return { to: other };
    if (router !== undefined) return this.#route(bind, router);
    throw unreachable(target);
  }

  admissionHop({ from, source, target, hops }: RelayedBind): AdmissionHop | undefined {
    const { resolver, hostOf, mayServe } = this.#init;
    if (!mayServe()) return undefined;
    const previous = resolver.neighbour(from);
    const speaks = from === source || hostOf(source) === from;
    if (!speaks && !may(previous?.credential, 'relay')) return undefined;
    // Only the first relay goes on to another: so no way has a loop.
    const to = this.#client(target, from) ?? (hops === 0 ? this.#otherRelay(target, from) : undefined);
    return to && { to, isMember: speaks && previous !== undefined };
  }

  onOutcome(target: PeerId, named: readonly PeerId[], reason: string | undefined): void {
    const { router } = this.#init;
    if (reason === undefined) return router?.worked(target, named);
    // This relay is the first of the whole way. That nobody answered it says nothing of where on the way that is.
    const at = relayThatFailed(reason) ?? 1;
    router?.failed(target, named, at > 1 ? at - 1 : undefined);
  }

  /** Leases granted. */
  get clients(): number {
    return this.#leases.size;
  }

  bounds(): Readonly<Record<string, RelayBound>> {
    const { size: used, limit, dropped } = this.#leases;
    return { 'relay leases': { used, limit, dropped }, ...this.#directory?.status() };
  }

  /** Pipes that are forwarded in this group end; their ends look for another path. Idempotent. */
  close(): void {
    for (const end of this.#endings.splice(0)) end();
    this.#leases.clear();
  }

  /** The peer itself, or its host, when it has a lease and is linked; a relay is no client of those next to it. */
  #client(target: PeerId, from: PeerId): PeerId | undefined {
    const { resolver, hostOf, clock } = this.#init;
    const now = clock.monotonicMs();
    const isClient = (peer: PeerId): boolean => {
      const neighbour = resolver.neighbour(peer);
      if (peer === from || neighbour === undefined) return false;
      return this.#leases.has(peer, now) || may(neighbour.credential, 'relay');
    };
    return [target, hostOf(target)].find((peer) => peer !== undefined && isClient(peer));
  }

  /** Along the relays that are named, and no others. */
  #named({ from, source, target, hops }: RelayedBind, named: readonly PeerId[]): RelayHop | Promise<RelayHop> {
    const { resolver, router } = this.#init;
    const isHere = hops === 0 ? !named.includes(resolver.localPeer) : named[hops - 1] === resolver.localPeer;
    if (!isHere || [source, target].some((end) => named.includes(end))) {
      throw new PipevineError('refused', 'The way that this BIND names leads to a peer twice, or not over this relay.');
    }
    const next = named[hops];
    if (next === undefined) {
      const client = this.#client(target, from);
      if (client !== undefined) return { to: client };
      throw unreachable(target);
    }
    if (next === from) throw new PipevineError('refused', 'The way that this BIND names goes back where it came from.');
    const neighbour = resolver.neighbour(next);
    if (neighbour !== undefined && may(neighbour.credential, 'relay')) return { to: next };
    if (neighbour !== undefined || router?.isRelay(next) !== true) {
      throw new PipevineError('unreachable', `There is no link to relay ${shortPeerId(next)}.`);
    }
    return this.#link(next).then((to) => ({ to }));
  }

  /** Over relays that are known to lead there; this one is the first of those that a way may have. */
  #found({ from, source, target }: RelayedBind, routes: readonly (readonly PeerId[])[]): RelayHop | undefined {
    const excluded = new Set([from, source, target, this.#init.resolver.localPeer]);
    const isUsable = (relays: readonly PeerId[]): boolean =>
      relays.length < MAX_RELAY_HOPS && !relays.some((relay) => excluded.has(relay));
    const named = routes.find(isUsable);
    const [to] = named ?? [];
    return named && to && { to, named };
  }

  /** Asks for a way, then looks for a link to one of the target's relays. */
  async #route(bind: RelayedBind, router: RelayRouter): Promise<RelayHop> {
    const { relaysOf, clock } = this.#init;
    const { from, target } = bind;
    const what = `a way to ${shortPeerId(target)}`;
    await abortable(router.seek(target), clock, { timeoutMs: SEEK_MS }, what).catch(onlyLate);
    const to = this.#client(target, from);
    const hop = to === undefined ? this.#found(bind, router.routesTo(target)) : { to };
    if (hop !== undefined) return hop;
    const isOther = (relay: PeerId): boolean => ![from, bind.source, target].includes(relay);
    const others = relaysOf(target).filter((relay) => isOther(relay) && router.isRelay(relay));
    const dials = others.slice(0, MAX_DIALLED_RELAYS).map((relay) => this.#link(relay));
    const dialled = await Promise.any(dials).catch(() => undefined);
    if (dialled !== undefined) return { to: dialled, named: [dialled] };
    const last = this.#found(bind, router.lastResorts(target));
    if (last === undefined) throw unreachable(target);
    return last;
  }

  /** Links another relay. Rejects with `unreachable`. */
  async #link(relay: PeerId): Promise<PeerId> {
    const { resolver } = this.#init;
    try {
      const { credential } = await resolver.connect(relay, { timeoutMs: RELAY_DIAL_MS });
      if (may(credential, 'relay')) return relay;
    } catch (cause) {
      if (!(cause instanceof PipevineError)) throw cause;
      const message = `There is no link to relay ${shortPeerId(relay)}: ${cause.message}`;
      throw new PipevineError('unreachable', message, { cause });
    }
    throw new PipevineError('unreachable', `Peer ${shortPeerId(relay)} is no relay of the group.`);
  }

  /** Who has a lease can use it at once: for that this relay has to have seen its credential on a pipe of its own. */
  async #meet(client: PeerId): Promise<void> {
    const { resolver } = this.#init;
    if (resolver.neighbour(client) !== undefined) return;
    await resolver.connect(client, { timeoutMs: RELAY_DIAL_MS }).catch(onlyLate);
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
    await this.#meet(remotePeer);
    const isPresent = (peer: PeerId): boolean => resolver.neighbour(peer) !== undefined;
    const grant = this.#leases.grant(remotePeer, request, clock.monotonicMs(), isPresent);
    if (grant === undefined) {
      throw new PipevineError('overloaded', `This relay has ${this.#leases.limit} clients, its limit; ask another.`);
    }
    return encodeRelayGrant(grant);
  }
}

function unreachable(target: PeerId): PipevineError {
  return new PipevineError(
    'unreachable',
    `Peer ${shortPeerId(target)} has no lease at this relay, and no way on to it is known.`,
  );
}

/** What was found until the deadline counts. */
function onlyLate(error: unknown): void {
  if (!(error instanceof PipevineError)) throw error;
}
