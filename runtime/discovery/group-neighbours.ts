import type { Endpoint } from '../endpoint/endpoint.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { PipeService, RequestPipe } from '../pipe/pipe.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import {
  DISCOVERY_SERVICE,
  MAX_ASKED_NEIGHBOURS,
  MAX_NEIGHBOUR_RETRY_MS,
  NEIGHBOUR_RETRY_MS,
  NEIGHBOUR_TIMEOUT_MS,
  STRANGER_REST_MS,
} from './discovery-defaults.ts';

export interface GroupNeighboursInit {
  readonly group: GroupId;
  readonly endpoint: Pick<Endpoint, 'links' | 'linkTo' | 'subscribe'>;
  readonly pipes: Pick<PipeService, 'requester'>;
  readonly clock: Clock;
  readonly random: Random;
  /** A neighbour proved to be a member and can be asked: at first, and each time its pipe is opened anew. */
  readonly onOpen: (neighbour: OpenNeighbour) => void;
}

export interface OpenNeighbour {
  readonly peer: PeerId;
  readonly pipe: RequestPipe;
}

interface Neighbour {
  readonly peer: PeerId;
  /** Settles when the attempt under way is over, either way. */
  attempt: Promise<void> | undefined;
  open: OpenNeighbour | undefined;
  retry: Timer | undefined;
  delayMs: number;
  /** Not asked before this monotonic time: it said that it is no member, or sent what does not verify. */
  restUntilMs: number;
}

/** The neighbours that are members of one group, each with an open pipe to its discovery service. */
export class GroupNeighbours {
  readonly #init: GroupNeighboursInit;
  readonly #neighbours = new Map<PeerId, Neighbour>();
  readonly #subscription: { unsubscribe(): void };
  #ignored = 0;
  #closed = false;

  constructor(init: GroupNeighboursInit) {
    this.#init = init;
    this.#subscription = init.endpoint.subscribe({
      onLinkUp: ({ remotePeer }) => this.#linkUp(remotePeer),
      onLinkDown: ({ remotePeer }) => this.#linkDown(remotePeer),
    });
  }

  /** Begins with the links that are up already. */
  start(): void {
    for (const { remotePeer } of this.#init.endpoint.links()) this.#linkUp(remotePeer);
  }

  /** Those that can be asked now. */
  open(): OpenNeighbour[] {
    return [...this.#neighbours.values()].flatMap(({ open }) => open ?? []);
  }

  /** Resolves when no first attempt at a linked neighbour is under way any more. */
  async settled(): Promise<void> {
    await Promise.all([...this.#neighbours.values()].map(({ attempt }) => attempt));
  }

  /** It sent what does not verify: leave it alone for a while. */
  distrust(peer: PeerId): void {
    const neighbour = this.#neighbours.get(peer);
    if (neighbour === undefined) return;
    neighbour.restUntilMs = this.#init.clock.monotonicMs() + STRANGER_REST_MS;
    void neighbour.open?.pipe.close();
  }

  get used(): number {
    return this.#neighbours.size;
  }

  /** Neighbours that were not asked because too many are. */
  get ignored(): number {
    return this.#ignored;
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#subscription.unsubscribe();
    const neighbours = [...this.#neighbours.values()];
    this.#neighbours.clear();
    await Promise.all(
      neighbours.map((neighbour) => {
        neighbour.retry?.cancel();
        return neighbour.open?.pipe.close();
      }),
    );
  }

  #linkUp(peer: PeerId): void {
    if (this.#closed) return;
    let neighbour = this.#neighbours.get(peer);
    if (neighbour === undefined) {
      if (this.#neighbours.size >= MAX_ASKED_NEIGHBOURS) {
        this.#ignored++;
        return;
      }
      neighbour = {
        peer,
        attempt: undefined,
        open: undefined,
        retry: undefined,
        delayMs: NEIGHBOUR_RETRY_MS,
        restUntilMs: 0,
      };
      this.#neighbours.set(peer, neighbour);
    }
    neighbour.delayMs = NEIGHBOUR_RETRY_MS;
    this.#tryNow(neighbour);
  }

  #linkDown(peer: PeerId): void {
    const neighbour = this.#neighbours.get(peer);
    // Its pipe survives a change of link; when it does not, it is forgotten as it closes.
    if (neighbour?.open !== undefined || neighbour === undefined || neighbour.attempt !== undefined) return;
    neighbour.retry?.cancel();
    this.#neighbours.delete(peer);
  }

  #tryNow(neighbour: Neighbour): void {
    neighbour.retry?.cancel();
    neighbour.retry = undefined;
    if (this.#closed || neighbour.open !== undefined || neighbour.attempt !== undefined) return;
    const restMs = neighbour.restUntilMs - this.#init.clock.monotonicMs();
    if (restMs > 0) this.#tryAfter(neighbour, restMs);
    else neighbour.attempt = this.#try(neighbour);
  }

  #tryAfter(neighbour: Neighbour, delayMs: number): void {
    neighbour.retry?.cancel();
    neighbour.retry = this.#init.clock.setTimer(delayMs, () => this.#tryNow(neighbour));
  }

  async #try(neighbour: Neighbour): Promise<void> {
    const { peer } = neighbour;
    try {
      const pipe = await this.#init.pipes.requester({
        peer,
        group: this.#init.group,
        name: DISCOVERY_SERVICE,
        timeoutMs: NEIGHBOUR_TIMEOUT_MS,
      });
      neighbour.attempt = undefined;
      if (this.#neighbours.get(peer) !== neighbour) return void pipe.close();
      neighbour.delayMs = NEIGHBOUR_RETRY_MS;
      neighbour.open = { peer, pipe };
      void pipe.closed.then(() => this.#lost(neighbour));
      this.#init.onOpen(neighbour.open);
    } catch (error) {
      neighbour.attempt = undefined;
      if (!(error instanceof PipevineError)) throw error;
      const isStranger = ['refused', 'revoked', 'expired', 'not-found'].includes(error.code);
      if (isStranger) neighbour.restUntilMs = this.#init.clock.monotonicMs() + STRANGER_REST_MS;
      this.#lost(neighbour);
    }
  }

  #lost(neighbour: Neighbour): void {
    neighbour.open = undefined;
    if (this.#neighbours.get(neighbour.peer) !== neighbour) return;
    if (this.#init.endpoint.linkTo(neighbour.peer) === undefined) {
      this.#neighbours.delete(neighbour.peer);
      return;
    }
    const { clock, random } = this.#init;
    const restMs = Math.max(0, neighbour.restUntilMs - clock.monotonicMs());
    this.#tryAfter(neighbour, restMs + neighbour.delayMs * (0.5 + 0.5 * random.fraction()));
    neighbour.delayMs = Math.min(2 * neighbour.delayMs, MAX_NEIGHBOUR_RETRY_MS);
  }
}
