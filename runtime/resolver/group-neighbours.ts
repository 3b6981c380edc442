import { LruCache } from '../bound/lru-cache.ts';
import { abortable } from '../endpoint/abortable.ts';
import type { Endpoint } from '../endpoint/endpoint.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { Credential } from '../group/group-access.ts';
import type { GroupId } from '../id/group-id.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import type { PipeService, RequestPipe, WaitOptions } from '../pipe/pipe.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import type { GroupNeighbour, NeighbourEvents } from './resolver.ts';
import { encodeRequest } from './resolver-codec.ts';
import {
  CLOSE_TIMEOUT_MS,
  LINK_GRACE_MS,
  MAX_NEIGHBOUR_RETRY_MS,
  MAX_RESTING,
  NEIGHBOUR_RETRY_MS,
  NEIGHBOUR_TIMEOUT_MS,
  RESOLVER_SERVICE,
  STRANGER_REST_MS,
} from './resolver-defaults.ts';

export interface GroupNeighboursInit {
  readonly group: GroupId;
  readonly endpoint: Pick<Endpoint, 'links' | 'linkTo' | 'subscribe' | 'connect'>;
  readonly pipes: Pick<PipeService, 'requester'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly maxNeighbours: number;
}

/** A neighbour whose pipe is open. */
export class OpenNeighbour implements GroupNeighbour {
  readonly pipe: RequestPipe;

  constructor(pipe: RequestPipe) {
    this.pipe = pipe;
  }

  get peer(): PeerId {
    return this.pipe.remotePeer;
  }

  get credential(): Credential {
    const { credential } = this.pipe;
    // GroupNeighbours opens none without one.
    if (credential === undefined) throw new PipevineError('internal', 'A neighbour without a credential.');
    return credential;
  }

  get closed(): Promise<PipevineError | undefined> {
    return this.pipe.closed;
  }

  request(handler: string, body: Uint8Array, options?: WaitOptions): Promise<Uint8Array> {
    return this.pipe.request(encodeRequest({ type: 'directed', handler, body }), options);
  }

  stream(handler: string, body: Uint8Array, options?: WaitOptions): AsyncIterable<Uint8Array> {
    return this.pipe.stream(encodeRequest({ type: 'directed', handler, body }), options);
  }
}

interface Neighbour {
  readonly peer: PeerId;
  /** Settles when the attempt under way is over, either way. */
  attempt: Promise<void> | undefined;
  open: OpenNeighbour | undefined;
  /** Why the last attempt failed. */
  error: PipevineError | undefined;
  retry: Timer | undefined;
  delayMs: number;
  /** When it was last asked again at once because it had shown that it is a member. */
  metMs: number;
  /** Not asked before this monotonic time: it said that it is no member, or sent what does not verify. */
  restUntilMs: number;
}

/** The neighbours that are members of one group, each with an open pipe to its resolver. */
export class GroupNeighbours {
  readonly #init: GroupNeighboursInit;
  readonly #neighbours = new Map<PeerId, Neighbour>();
  readonly #listeners = new Set<NeighbourEvents>();
  /** Until when liars that are gone are left alone. */
  readonly #resting = new LruCache<number>(MAX_RESTING);
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

  find(peer: PeerId): OpenNeighbour | undefined {
    return this.#neighbours.get(peer)?.open;
  }

  /** Resolves when no first attempt at a linked neighbour is under way any more. */
  async settled(): Promise<void> {
    await Promise.all([...this.#neighbours.values()].map(({ attempt }) => attempt));
  }

  /** Links and opens the neighbour if need be; default deadline 10 s. */
  async connect(peer: PeerId, options: WaitOptions = {}): Promise<OpenNeighbour> {
    const { endpoint, clock } = this.#init;
    const { timeoutMs = NEIGHBOUR_TIMEOUT_MS } = options;
    const untilMs = clock.monotonicMs() + timeoutMs;
    if (this.find(peer) === undefined) {
      await endpoint.connect(peer, { ...options, timeoutMs });
      this.#linkUp(peer);
    }
    const neighbour = this.#neighbours.get(peer);
    if (neighbour?.attempt !== undefined) {
      const rest = { ...options, timeoutMs: Math.max(0, untilMs - clock.monotonicMs()) };
      await abortable(neighbour.attempt, clock, rest, `the resolver of peer ${shortPeerId(peer)}`);
    }
    if (neighbour?.open !== undefined) return neighbour.open;
    if (this.#closed) throw new PipevineError('closed', 'The group was closed.');
    if (neighbour === undefined) throw new PipevineError('overloaded', 'This peer has as many neighbours as it may.');
    throw (
      neighbour.error ??
      new PipevineError('refused', `Peer ${shortPeerId(peer)} sent what does not verify; it is left alone for a while.`)
    );
  }

  subscribe(events: NeighbourEvents): { unsubscribe(): void } {
    this.#listeners.add(events);
    return { unsubscribe: () => this.#listeners.delete(events) };
  }

  /** It sent what does not verify: leave it alone for a while. */
  distrust(peer: PeerId): void {
    const neighbour = this.#neighbours.get(peer);
    if (neighbour === undefined) return;
    neighbour.restUntilMs = this.#init.clock.monotonicMs() + STRANGER_REST_MS;
    neighbour.error = undefined;
    // At once: nothing more is asked of it while the pipe is still closing.
    this.#lost(neighbour);
  }

  /** It has shown that it is a member: had it said no before, it may have joined since, and is asked at once, or later if that was in vain. */
  met(peer: PeerId): void {
    const neighbour = this.#neighbours.get(peer);
    if (neighbour?.error === undefined || !this.isResting(peer)) return;
    const now = this.#init.clock.monotonicMs();
    const isNews = now - neighbour.metMs >= STRANGER_REST_MS;
    if (isNews) neighbour.metMs = now;
    neighbour.restUntilMs = 0;
    this.#tryAfter(neighbour, isNews ? 0 : neighbour.delayMs);
  }

  /** Whether it is left alone now. */
  isResting(peer: PeerId): boolean {
    const neighbour = this.#neighbours.get(peer);
    return neighbour !== undefined && this.#isLeftAlone(neighbour);
  }

  #isLeftAlone({ restUntilMs }: Neighbour): boolean {
    return restUntilMs > this.#init.clock.monotonicMs();
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
        // One that was killed acknowledges nothing any more.
        const closing = neighbour.open?.pipe.close({ timeoutMs: CLOSE_TIMEOUT_MS });
        this.#lost(neighbour);
        return closing;
      }),
    );
  }

  #linkUp(peer: PeerId): void {
    if (this.#closed) return;
    let neighbour = this.#neighbours.get(peer);
    if (neighbour === undefined) {
      if (this.#neighbours.size >= this.#init.maxNeighbours) {
        this.#ignored++;
        return;
      }
      neighbour = {
        peer,
        attempt: undefined,
        open: undefined,
        error: undefined,
        retry: undefined,
        delayMs: NEIGHBOUR_RETRY_MS,
        metMs: -Infinity,
        restUntilMs: this.#resting.get(peer) ?? 0,
      };
      this.#neighbours.set(peer, neighbour);
    }
    neighbour.delayMs = NEIGHBOUR_RETRY_MS;
    this.#tryNow(neighbour);
  }

  #linkDown(peer: PeerId): void {
    const neighbour = this.#neighbours.get(peer);
    if (neighbour === undefined || neighbour.attempt !== undefined) return;
    if (neighbour.open === undefined) return this.#forget(neighbour);
    // A pipe waits for another link much longer than a search or a lease can wait for an answer.
    neighbour.retry?.cancel();
    neighbour.retry = this.#init.clock.setTimer(LINK_GRACE_MS, () => {
      if (this.#init.endpoint.linkTo(peer) === undefined) this.#lost(neighbour);
    });
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
        name: RESOLVER_SERVICE,
        timeoutMs: NEIGHBOUR_TIMEOUT_MS,
      });
      neighbour.attempt = undefined;
      // Distrusted meanwhile, perhaps.
      if (this.#neighbours.get(peer) !== neighbour || pipe.credential === undefined || this.isResting(peer)) {
        void pipe.close();
        return this.#lost(neighbour);
      }
      neighbour.delayMs = NEIGHBOUR_RETRY_MS;
      const open = new OpenNeighbour(pipe);
      neighbour.open = open;
      neighbour.error = undefined;
      void pipe.closed.then(() => {
        if (neighbour.open === open) this.#lost(neighbour);
      });
      for (const { onOpen } of [...this.#listeners]) onOpen(open);
    } catch (error) {
      neighbour.attempt = undefined;
      if (!(error instanceof PipevineError)) throw error;
      neighbour.error = error;
      const isStranger = ['refused', 'revoked', 'expired', 'not-found'].includes(error.code);
      if (isStranger) neighbour.restUntilMs = this.#init.clock.monotonicMs() + STRANGER_REST_MS;
      this.#lost(neighbour);
    }
  }

  #lost(neighbour: Neighbour): void {
    const { open, peer } = neighbour;
    neighbour.open = undefined;
    if (open !== undefined) {
      void open.pipe.close();
      for (const { onClosed } of [...this.#listeners]) onClosed(open);
    }
    if (this.#neighbours.get(peer) !== neighbour || neighbour.attempt !== undefined) return;
    const { clock, random, endpoint } = this.#init;
    if (endpoint.linkTo(peer) === undefined) return this.#forget(neighbour);
    const restMs = Math.max(0, neighbour.restUntilMs - clock.monotonicMs());
    this.#tryAfter(neighbour, restMs + neighbour.delayMs * (0.5 + 0.5 * random.fraction()));
    neighbour.delayMs = Math.min(2 * neighbour.delayMs, MAX_NEIGHBOUR_RETRY_MS);
  }

  #forget(neighbour: Neighbour): void {
    neighbour.retry?.cancel();
    this.#neighbours.delete(neighbour.peer);
    // A new link makes no liar trustworthy; a stranger may have joined meanwhile.
    if (neighbour.error === undefined && this.#isLeftAlone(neighbour))
      this.#resting.set(neighbour.peer, neighbour.restUntilMs, 1);
    if (this.#neighbours.size !== this.#init.maxNeighbours - 1) return;
    // There is room for one that had to be ignored.
    const ignored = this.#init.endpoint.links().find(({ remotePeer }) => !this.#neighbours.has(remotePeer));
    if (ignored !== undefined) this.#linkUp(ignored.remotePeer);
  }
}
