import type { Endpoint } from '../endpoint/endpoint.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { GroupDirectory } from '../group/group-access.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Link } from '../link/link.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { BindParameters } from '../wire/frame.ts';
import type { LinkPort } from './link-port.ts';
import { MAX_RELAYS_PER_PEER, RELAY_BIND_TIMEOUT_MS, RELAY_REST_MS, RESUME_AGAIN_MS } from './pipe-defaults.ts';
import type { PipeEnd } from './pipe-end.ts';
import type { PipePath } from './pipe-path.ts';
import type { PipePaths } from './pipe-paths.ts';
import { ResumeAttempt } from './resume-attempt.ts';

export interface ResumptionInit {
  readonly clock: Clock;
  readonly endpoint: Pick<Endpoint, 'linkTo' | 'want'>;
  readonly groups: GroupDirectory;
  readonly paths: PipePaths;
  readonly portOf: (link: Link) => LinkPort | undefined;
}

interface Attempt {
  readonly attempt: ResumeAttempt;
  readonly path: PipePath;
  readonly timer: Timer | undefined;
}

/** What is kept of a pipe that this side has bound, so that it can bind it again. */
interface Bound {
  readonly pipe: PipeEnd;
  readonly parameters: BindParameters;
  /** Neighbours to which the endpoint is to look for a link. */
  readonly wants: Map<PeerId, { release(): void }>;
  /** Relays that failed this pipe, and until when they rest, in monotonic time. At most MAX_RELAYS_PER_PEER and own ones. */
  readonly resting: Map<PeerId, number>;
  /** The neighbour over which it went last, and whether that was a relay. */
  path: PipePath;
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

  constructor(init: ResumptionInit) {
    this.#init = init;
  }

  /** A pipe that this side has bound. */
  add(pipe: PipeEnd, parameters: BindParameters, path: PipePath): void {
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
  }

  delete(pipe: PipeEnd): void {
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
    if (bound === undefined) return;
    bound.suspended = true;
    // The relay is there and says that it cannot, or the pipe has said that it does not.
    if (bound.path.type === 'relayed' && this.#init.endpoint.linkTo(bound.path.via) !== undefined) {
      this.#rest(bound, bound.path.via);
    }
    this.#want(bound);
    this.#resume(bound);
  }

  onLinkUp(link: Link): void {
    for (const bound of [...this.#bound.values()]) {
      if (!bound.suspended && bound.path.type !== 'relayed') continue;
      const peer = bound.pipe.remotePeer;
      const isRelay = this.#init.paths.relays(peer, bound.pipe.group).includes(link.remotePeer);
      if (isRelay) bound.resting.delete(link.remotePeer);
      if (isRelay || link.remotePeer === this.#init.paths.direct(peer).via) this.#resume(bound);
    }
  }

  /** The endpoint has let go of a link: those that went over it may choose another. */
  onLinkDown(): void {
    for (const bound of [...this.#bound.values()]) if (bound.suspended) this.#resume(bound);
  }

  close(): void {
    for (const bound of [...this.#bound.values()]) this.delete(bound.pipe);
  }

  #resume(bound: Bound, mayRest = true): void {
    const { pipe, parameters } = bound;
    if (bound.attempt !== undefined || pipe.ended || !this.#bound.has(pipe)) return;
    const path = this.#choose(bound, mayRest);
    if (path === undefined) {
      // A relay that rests is better than none, but not at once.
      if (bound.suspended && mayRest && this.#choose(bound, false) !== undefined) this.#later(bound);
      return;
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
      credential,
      onEnded: (result) => this.#onEnded(bound, path, result),
    });
    // A link that does not answer is noticed by its keep-alive; a relay that swallows a BIND is not.
    const timer = relayed
      ? this.#init.clock.setTimer(RELAY_BIND_TIMEOUT_MS, () => {
          attempt.abandon();
          this.#onEnded(bound, path, 'link-lost');
        })
      : undefined;
    bound.attempt = { attempt, path, timer };
  }

  #onEnded(bound: Bound, path: PipePath, result: 'bound' | 'link-lost' | 'later' | PipevineError): void {
    bound.attempt?.timer?.cancel();
    bound.attempt = undefined;
    if (!this.#bound.has(bound.pipe)) return;
    if (result === 'bound') {
      bound.suspended = false;
      bound.path = path;
      bound.resting.delete(path.via);
      this.#want(bound);
      // A direct link may have come up meanwhile.
      if (path.type === 'relayed') this.#resume(bound);
      return;
    }
    if (path.type === 'relayed') this.#rest(bound, path.via);
    if (result === 'later') return this.#later(bound);
    if (result === 'link-lost') return this.#resume(bound);
    // The path that it has still serves.
    if (bound.suspended) bound.pipe.fail(result);
  }

  #choose(bound: Bound, mayRest: boolean): PipePath | undefined {
    const { pipe, resting } = bound;
    const now = this.#init.clock.monotonicMs();
    return this.#init.paths.linked(pipe.remotePeer, pipe.group, {
      // Whoever forwards must not be able to read.
      allowed: pipe.session !== undefined,
      resting: (relay) => mayRest && (resting.get(relay) ?? -Infinity) > now,
    });
  }

  #rest(bound: Bound, relay: PeerId): void {
    const now = this.#init.clock.monotonicMs();
    for (const [other, untilMs] of bound.resting) if (untilMs <= now) bound.resting.delete(other);
    bound.resting.set(relay, now + RELAY_REST_MS);
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
