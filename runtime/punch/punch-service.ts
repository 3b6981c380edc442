import type { Endpoint, RouteSource } from '../endpoint/endpoint.ts';
import { decides } from '../endpoint/link-election.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { checkAccess } from '../group/access.ts';
import type { GroupId } from '../id/group-id.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import type { PipeService, RequestContext } from '../pipe/pipe.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import type { EndpointAddress, Transport } from '../platform/transport.ts';
import type { GroupResolver } from '../resolver/resolver.ts';
import { candidatesOf, ownCandidates } from './candidate.ts';
import { ObserveServer } from './observe-server.ts';
import { Observer } from './observer.ts';
import { Probes } from './probes.ts';
import { decodeOffer, encodeOffer, type PunchOffer } from './punch-codec.ts';
import {
  ADDRESS_WATCH_MS,
  MAX_SESSIONS,
  MAX_TARGETS,
  MAX_TOKENS,
  NO_ROOM_REST_MS,
  OFFER_ANSWER_MS,
  OFFER_PIPE_MS,
  PUNCH_PIPE,
  PUNCH_SCHEME,
  TOKEN_BYTES,
} from './punch-defaults.ts';
import { PunchSession } from './punch-session.ts';
import { nextPunchDeadline, type PunchInput, type PunchState, stepPunch } from './punch-state.ts';
import { hopeless, judge, type PunchVerdict, passing } from './punch-verdict.ts';
import { RequestRate } from './request-rate.ts';

export interface PunchServiceInit {
  readonly endpoint: Pick<Endpoint, 'localPeer' | 'addresses' | 'linkTo' | 'connect' | 'subscribe'>;
  readonly pipes: Pick<PipeService, 'serve' | 'requester'>;
  /** Those of the endpoint: without one that sends probes this service does nothing. */
  readonly transports: readonly Transport[];
  readonly routes: Pick<RouteSource, 'hostOf'>;
  /** Whether a pipe of the application to that peer goes over a relay now; default: until a link comes up. */
  readonly isRelayed?: (peer: PeerId, group: GroupId) => boolean;
  readonly clock: Clock;
  readonly random: Random;
}

/** What a group needs for it. */
export interface PunchGroupInit {
  readonly group: GroupId;
  readonly resolver: Pick<GroupResolver, 'handle' | 'neighbours'>;
  /** Whether the own credential grants to relay, now; absent: this peer never tells others from where their packets come. */
  readonly mayServe?: () => boolean;
}

/** How it stands with one peer, for people. */
export interface PunchReport {
  readonly state: 'direct' | 'trying' | 'resting' | 'impossible';
  readonly reason: string;
  /** Wall time since which it is so, ms since 1970. */
  readonly atMs: number;
  /** Addresses of the other side that were tried last. */
  readonly candidates: readonly EndpointAddress[];
}

interface OpenGroup {
  readonly observer: Observer;
  close(): void;
}

interface Target {
  readonly peer: PeerId;
  group: GroupId;
  state: PunchState;
  report: PunchReport;
  timer: Timer | undefined;
}

/** One attempt, begun by either side. */
interface Session {
  readonly session: PunchSession;
  /** What this side says of itself, once relays have told. */
  readonly local: Promise<PunchOffer>;
}

type Bound = { readonly used: number; readonly limit: number; readonly dropped: number };

/** Makes direct links to peers that are reached over a relay, by UDP hole punching (RFC 5128), where NATs let it. */
export class PunchService {
  readonly #init: PunchServiceInit;
  readonly #probes: Probes;
  readonly #rate: RequestRate;
  readonly #groups = new Map<GroupId, OpenGroup>();
  readonly #targets = new Map<PeerId, Target>();
  readonly #sessions = new Map<PeerId, Session>();
  readonly #subscription: { unsubscribe(): void };
  #watch: Timer | undefined;
  #ownAddresses = '';
  #refusedTargets = 0;
  #refusedSessions = 0;
  #attempts = 0;
  #punched = 0;
  #closed = false;

  constructor(init: PunchServiceInit) {
    this.#init = init;
    this.#probes = new Probes(init.transports);
    this.#rate = new RequestRate(init.clock);
    this.#subscription = init.endpoint.subscribe({
      onLinkUp: ({ remotePeer }) => this.#onLinkUp(remotePeer),
      onLinkDown: ({ remotePeer }) => this.#onLinkDown(remotePeer),
    });
  }

  /** Serves and asks in a group of which this peer is a member, until it is closed. Throws `busy` when it is open. */
  openGroup(init: PunchGroupInit): { close(): void } {
    const { group, resolver, mayServe } = init;
    if (!this.#probes.available || this.#closed) return { close: () => {} };
    const { pipes, endpoint, clock, random } = this.#init;
    const listener = pipes.serve({ group, name: PUNCH_PIPE, capability: 'discover' }, (body, context) =>
      this.#onOffer(body, context),
    );
    const probes = this.#probes;
    const server =
      mayServe === undefined
        ? undefined
        : new ObserveServer({ resolver, endpoint, probes, rate: this.#rate, mayServe, clock, random });
    const open: OpenGroup = {
      observer: new Observer({ endpoint, resolver, probes, clock }),
      close: () => {
        listener.close();
        server?.close();
        if (this.#groups.get(group) === open) this.#groups.delete(group);
      },
    };
    this.#groups.set(group, open);
    return open;
  }

  /** A pipe to that peer goes over a relay: tries to do without. Idempotent and cheap. */
  relayed(peer: PeerId, group: GroupId): void {
    const { endpoint, routes } = this.#init;
    if (!this.#probes.available || this.#closed || !this.#groups.has(group)) return;
    const neighbour = endpoint.linkTo(peer) === undefined ? (routes.hostOf(peer) ?? peer) : peer;
    if (neighbour === endpoint.localPeer || endpoint.linkTo(neighbour) !== undefined) return;
    let target = this.#targets.get(neighbour);
    if (target === undefined) {
      if (!this.#makeRoom()) return;
      target = {
        peer: neighbour,
        group,
        state: { phase: 'direct' },
        report: this.#report('trying', ''),
        timer: undefined,
      };
      this.#targets.set(neighbour, target);
    }
    target.group = group;
    this.#input(target, 'wanted');
    this.#watchAddresses();
  }

  /** This peer's network is another now: tries at once what rested. */
  networkChanged(): void {
    for (const target of [...this.#targets.values()]) this.#input(target, 'changed');
  }

  /** How it stands with a peer that was reached over a relay; undefined for any other. */
  report(peer: PeerId): PunchReport | undefined {
    return (this.#targets.get(peer) ?? this.#targets.get(this.#init.routes.hostOf(peer) ?? peer))?.report;
  }

  /** Bounds and counters, by name. */
  status(): Readonly<Record<string, Bound>> {
    const count = (used: number, dropped = 0): Bound => ({ used, limit: 0, dropped });
    return {
      'punch peers': { used: this.#targets.size, limit: MAX_TARGETS, dropped: this.#refusedTargets },
      'punch attempts under way': { used: this.#sessions.size, limit: MAX_SESSIONS, dropped: this.#refusedSessions },
      'punch tokens': { used: this.#probes.waiting, limit: MAX_TOKENS, dropped: this.#probes.dropped },
      'punch requests refused': count(0, this.#rate.refused),
      'punch attempts': count(this.#attempts),
      'punch links': count(this.#punched),
    };
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#subscription.unsubscribe();
    this.#watch?.cancel();
    for (const { session } of [...this.#sessions.values()]) session.close();
    this.#sessions.clear();
    for (const { timer } of this.#targets.values()) timer?.cancel();
    this.#targets.clear();
    for (const group of [...this.#groups.values()]) group.close();
    this.#probes.close();
  }

  #input(target: Target, input: PunchInput): void {
    if (this.#targets.get(target.peer) !== target) return;
    const { clock, random } = this.#init;
    const step = stepPunch(target.state, input, clock.monotonicMs(), random.fraction(), NO_ROOM_REST_MS);
    target.state = step.state;
    target.timer?.cancel();
    const deadlineMs = nextPunchDeadline(step.state);
    if (deadlineMs !== undefined) {
      target.timer = clock.setTimer(Math.max(0, deadlineMs - clock.monotonicMs()), () => this.#onTimer(target));
    }
    if (step.effect === undefined) return;
    target.report = this.#report('trying', 'both peers look for a way through their NATs');
    void this.#try(target);
  }

  #onTimer(target: Target): void {
    if (this.#init.isRelayed?.(target.peer, target.group) === false) this.#targets.delete(target.peer);
    else this.#input(target, 'timer');
  }

  async #try(target: Target): Promise<void> {
    const { pipes } = this.#init;
    const { peer, group } = target;
    const begun = this.#session(peer, group);
    if (begun === undefined) return this.#input(target, 'no-room');
    const { session } = begun;
    this.#attempts++;
    try {
      const local = await begun.local;
      if (session.isOver) return;
      if (local.candidates.length === 0) return this.#fail(target, session, judge(local, local, false));
      // The other side may have asked meanwhile.
      if (session.remote !== undefined) return;
      const { signal } = session;
      const pipe = await pipes.requester({ peer, group, name: PUNCH_PIPE, timeoutMs: OFFER_PIPE_MS, signal });
      try {
        const answer = await pipe.request(encodeOffer(local), { timeoutMs: OFFER_ANSWER_MS, signal });
        const remote = decodeOffer(answer);
        if (remote.candidates.length === 0) return this.#fail(target, session, judge(local, remote, false));
        session.begin(local, remote);
      } finally {
        void pipe.close();
      }
    } catch (error) {
      if (!(error instanceof PipevineError)) throw error;
      if (session.isOver || session.remote !== undefined) return;
      const lacks = error.code === 'not-found' || error.code === 'refused';
      const why = `the other peer could not be asked for its addresses (${error.message})`;
      this.#fail(target, session, lacks ? hopeless(why) : passing(why));
    }
  }

  async #onOffer(body: Uint8Array, context: RequestContext): Promise<Uint8Array> {
    const { remotePeer, group, credential } = context;
    checkAccess('punch.request', remotePeer, credential);
    const remote = decodeOffer(body);
    this.#rate.take(remotePeer);
    const begun = this.#session(remotePeer, group);
    if (begun === undefined) {
      throw new PipevineError(
        'overloaded',
        `${MAX_SESSIONS} attempts at hole punching are under way; try again later.`,
      );
    }
    const local = await begun.local;
    begun.session.begin(local, remote);
    return encodeOffer(local);
  }

  /** The attempt at a peer that is under way, or a new one; undefined when there is no room. */
  #session(peer: PeerId, group: GroupId): Session | undefined {
    const { endpoint, clock, random } = this.#init;
    const known = this.#sessions.get(peer);
    if (known !== undefined) return known;
    const observer = this.#groups.get(group)?.observer;
    if (this.#closed || observer === undefined || this.#sessions.size >= MAX_SESSIONS) {
      this.#refusedSessions++;
      return undefined;
    }
    const token = random.bytes(TOKEN_BYTES);
    let session: PunchSession;
    try {
      session = new PunchSession({
        peer,
        endpoint,
        probes: this.#probes,
        clock,
        token,
        first: decides({ localPeer: endpoint.localPeer, remotePeer: peer, dialled: true }),
        onOver: () => this.#onOver(begun),
      });
    } catch (error) {
      if (!(error instanceof PipevineError)) throw error;
      this.#refusedSessions++;
      return undefined;
    }
    const local = observer.observe().then(({ addresses, mapping }) => ({
      token,
      candidates: candidatesOf(addresses, ownCandidates(endpoint.addresses)),
      mapping,
    }));
    const begun: Session = { session, local };
    this.#sessions.set(peer, begun);
    return begun;
  }

  /** The attempt has had its time. */
  #onOver(begun: Session): void {
    const { session } = begun;
    const target = this.#targets.get(session.peer);
    this.#forget(session);
    if (target === undefined) return;
    void begun.local.then((local) => {
      const { remote } = session;
      const verdict =
        remote === undefined ? passing('the other peer did not answer') : judge(local, remote, session.heard);
      this.#settle(target, verdict, remote?.candidates ?? []);
    });
  }

  #fail(target: Target, session: PunchSession, verdict: PunchVerdict): void {
    this.#forget(session);
    session.close();
    this.#settle(target, verdict, []);
  }

  #settle(target: Target, verdict: PunchVerdict, candidates: readonly EndpointAddress[]): void {
    if (target.state.phase !== 'trying') return;
    target.report = this.#report(verdict.hopeless ? 'impossible' : 'resting', verdict.reason, candidates);
    this.#input(target, verdict.hopeless ? 'hopeless' : 'failed');
  }

  #onLinkUp(peer: PeerId): void {
    const session = this.#sessions.get(peer)?.session;
    const address = this.#init.endpoint.linkTo(peer)?.remoteAddress;
    if (session !== undefined) {
      if (address?.startsWith(`${PUNCH_SCHEME}://`)) this.#punched++;
      this.#forget(session);
      session.close();
    }
    const target = this.#targets.get(peer);
    if (target === undefined) return;
    target.report = this.#report(
      'direct',
      `there is a link to ${address ?? shortPeerId(peer)}`,
      session?.remote?.candidates,
    );
    this.#input(target, 'linked');
  }

  /** What goes on over a relay says so by `relayed`. */
  #onLinkDown(peer: PeerId): void {
    const target = this.#targets.get(peer);
    if (target?.state.phase === 'direct') this.#targets.delete(peer);
  }

  #forget(session: PunchSession): void {
    if (this.#sessions.get(session.peer)?.session === session) this.#sessions.delete(session.peer);
  }

  /** Those that are reached directly need not be remembered. */
  #makeRoom(): boolean {
    if (this.#targets.size < MAX_TARGETS) return true;
    const oldest = [...this.#targets.values()].find(({ state }) => state.phase === 'direct');
    if (oldest === undefined) this.#refusedTargets++;
    else this.#targets.delete(oldest.peer);
    return oldest !== undefined;
  }

  #watchAddresses(): void {
    if (this.#watch !== undefined) return;
    const { endpoint, clock } = this.#init;
    this.#ownAddresses = endpoint.addresses.join(' ');
    const look = (): void => {
      this.#watch = undefined;
      if (![...this.#targets.values()].some(({ state }) => state.phase !== 'direct')) return;
      const before = this.#ownAddresses;
      this.#watchAddresses();
      if (this.#ownAddresses !== before) this.networkChanged();
    };
    this.#watch = clock.setTimer(ADDRESS_WATCH_MS, look);
  }

  #report(state: PunchReport['state'], reason: string, candidates: readonly EndpointAddress[] = []): PunchReport {
    return { state, reason, atMs: this.#init.clock.wallMs(), candidates };
  }
}
