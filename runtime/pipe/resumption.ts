import type { Endpoint } from '../endpoint/endpoint.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { GroupDirectory } from '../group/group-access.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Link } from '../link/link.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { BindParameters } from '../wire/frame.ts';
import type { LinkPort } from './link-port.ts';
import { RESUME_AGAIN_MS } from './pipe-defaults.ts';
import type { PipeEnd } from './pipe-end.ts';
import { ResumeAttempt } from './resume-attempt.ts';

export interface ResumptionInit {
  readonly clock: Clock;
  readonly endpoint: Pick<Endpoint, 'linkTo' | 'want'>;
  readonly groups: GroupDirectory;
  /** The neighbour over which a peer is reached now. */
  readonly hopTo: (peer: PeerId) => PeerId;
  readonly portOf: (link: Link) => LinkPort | undefined;
}

/** What is kept of a pipe that this side has bound, so that it can bind it again. */
interface Bound {
  readonly pipe: PipeEnd;
  readonly parameters: BindParameters;
  hop: PeerId;
  want: { release(): void };
  suspended: boolean;
  attempt: ResumeAttempt | undefined;
  timer: Timer | undefined;
}

/** Binds the pipes of this side again, as soon as there is another link, and has the endpoint look for one meanwhile. */
export class Resumption {
  readonly #init: ResumptionInit;
  readonly #bound = new Map<PipeEnd, Bound>();

  constructor(init: ResumptionInit) {
    this.#init = init;
  }

  /** A pipe that this side has bound. */
  add(pipe: PipeEnd, parameters: BindParameters): void {
    const hop = this.#init.hopTo(pipe.remotePeer);
    const want = this.#want(hop);
    this.#bound.set(pipe, { pipe, parameters, hop, want, suspended: false, attempt: undefined, timer: undefined });
  }

  delete(pipe: PipeEnd): void {
    const bound = this.#bound.get(pipe);
    if (bound === undefined) return;
    this.#bound.delete(pipe);
    bound.timer?.cancel();
    bound.attempt?.abandon();
    bound.want.release();
  }

  onSuspended(pipe: PipeEnd): void {
    const bound = this.#bound.get(pipe);
    if (bound === undefined) return;
    bound.suspended = true;
    const hop = this.#init.hopTo(pipe.remotePeer);
    if (hop !== bound.hop) {
      bound.want.release();
      bound.hop = hop;
      bound.want = this.#want(hop);
    }
    this.#resume(bound);
  }

  onLinkUp(link: Link): void {
    for (const bound of [...this.#bound.values()]) {
      if (!bound.suspended) continue;
      if (link.remotePeer === bound.hop || this.#init.hopTo(bound.pipe.remotePeer) === link.remotePeer) {
        this.#resume(bound);
      }
    }
  }

  close(): void {
    for (const bound of [...this.#bound.values()]) this.delete(bound.pipe);
  }

  #resume(bound: Bound): void {
    const { pipe, parameters } = bound;
    if (bound.attempt !== undefined || !bound.suspended || pipe.ended) return;
    const link = this.#init.endpoint.linkTo(this.#init.hopTo(pipe.remotePeer));
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
    bound.attempt = new ResumeAttempt({
      port,
      clock: this.#init.clock,
      pipe,
      parameters,
      credential,
      onEnded: (result) => {
        bound.attempt = undefined;
        if (result === 'bound') bound.suspended = false;
        else if (result === 'later') this.#later(bound);
        else if (result === 'link-lost') this.#resume(bound);
        else pipe.fail(result);
      },
    });
  }

  #later(bound: Bound): void {
    bound.timer?.cancel();
    bound.timer = this.#init.clock.setTimer(RESUME_AGAIN_MS, () => this.#resume(bound));
  }

  /** Holding the want keeps the endpoint dialling; without room for it the pipe still resumes over links that come. */
  #want(hop: PeerId): { release(): void } {
    try {
      return this.#init.endpoint.want(hop);
    } catch {
      return { release: () => {} };
    }
  }
}
