import type { Endpoint } from '../endpoint/endpoint.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { GroupDirectory } from '../group/group-access.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Link } from '../link/link.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { BindParameters } from '../wire/frame.ts';
import type { LinkPort } from './link-port.ts';
import {
  AWAIT_BINDER_MS,
  MAX_RELAYS_PER_PEER,
  RELAY_BIND_TIMEOUT_MS,
  RELAY_REST_MS,
  RESUME_AGAIN_MS,
} from './pipe-defaults.ts';
import type { PipeEnd } from './pipe-end.ts';
import { type PipePaths, pathKey, type RoutedPath } from './pipe-paths.ts';
import { ResumeAttempt } from './resume-attempt.ts';

export interface ResumptionInit {
  readonly clock: Clock;
  readonly endpoint: Pick<Endpoint, 'linkTo' | 'want'>;
  readonly groups: GroupDirectory;
  readonly paths: PipePaths;
  readonly portOf: (link: Link) => LinkPort | undefined;
  /** A pipe has taken a way over a relay. */
  readonly onRelayed: (pipe: PipeEnd) => void;
}

/** Ways that rest for one pipe at most. */
const MAX_RESTING = 32;

interface Attempt {
  readonly attempt: ResumeAttempt;
  readonly path: RoutedPath;
  readonly timer: Timer | undefined;
}

/** What is kept of a pipe that this side has bound, so that it can bind it again. */
interface Bound {
  readonly pipe: PipeEnd;
  readonly parameters: BindParameters;
  /** Neighbours to which the endpoint is to look for a link. */
  readonly wants: Map<PeerId, { release(): void }>;
  /** Ways over relays that failed this pipe, by `pathKey`, and until when they rest, in monotonic time. At most MAX_RESTING. */
  readonly resting: Map<string, number>;
  /** The neighbour over which it went last, and whether that was a relay. */
  path: RoutedPath;
  suspended: boolean;
  attempt: Attempt | undefined;
  timer: Timer | undefined;
}

/**
 * Binds the pipes of this side again, as soon as there is another link or a relay that forwards, and has the endpoint look
 * for one meanwhile. A pipe over a relay moves to a direct link as soon as there is one.
 */
export class Resumption {
  readonly #init: ResumptionInit;
  readonly #bound = new Map<PipeEnd, Bound>();
  /** Pipes of others that wait to be bound again. */
  readonly #waiting = new Map<PipeEnd, Timer>();

  constructor(init: ResumptionInit) {
    this.#init = init;
  }

  /** A pipe that this side has bound. */
  add(pipe: PipeEnd, parameters: BindParameters, path: RoutedPath): void {
    const bound: Bound = {
      pipe,
      parameters,
      path,
      wants: new Map(),
      resting: new Map(),
      suspended: false,
      attempt: undefined,
      timer: undefined,
    };
    this.#bound.set(pipe, bound);
    this.#want(bound);
    if (path.type === 'relayed') this.#init.onRelayed(pipe);
  }

  delete(pipe: PipeEnd): void {
    this.#waiting.get(pipe)?.cancel();
    this.#waiting.delete(pipe);
    const bound = this.#bound.get(pipe);
    if (bound === undefined) return;
    this.#bound.delete(pipe);
    bound.timer?.cancel();
    this.#abandon(bound);
    for (const { release } of bound.wants.values()) release();
    bound.wants.clear();
  }

  onSuspended(pipe: PipeEnd): void {
    const bound = this.#bound.get(pipe);
    if (bound === undefined) return this.#awaitBinder(pipe);
    bound.suspended = true;
    // The relay is there and says that it cannot, or the pipe has said that it does not.
    if (bound.path.type === 'relayed' && this.#init.endpoint.linkTo(bound.path.via) !== undefined) {
      this.#rest(bound, bound.path);
      this.#init.paths.failed(pipe.remotePeer, pipe.group, bound.path);
    }
    this.#want(bound);
    this.#resume(bound);
  }

  onLinkUp(link: Link): void {
    for (const bound of [...this.#bound.values()]) {
      if (!bound.suspended && bound.path.type !== 'relayed') continue;
      const peer = bound.pipe.remotePeer;
      const isRelay = this.#init.paths.relays(peer, bound.pipe.group).includes(link.remotePeer);
      if (isRelay) this.#awaken(bound, link.remotePeer);
      if (isRelay || link.remotePeer === this.#init.paths.direct(peer).via) this.#resume(bound);
    }
  }

  /** The endpoint has let go of a link: those that went over it may choose another. */
  onLinkDown(): void {
    for (const bound of [...this.#bound.values()]) if (bound.suspended) this.#resume(bound);
  }

  close(): void {
    for (const pipe of [...this.#bound.keys(), ...this.#waiting.keys()]) this.delete(pipe);
  }

  /** The binder finds this side over links that it cannot see: each that may be one of a relay has to be alive. */
  #awaitBinder(pipe: PipeEnd): void {
    this.#waiting.get(pipe)?.cancel();
    this.#waiting.delete(pipe);
    if (pipe.session === undefined || pipe.connected || pipe.ended) return;
    const { paths, endpoint, clock } = this.#init;
    for (const relay of paths.relays(pipe.remotePeer, pipe.group)) endpoint.linkTo(relay)?.doubt();
    this.#waiting.set(
      pipe,
      clock.setTimer(AWAIT_BINDER_MS, () => this.#awaitBinder(pipe)),
    );
  }

  #resume(bound: Bound, mayRest = true): void {
    const { pipe, parameters } = bound;
    if (bound.attempt !== undefined || pipe.ended || !this.#bound.has(pipe)) return;
    const path = this.#choose(bound, mayRest);
    if (path === undefined) {
      if (!bound.suspended) return;
      // Relays come by leases and by what peers sign, too, not only by links. One that rests is better than none, but not at once.
      this.#want(bound);
      return this.#later(bound);
    }
    if (!bound.suspended && (path.type === 'relayed' || bound.path.type !== 'relayed')) return;
    const link = this.#init.endpoint.linkTo(path.via);
    const port = link && this.#init.portOf(link);
    if (port === undefined || port.closed) return;
    if (port.channels.full) return this.#later(bound);
    let credential: Uint8Array;
    try {
      const shown = this.#init.groups.access(pipe.group)?.credentialOf(pipe.localPeer);
      credential = pipe.session === undefined ? (shown ?? new Uint8Array(0)) : new Uint8Array(0);
    } catch (error) {
      return pipe.fail(error instanceof PipevineError ? error : new PipevineError('internal', String(error)));
    }
    const relayed = path.type === 'relayed';
    const attempt = new ResumeAttempt({
      port,
      clock: this.#init.clock,
      pipe,
      parameters,
      relayed,
      relays: path.relays,
      credential,
      onEnded: (result, reason) => this.#onEnded(bound, path, result, reason),
    });
    // Perhaps it swallows BINDs; perhaps it has started anew, and does not know this link any more.
    const timer = relayed
      ? this.#init.clock.setTimer(RELAY_BIND_TIMEOUT_MS, () => {
          attempt.abandon();
          port.link.doubt();
          this.#onEnded(bound, path, 'link-lost');
        })
      : undefined;
    bound.attempt = { attempt, path, timer };
  }

  #onEnded(
    bound: Bound,
    path: RoutedPath,
    result: 'bound' | 'link-lost' | 'later' | PipevineError,
    reason?: string,
  ): void {
    bound.attempt?.timer?.cancel();
    bound.attempt = undefined;
    if (!this.#bound.has(bound.pipe)) return;
    if (result === 'bound') {
      bound.suspended = false;
      bound.path = path;
      bound.resting.delete(pathKey(path));
      this.#init.paths.worked(bound.pipe.remotePeer, bound.pipe.group, path);
      this.#want(bound);
      // A direct link may have come up meanwhile.
      if (path.type === 'relayed') {
        this.#init.onRelayed(bound.pipe);
        this.#resume(bound);
      }
      return;
    }
    if (path.type === 'relayed') {
      this.#rest(bound, path);
      if (result === 'link-lost') this.#init.paths.failed(bound.pipe.remotePeer, bound.pipe.group, path, reason);
    }
    if (result === 'later') return this.#later(bound);
    if (result === 'link-lost') return this.#resume(bound);
    // The path that it has still serves.
    if (!bound.suspended) return;
    // The word of one relay, which may lie, does not end a pipe that can be asked for elsewhere.
    if (path.type === 'relayed' && this.#choose(bound, true) !== undefined) return this.#resume(bound);
    bound.pipe.fail(result);
  }

  /** Without `mayRest` also a relay that rests: of these the one that has done so for longest. */
  #choose({ pipe, resting }: Bound, mayRest: boolean): RoutedPath | undefined {
    const { paths, clock } = this.#init;
    const untilMs = (path: RoutedPath): number => resting.get(pathKey(path)) ?? -Infinity;
    let awakeMs = clock.monotonicMs();
    if (!mayRest) {
      const linked = paths.relayed(pipe.remotePeer, pipe.group).filter(({ via }) => paths.isLinked(via));
      awakeMs = Math.max(awakeMs, Math.min(...linked.map(untilMs)));
    }
    return paths.linked(pipe.remotePeer, pipe.group, {
      // Whoever forwards must not be able to read.
      allowed: pipe.session !== undefined,
      resting: (_, path) => untilMs(path) > awakeMs,
    });
  }

  #rest(bound: Bound, path: RoutedPath): void {
    const now = this.#init.clock.monotonicMs();
    for (const [other, untilMs] of bound.resting) if (untilMs <= now) bound.resting.delete(other);
    bound.resting.delete(pathKey(path));
    bound.resting.set(pathKey(path), now + RELAY_REST_MS);
    for (const eldest of bound.resting.keys()) {
      if (bound.resting.size <= MAX_RESTING) break;
      bound.resting.delete(eldest);
    }
  }

  /** Its link is a new one: ways that begin with it may be tried again. */
  #awaken({ resting }: Bound, relay: PeerId): void {
    for (const key of resting.keys()) if (key === relay || key.startsWith(`${relay} `)) resting.delete(key);
  }

  #abandon(bound: Bound): void {
    bound.attempt?.timer?.cancel();
    bound.attempt?.attempt.abandon();
    bound.attempt = undefined;
  }

  #later(bound: Bound): void {
    bound.timer?.cancel();
    bound.timer = this.#init.clock.setTimer(RESUME_AGAIN_MS, () => this.#resume(bound, false));
  }

  /** The peer itself always, and relays while it is not reached without. */
  #want(bound: Bound): void {
    const { pipe, wants } = bound;
    const peers = new Set([this.#init.paths.direct(pipe.remotePeer).via]);
    if (pipe.session !== undefined && (bound.suspended || bound.path.type === 'relayed')) {
      const relays = this.#init.paths.relays(pipe.remotePeer, pipe.group);
      for (const relay of relays.slice(0, MAX_RELAYS_PER_PEER)) peers.add(relay);
    }
    const released = [...wants].filter(([peer]) => !peers.has(peer));
    for (const peer of peers) if (!wants.has(peer)) wants.set(peer, this.#wantLink(peer));
    for (const [peer, { release }] of released) {
      wants.delete(peer);
      release();
    }
  }

  /** Holding the want keeps the endpoint dialling; without room for it the pipe still resumes over links that come. */
  #wantLink(peer: PeerId): { release(): void } {
    try {
      return this.#init.endpoint.want(peer);
    } catch {
      return { release: () => {} };
    }
  }
}
