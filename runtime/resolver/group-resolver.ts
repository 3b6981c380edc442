import { verifyCose } from '../advertisement/cose-sign1.ts';
import { abortable } from '../endpoint/abortable.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { checkAccess } from '../group/access.ts';
import type { Credential, GroupAccess, GroupDirectory } from '../group/group-access.ts';
import { type GroupId, shortGroupId } from '../id/group-id.ts';
import type { Identity } from '../id/identity.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import type { PipeListener, PipeService, RequestContext, WaitOptions } from '../pipe/pipe.ts';
import type { Clock } from '../platform/clock.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import { AnswerCheck, type CheckedAnswer } from './answer-check.ts';
import { Deadline } from './deadline.ts';
import type { DistantMembers } from './distant-members.ts';
import type { GroupNeighbours, OpenNeighbour } from './group-neighbours.ts';
import { mergeStreams } from './merge-streams.ts';
import { type Arrival, PropagationState } from './propagation-state.ts';
import type { QueryAdmission } from './query-admission.ts';
import type {
  GroupNeighbour,
  HandlerOptions,
  NeighbourEvents,
  PropagateOptions,
  ReachingResolver,
  ResolverAnswer,
  ResolverContext,
  ResolverHandler,
} from './resolver.ts';
import {
  decodeMessage,
  decodeRequest,
  encodeRequest,
  MESSAGE,
  MESSAGE_DOMAIN,
  type PropagatedMessage,
  signAnswer,
  signMessage,
} from './resolver-codec.ts';
import {
  MAX_ANSWERS,
  MAX_ANSWERS_OF_RESPONDER,
  MAX_MESSAGE_BYTES,
  MAX_QUERY_TIMEOUT_MS,
  MAX_TTL_HOPS,
  NEIGHBOUR_TIMEOUT_MS,
  PROPAGATE_TIMEOUT_MS,
  QUERY_TIMEOUT_MS,
  RESOLVER_SERVICE,
  TTL_HOPS,
} from './resolver-defaults.ts';
import { untilAborted } from './until-aborted.ts';

export interface OpenGroupResolverInit {
  readonly group: GroupId;
  readonly identity: Identity;
  readonly pipes: Pick<PipeService, 'serve'>;
  readonly groups: GroupDirectory;
  readonly neighbours: GroupNeighbours;
  readonly distant: DistantMembers;
  readonly admission: QueryAdmission;
  readonly counters: ResolverCounters;
  readonly clock: Clock;
  readonly random: Random;
  readonly crypto: Crypto;
}

/** What came by propagation and was not taken. */
export interface ResolverCounters {
  /** Did not verify, or was malformed: the neighbour that sent it is left alone for a while. */
  forged: number;
  /** Messages that came before, by another way: no defect. */
  repeated: number;
  /** Messages and answers of members who may not, or not so many. */
  refused: number;
}

const NOTHING = new Uint8Array(0);

/** The resolver of one group: passes queries to the handlers, and what is propagated to the next hops. */
export class OpenGroupResolver implements ReachingResolver {
  readonly group: GroupId;
  readonly localPeer: PeerId;
  readonly #init: OpenGroupResolverInit;
  readonly #handlers = new Map<string, HandlerOptions & { readonly handler: ResolverHandler }>();
  readonly #state: PropagationState;
  readonly #listener: PipeListener;
  readonly #closing = new AbortController();
  #hops: (neighbours: readonly GroupNeighbour[]) => readonly GroupNeighbour[] = (all) => all;

  constructor(init: OpenGroupResolverInit) {
    this.#init = init;
    this.group = init.group;
    this.localPeer = init.identity.id;
    this.#state = new PropagationState(init.group, init.identity.id);
    const listen = { group: init.group, name: RESOLVER_SERVICE, kinds: ['request'] } as const;
    this.#listener = init.pipes.serve(listen, (body, context) => this.#serve(body, context));
  }

  handle(name: string, handler: ResolverHandler, options: HandlerOptions = {}): { close(): void } {
    if (this.#handlers.has(name)) throw new PipevineError('busy', `The group has a handler "${name}" already.`);
    const handled = { ...options, handler };
    this.#handlers.set(name, handled);
    const close = () => {
      if (this.#handlers.get(name) === handled) this.#handlers.delete(name);
    };
    return { close };
  }

  neighbours(): readonly GroupNeighbour[] {
    return this.#init.neighbours.open();
  }

  neighbour(peer: PeerId): GroupNeighbour | undefined {
    return this.#init.neighbours.find(peer);
  }

  settled(): Promise<void> {
    return this.#init.neighbours.settled();
  }

  connect(peer: PeerId, options?: WaitOptions): Promise<GroupNeighbour> {
    return this.#init.neighbours.connect(peer, options);
  }

  async reach(peer: PeerId, options: WaitOptions = {}): Promise<GroupNeighbour> {
    const { neighbours, distant, clock } = this.#init;
    const known = neighbours.find(peer);
    if (known !== undefined) return known;
    if (neighbours.isResting(peer)) return neighbours.connect(peer, options);
    const { timeoutMs = NEIGHBOUR_TIMEOUT_MS } = options;
    const untilMs = clock.monotonicMs() + timeoutMs;
    const what = `peer ${shortPeerId(peer)}`;
    const member = await abortable(
      distant.open(peer, { ...options, timeoutMs }),
      clock,
      { ...options, timeoutMs },
      what,
    );
    return member ?? neighbours.connect(peer, { ...options, timeoutMs: Math.max(0, untilMs - clock.monotonicMs()) });
  }

  subscribe(events: NeighbourEvents): { unsubscribe(): void } {
    return this.#init.neighbours.subscribe(events);
  }

  distrust(peer: PeerId): void {
    this.#init.neighbours.distrust(peer);
  }

  setHops(next: (neighbours: readonly GroupNeighbour[]) => readonly GroupNeighbour[]): void {
    this.#hops = next;
  }

  async *query(handler: string, body: Uint8Array, options: PropagateOptions = {}): AsyncGenerator<ResolverAnswer> {
    const timeoutMs = Math.min(options.timeoutMs ?? QUERY_TIMEOUT_MS, MAX_QUERY_TIMEOUT_MS);
    const { message, signed, ttlHops } = this.#originate(handler, body, true, timeoutMs, options);
    const until = this.#deadline(timeoutMs, options.signal);
    try {
      // Linked members whose pipe is being opened count as neighbours, too.
      await untilAborted(this.#init.neighbours.settled(), until.signal);
      const answers = this.#ask(message, signed, ttlHops, [this.localPeer], until.signal);
      for await (const { from, body: answer } of mergeStreams(answers, until.signal)) yield { from, body: answer };
      until.end();
    } finally {
      until.abort();
    }
    if (options.signal?.aborted) throw new PipevineError('aborted', 'The query was aborted by the caller.');
  }

  async propagate(handler: string, body: Uint8Array, options: PropagateOptions = {}): Promise<number> {
    const { signed, ttlHops } = this.#originate(handler, body, false, 0, options);
    const { timeoutMs = PROPAGATE_TIMEOUT_MS, signal } = options;
    const until = this.#deadline(timeoutMs, signal);
    try {
      await untilAborted(this.#init.neighbours.settled(), until.signal);
      return await this.#pass(handler, signed, ttlHops, [this.localPeer], { timeoutMs, signal: until.signal });
    } finally {
      until.end();
    }
  }

  /** Bounds, by name. */
  get seen(): { readonly size: number; readonly evicted: number } {
    return this.#state.seen;
  }

  /** Idempotent. Queries under way end. */
  async close(): Promise<void> {
    this.#listener.close();
    this.#closing.abort();
    this.#init.distant.close();
    await this.#init.neighbours.close();
  }

  /** A message of our own, which is now under way. Throws what others would refuse it for. */
  #originate(
    handler: string,
    body: Uint8Array,
    isQuery: boolean,
    timeoutMs: number,
    { ttlHops = TTL_HOPS }: PropagateOptions,
  ) {
    const { identity, random, clock, group } = this.#init;
    if (!Number.isInteger(ttlHops) || ttlHops < 1 || ttlHops > MAX_TTL_HOPS) {
      throw new PipevineError('invalid-argument', `ttlHops must be from 1 to ${MAX_TTL_HOPS}, not ${ttlHops}.`);
    }
    const credential = this.#access().credentialOf(this.localPeer);
    this.#member(this.localPeer, credential, isQuery);
    const id = random.bytes(16);
    const issuedAtMs = clock.wallMs();
    const message = { id, group, handler, isQuery, timeoutMs: Math.ceil(timeoutMs), issuedAtMs, credential, body };
    const signed = signMessage(identity.signing, message);
    if (signed.length > MAX_MESSAGE_BYTES) {
      const most = `${MAX_MESSAGE_BYTES - signed.length + body.length}`;
      throw new PipevineError('too-large', `At most ${most} bytes can be propagated at once, not ${body.length}.`);
    }
    this.#state.take({ ...message, origin: this.localPeer }, clock.monotonicMs());
    return { message, signed, ttlHops };
  }

  #serve(bytes: Uint8Array, context: RequestContext): Promise<Uint8Array> | AsyncIterable<Uint8Array> {
    const { admission, clock, neighbours } = this.#init;
    // Pipes that were bound before stay bound.
    if (this.#closing.signal.aborted) throw new PipevineError('not-found', 'This peer has closed the group.');
    const request = decodeRequest(bytes);
    const release = admission.admit(context.remotePeer, request.type, clock.monotonicMs());
    try {
      const { encoded } = context.credential ?? { encoded: NOTHING };
      const credential = this.#verify(context.remotePeer, encoded);
      neighbours.met(context.remotePeer);
      const given =
        request.type === 'directed'
          ? this.#call(request.handler, request.body, this.#context(context.remotePeer, credential, false, context))
          : this.#onPropagated(request.signed, { ...request, from: context.remotePeer }, context);
      return Symbol.asyncIterator in given ? whileTaken(given, release) : given.finally(release);
    } catch (error) {
      release();
      throw error;
    }
  }

  #call(name: string, body: Uint8Array, context: ResolverContext): Promise<Uint8Array> | AsyncIterable<Uint8Array> {
    const handled = this.#handlers.get(name);
    if (handled === undefined) throw new PipevineError('not-found', `This peer has no handler "${name}" in the group.`);
    return handled.handler(body, context);
  }

  #onPropagated(
    signed: Uint8Array,
    arrival: Arrival,
    context: RequestContext,
  ): Promise<Uint8Array> | AsyncIterable<Uint8Array> {
    const { crypto, clock, neighbours, counters } = this.#init;
    const { from, path, ttlHops } = arrival;
    try {
      // One that sent what does not verify is not worth another signature for a while.
      if (neighbours.isResting(from)) throw new PipevineError('refused', 'This neighbour is left alone for a while.');
      const message = decodeMessage(signed);
      const { origin, isQuery, handler, body } = message;
      if (!this.#state.isNew(message, arrival, clock.wallMs())) {
        counters.repeated++;
        return isQuery ? mergeStreams([], context.signal) : Promise.resolve(NOTHING);
      }
      verifyCose(crypto, MESSAGE_DOMAIN, message.cose, MESSAGE);
      const credential = this.#member(origin, message.credential, isQuery);
      this.#state.take(message, clock.monotonicMs());
      const onward = [...path, this.localPeer];
      if (isQuery) return this.#relay(message, signed, ttlHops - 1, onward, credential, context.signal);
      // Not awaited: who sent it need not wait for the others.
      void this.#pass(handler, signed, ttlHops - 1, onward, { timeoutMs: PROPAGATE_TIMEOUT_MS });
      return this.#tell(handler, body, this.#context(origin, credential, true, context));
    } catch (error) {
      this.#blame(from, error);
      throw error;
    }
  }

  /** Gives a message that wants no answers to its handler, if there is one. */
  async #tell(handler: string, body: Uint8Array, context: ResolverContext): Promise<Uint8Array> {
    if (!this.#handlers.has(handler)) return NOTHING;
    const given = this.#call(handler, body, context);
    for await (const _ of Symbol.asyncIterator in given ? given : [given]) if (context.signal.aborted) break;
    return NOTHING;
  }

  /** Answers a propagated query by our own handler and by the next hops, until it ends or is cancelled. */
  async *#relay(
    message: PropagatedMessage & { readonly origin: PeerId },
    signed: Uint8Array,
    ttlHops: number,
    path: readonly PeerId[],
    credential: Credential,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const until = this.#deadline(message.timeoutMs, signal);
    const context = this.#context(message.origin, credential, true, until);
    try {
      const sources: AsyncIterable<{ readonly encoded: Uint8Array }>[] = [
        ...(this.#handlers.has(message.handler) ? [this.#own(message, context)] : []),
        ...this.#ask(message, signed, ttlHops, path, until.signal),
      ];
      for await (const { encoded } of mergeStreams(sources, until.signal)) yield encoded;
      until.end();
    } finally {
      until.abort();
    }
  }

  /** Our own answers to a propagated query, signed. */
  async *#own(
    { id, handler, body }: PropagatedMessage,
    context: ResolverContext,
  ): AsyncGenerator<{ encoded: Uint8Array }> {
    const given = this.#call(handler, body, context);
    let number = 0;
    for await (const answer of Symbol.asyncIterator in given ? given : [given]) {
      const credential = number === 0 ? this.#access().credentialOf(this.localPeer) : undefined;
      yield { encoded: signAnswer(this.#init.identity.signing, { queryId: id, number, body: answer, credential }) };
      if (++number === MAX_ANSWERS_OF_RESPONDER) return;
    }
  }

  /** Hands a query to each of the next hops: their answers, those that verify. */
  #ask(
    { id, handler }: PropagatedMessage,
    signed: Uint8Array,
    ttlHops: number,
    path: readonly PeerId[],
    signal: AbortSignal,
  ): AsyncIterable<CheckedAnswer>[] {
    if (ttlHops < 1) return [];
    const check = new AnswerCheck(this.#init.crypto, this.#access(), id);
    const request = encodeRequest({ type: 'propagated', ttlHops, path, signed });
    return this.#next(handler, path).map((hop) => this.#answers(hop, request, check, signal));
  }

  async *#answers(
    { peer, pipe }: OpenNeighbour,
    request: Uint8Array,
    check: AnswerCheck,
    signal: AbortSignal,
  ): AsyncGenerator<CheckedAnswer> {
    let left = MAX_ANSWERS;
    for await (const encoded of pipe.stream(request, { signal, timeoutMs: Infinity })) {
      if (check.full || left-- === 0) {
        this.#init.counters.refused++;
        return;
      }
      try {
        const answer = check.take(encoded);
        if (answer !== undefined) yield answer;
      } catch (error) {
        if (this.#blame(peer, error)) return;
      }
    }
  }

  /** Hands a message to each of the next hops; resolves to how many took it. */
  async #pass(
    handler: string,
    signed: Uint8Array,
    ttlHops: number,
    path: readonly PeerId[],
    options: WaitOptions,
  ): Promise<number> {
    if (ttlHops < 1) return 0;
    const request = encodeRequest({ type: 'propagated', ttlHops, path, signed });
    const replies = this.#next(handler, path).map(({ pipe }) => pipe.request(request, options));
    const settled = await Promise.allSettled(replies);
    return settled.filter(({ status }) => status === 'fulfilled').length;
  }

  #next(handler: string, path: readonly PeerId[]): OpenNeighbour[] {
    const fresh = this.#init.neighbours.open().filter(({ peer }) => !path.includes(peer));
    const { hops } = this.#handlers.get(handler) ?? {};
    const chosen = this.#hops(fresh);
    return (hops?.(chosen) ?? chosen).flatMap(({ peer }) => this.#init.neighbours.find(peer) ?? []);
  }

  /** Counts what was not taken; true when the neighbour that sent it should have known, and is left alone for that. */
  #blame(peer: PeerId, error: unknown): boolean {
    if (!(error instanceof PipevineError)) throw error;
    const { counters, neighbours } = this.#init;
    const isForged = ['forged', 'malformed', 'too-large'].includes(error.code);
    counters[isForged ? 'forged' : 'refused']++;
    if (isForged) neighbours.distrust(peer);
    return isForged;
  }

  #access(): GroupAccess {
    const access = this.#init.groups.access(this.group);
    if (access !== undefined) return access;
    throw new PipevineError('refused', `This peer has left group ${shortGroupId(this.group)}.`);
  }

  /** Throws what is wrong with the credential now. */
  #verify(peer: PeerId, encoded: Uint8Array): Credential {
    const credential = this.#access().verify(peer, encoded);
    if (credential !== undefined) return credential;
    throw new PipevineError('refused', 'The resolver is for members of a group, and this group has none.');
  }

  /** The origin of a propagated message, who may do that. */
  #member(origin: PeerId, encoded: Uint8Array, isQuery: boolean): Credential {
    const credential = this.#verify(origin, encoded);
    checkAccess(isQuery ? 'resolver.query' : 'resolver.propagate', origin, credential);
    return credential;
  }

  #context(
    remotePeer: PeerId,
    credential: Credential,
    propagated: boolean,
    source: { readonly signal: AbortSignal },
  ): ResolverContext {
    const { group, localPeer } = this;
    // The signal of a request is made when first asked for: most handlers never do.
    return {
      group,
      localPeer,
      remotePeer,
      credential,
      propagated,
      get signal() {
        return source.signal;
      },
    };
  }

  /** For the deadline, the caller's signal and the end of this resolver, whichever is first. */
  #deadline(timeoutMs: number, signal: AbortSignal | undefined): Deadline {
    const sources = [this.#closing.signal, ...(signal ? [signal] : [])];
    return new Deadline(this.#init.clock, timeoutMs, sources);
  }
}

async function* whileTaken(items: AsyncIterable<Uint8Array>, release: () => void): AsyncGenerator<Uint8Array> {
  try {
    yield* items;
  } finally {
    release();
  }
}
