import { nodeCrypto, seededRandom, type VirtualClock } from '@pipevine/transports';
import { abortable } from '../../endpoint/abortable.ts';
import { PipevineError } from '../../error/pipevine-error.ts';
import { checkAccess } from '../../group/access.ts';
import type { Credential } from '../../group/group-access.ts';
import { type GroupId, groupIdFromBytes } from '../../id/group-id.ts';
import { type Identity, identityFromSeed } from '../../id/identity.ts';
import type { PeerId } from '../../id/peer-id.ts';
import type { WaitOptions } from '../../pipe/pipe.ts';
import type {
  GroupNeighbour,
  HandlerOptions,
  NeighbourEvents,
  PropagateOptions,
  ReachingResolver,
  ResolverAnswer,
  ResolverContext,
  ResolverHandler,
} from '../resolver.ts';

export interface FakePeerInit {
  /** Default: `member`. */
  readonly roles?: readonly string[];
  readonly capabilities?: readonly string[];
  /** Default: derived from the name. */
  readonly identity?: Identity;
  /** Instead of one made up of `roles`, for tests that verify credentials. */
  readonly credential?: Credential;
}

/**
 * Resolvers of one group whose messages are calls within the process, `delayMs` of virtual time under way each: for tests
 * of what rides on a resolver. Nothing is signed, encoded or limited; access is checked as the real one does.
 */
export class FakeResolvers {
  readonly clock: VirtualClock;
  readonly group: GroupId;
  readonly delayMs: number;
  readonly peers = new Map<PeerId, FakeResolver>();

  constructor(clock: VirtualClock, init: { readonly group?: GroupId; readonly delayMs?: number } = {}) {
    this.clock = clock;
    this.group = init.group ?? groupIdFromBytes(nodeCrypto.signingKey(seededRandom('fake group').bytes(32)).publicKey);
    this.delayMs = init.delayMs ?? 1;
  }

  peer(name: string, init: FakePeerInit = {}): FakeResolver {
    const identity = init.identity ?? identityFromSeed(nodeCrypto, seededRandom(`fake ${name}`).bytes(32));
    const credential = init.credential ?? {
      group: this.group,
      subject: identity.id,
      roles: init.roles ?? ['member'],
      capabilities: init.capabilities ?? [],
      notBeforeMs: 0,
      notAfterMs: Number.MAX_SAFE_INTEGER,
      serial: `serial of ${name}`,
      version: 0,
      encoded: new TextEncoder().encode(`credential of ${name}`),
    };
    const peer = new FakeResolver(this, name, identity, credential);
    this.peers.set(identity.id, peer);
    return peer;
  }

  /** Each becomes the other's neighbour, at once. Idempotent. */
  link(a: FakeResolver, b: FakeResolver): void {
    a.links.add(b);
    b.links.add(a);
    a.open(b);
    b.open(a);
  }

  /** Takes the link away: what is under way between the two fails with `unreachable`. Idempotent. */
  unlink(a: FakeResolver, b: FakeResolver): void {
    a.links.delete(b);
    b.links.delete(a);
    a.lose(b.localPeer, new PipevineError('unreachable', 'The link broke.'));
    b.lose(a.localPeer, new PipevineError('unreachable', 'The link broke.'));
  }

  /** The peer is gone, as by a power cut: no links, and nobody can connect to it. */
  stop(peer: FakeResolver): void {
    this.peers.delete(peer.localPeer);
    for (const other of [...peer.links]) this.unlink(peer, other);
  }

  /** Resolves after `delayMs` (default: that of one message) of virtual time. */
  wait(delayMs: number = this.delayMs): Promise<void> {
    return new Promise((resolve) => this.clock.setTimer(delayMs, resolve));
  }
}

/** The resolver of one peer. What tests look at besides: `requests`, `distrusted`, `identity`, `credential`. */
export class FakeResolver implements ReachingResolver {
  readonly name: string;
  readonly identity: Identity;
  readonly localPeer: PeerId;
  readonly group: GroupId;
  /** What others see of this peer; a test may give it another. */
  credential: Credential;
  readonly links = new Set<FakeResolver>();
  /** Queries that came in, by handler: directed ones and propagated ones. */
  readonly requests = new Map<string, number>();
  readonly distrusted: PeerId[] = [];
  readonly #network: FakeResolvers;
  readonly #handlers = new Map<string, HandlerOptions & { readonly handler: ResolverHandler }>();
  readonly #neighbours = new Map<PeerId, FakeNeighbour>();
  readonly #listeners = new Set<NeighbourEvents>();
  #hops: (neighbours: readonly GroupNeighbour[]) => readonly GroupNeighbour[] = (all) => all;

  constructor(network: FakeResolvers, name: string, identity: Identity, credential: Credential) {
    this.#network = network;
    this.name = name;
    this.identity = identity;
    this.localPeer = identity.id;
    this.group = network.group;
    this.credential = credential;
  }

  handle(name: string, handler: ResolverHandler, options: HandlerOptions = {}): { close(): void } {
    if (this.#handlers.has(name)) throw new PipevineError('busy', `The handler ${name} is there already.`);
    const handled = { ...options, handler };
    this.#handlers.set(name, handled);
    return {
      close: () => {
        if (this.#handlers.get(name) === handled) this.#handlers.delete(name);
      },
    };
  }

  neighbours(): readonly GroupNeighbour[] {
    return [...this.#neighbours.values()];
  }

  neighbour(peer: PeerId): GroupNeighbour | undefined {
    return this.#neighbours.get(peer);
  }

  async settled(): Promise<void> {
    // Links open at once here.
  }

  /** Links the two after one message's delay, if the other is there. */
  async connect(peer: PeerId, options?: WaitOptions): Promise<GroupNeighbour> {
    const open = this.#neighbours.get(peer);
    if (open !== undefined) return open;
    const { clock } = this.#network;
    await abortable(this.#network.wait(), clock, { timeoutMs: 10_000, ...options }, 'a link');
    const other = this.#network.peers.get(peer);
    if (other === undefined) throw new PipevineError('unreachable', 'Nobody answers there.');
    this.#network.link(this, other);
    const neighbour = this.#neighbours.get(peer);
    if (neighbour === undefined) throw new PipevineError('refused', 'It is left alone for a while.');
    return neighbour;
  }

  /** As `connect`: there are no relays here. */
  reach(peer: PeerId, options?: WaitOptions): Promise<GroupNeighbour> {
    return this.connect(peer, options);
  }

  subscribe(events: NeighbourEvents): { unsubscribe(): void } {
    this.#listeners.add(events);
    return { unsubscribe: () => this.#listeners.delete(events) };
  }

  distrust(peer: PeerId): void {
    this.distrusted.push(peer);
    this.lose(peer, undefined);
  }

  async *query(handler: string, body: Uint8Array, options: PropagateOptions = {}): AsyncGenerator<ResolverAnswer> {
    const { clock } = this.#network;
    const { timeoutMs = 2_000, signal } = options;
    const abort = new AbortController();
    const end = () => abort.abort();
    const deadline = clock.setTimer(timeoutMs, end);
    signal?.addEventListener('abort', end);
    if (signal?.aborted) end();
    const answers: ResolverAnswer[] = [];
    let wake = () => {};
    let running = true;
    abort.signal.addEventListener('abort', () => wake());
    const flood = this.#flood(handler, body, options.ttlHops ?? 3, abort.signal, (answer) => {
      answers.push(answer);
      wake();
    });
    void flood.done.then(() => {
      running = false;
      wake();
    });
    try {
      while (!abort.signal.aborted) {
        const answer = answers.shift();
        if (answer !== undefined) yield answer;
        else if (!running) break;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
      if (signal?.aborted) throw new PipevineError('aborted', 'The query was aborted by the caller.');
    } finally {
      deadline.cancel();
      signal?.removeEventListener('abort', end);
      end();
    }
  }

  async propagate(handler: string, body: Uint8Array, options: PropagateOptions = {}): Promise<number> {
    const flood = this.#flood(handler, body, options.ttlHops ?? 3, new AbortController().signal, undefined);
    await this.#network.wait();
    return flood.taken;
  }

  setHops(next: (neighbours: readonly GroupNeighbour[]) => readonly GroupNeighbour[]): void {
    this.#hops = next;
  }

  /** Called by the network. */
  open(other: FakeResolver): void {
    if (this.#neighbours.has(other.localPeer) || this.distrusted.includes(other.localPeer)) return;
    const neighbour = new FakeNeighbour(this.#network, this, other);
    this.#neighbours.set(other.localPeer, neighbour);
    for (const { onOpen } of [...this.#listeners]) onOpen(neighbour);
  }

  /** Called by the network. */
  lose(peer: PeerId, error: PipevineError | undefined): void {
    const neighbour = this.#neighbours.get(peer);
    if (neighbour === undefined) return;
    this.#neighbours.delete(peer);
    neighbour.break(error);
    for (const { onClosed } of [...this.#listeners]) onClosed(neighbour);
  }

  /** Calls a handler as for a query from `asker`. Throws what it throws. */
  call(handler: string, body: Uint8Array, asker: FakeResolver, propagated: boolean, signal: AbortSignal) {
    this.requests.set(handler, (this.requests.get(handler) ?? 0) + 1);
    const handled = this.#handlers.get(handler);
    if (handled === undefined) throw new PipevineError('not-found', `There is no handler ${handler} here.`);
    const { localPeer, group } = this;
    const { localPeer: remotePeer, credential } = asker;
    const context: ResolverContext = { group, localPeer, remotePeer, credential, propagated, signal };
    return handled.handler(body.slice(), context);
  }

  nextHops(handler: string): FakeResolver[] {
    const { hops } = this.#handlers.get(handler) ?? {};
    const chosen = this.#hops(this.neighbours());
    return (hops?.(chosen) ?? chosen).flatMap(({ peer }) => this.#network.peers.get(peer) ?? []);
  }

  has(handler: string): boolean {
    return this.#handlers.has(handler);
  }

  #flood(
    handler: string,
    body: Uint8Array,
    ttlHops: number,
    signal: AbortSignal,
    onAnswer: ((answer: ResolverAnswer) => void) | undefined,
  ) {
    const seen = new Set<FakeResolver>([this]);
    const flood = { taken: 0, done: Promise.resolve() };
    const answer = async (peer: FakeResolver, hops: number): Promise<void> => {
      try {
        const given = peer.call(handler, body, this, true, signal);
        if (!(Symbol.asyncIterator in given)) {
          const one = await given;
          await this.#network.wait(hops * this.#network.delayMs);
          if (!signal.aborted) onAnswer?.({ from: peer.localPeer, body: one });
          return;
        }
        for await (const one of given) {
          await this.#network.wait(hops * this.#network.delayMs);
          if (signal.aborted) return;
          onAnswer?.({ from: peer.localPeer, body: one });
        }
      } catch (error) {
        if (!(error instanceof PipevineError)) throw error;
      }
    };
    const pass = async (from: FakeResolver, hops: number): Promise<void> => {
      const next = from.nextHops(handler);
      await this.#network.wait();
      if (signal.aborted) return;
      const work: Promise<void>[] = [];
      for (const peer of next) {
        if (seen.has(peer) || !peer.links.has(from)) continue;
        seen.add(peer);
        try {
          checkAccess(onAnswer ? 'resolver.query' : 'resolver.propagate', this.localPeer, this.credential);
        } catch {
          continue;
        }
        if (hops === 1) flood.taken++;
        if (peer.has(handler)) work.push(answer(peer, hops));
        if (hops < ttlHops) work.push(pass(peer, hops + 1));
      }
      await Promise.all(work);
    };
    flood.done = pass(this, 1);
    return flood;
  }
}

class FakeNeighbour implements GroupNeighbour {
  readonly peer: PeerId;
  readonly closed: Promise<PipevineError | undefined>;
  readonly #network: FakeResolvers;
  readonly #from: FakeResolver;
  readonly #to: FakeResolver;
  readonly #broken = new AbortController();
  #error: PipevineError | undefined;
  #settle: (error: PipevineError | undefined) => void = () => undefined;

  constructor(network: FakeResolvers, from: FakeResolver, to: FakeResolver) {
    this.#network = network;
    this.#from = from;
    this.#to = to;
    this.peer = to.localPeer;
    this.closed = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  get credential(): Credential {
    return this.#to.credential;
  }

  async request(handler: string, body: Uint8Array, options: WaitOptions = {}): Promise<Uint8Array> {
    const call = this.#begin(options);
    try {
      await call.over(this.#network.wait());
      const answer = this.#to.call(handler, body, this.#from, false, call.signal);
      if (Symbol.asyncIterator in answer) throw new PipevineError('protocol', 'The reply is a sequence.');
      const reply = await call.over(answer);
      await call.over(this.#network.wait());
      return reply;
    } finally {
      call.end();
    }
  }

  async *stream(handler: string, body: Uint8Array, options: WaitOptions = {}): AsyncGenerator<Uint8Array> {
    const call = this.#begin(options);
    try {
      await call.over(this.#network.wait());
      const answer = this.#to.call(handler, body, this.#from, false, call.signal);
      if (!(Symbol.asyncIterator in answer)) throw new PipevineError('protocol', 'The reply is not a sequence.');
      const iterator = answer[Symbol.asyncIterator]();
      for (;;) {
        const next = await call.over(iterator.next());
        await call.over(this.#network.wait());
        call.started();
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      call.end();
    }
  }

  break(error: PipevineError | undefined): void {
    this.#error = error ?? new PipevineError('closed', 'The pipe is closed.');
    this.#broken.abort();
    this.#settle(error);
  }

  /** One call: ends by its deadline, its caller's signal, or the end of the pipe; the handler's signal is then aborted. */
  #begin({ signal, timeoutMs = 10_000 }: WaitOptions) {
    const handlerAbort = new AbortController();
    let fail: (error: PipevineError) => void = () => undefined;
    const failed = new Promise<never>((_, reject) => {
      fail = (error) => {
        handlerAbort.abort();
        reject(error);
      };
    });
    failed.catch(() => undefined);
    const onBroken = () => fail(this.#error ?? new PipevineError('closed', 'The pipe is closed.'));
    const onAbort = () => fail(new PipevineError('aborted', 'The request was aborted by the caller.'));
    this.#broken.signal.addEventListener('abort', onBroken);
    signal?.addEventListener('abort', onAbort);
    if (this.#broken.signal.aborted) onBroken();
    if (signal?.aborted) onAbort();
    const timer = Number.isFinite(timeoutMs)
      ? this.#network.clock.setTimer(timeoutMs, () => fail(new PipevineError('timeout', 'No reply came in time.')))
      : undefined;
    return {
      signal: handlerAbort.signal,
      over: <T>(promise: Promise<T>): Promise<T> => Promise.race([promise, failed]),
      started: () => timer?.cancel(),
      end: () => {
        timer?.cancel();
        this.#broken.signal.removeEventListener('abort', onBroken);
        signal?.removeEventListener('abort', onAbort);
        handlerAbort.abort();
      },
    };
  }
}
