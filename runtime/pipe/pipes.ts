import { abortable } from '../endpoint/abortable.ts';
import type { Endpoint, RouteSource } from '../endpoint/endpoint.ts';
import { pause } from '../endpoint/pause.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { GroupDirectory } from '../group/group-access.ts';
import { type GroupId, groupIdFromBytes, groupIdToBytes, shortGroupId } from '../id/group-id.ts';
import type { Identity } from '../id/identity.ts';
import { type PeerId, peerIdToBytes, shortPeerId } from '../id/peer-id.ts';
import type { Link, LinkHandler } from '../link/link.ts';
import type { Clock } from '../platform/clock.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import { type BindParameters, PipeSecurityCode } from '../wire/frame.ts';
import { BindAttempt, type BoundPipe } from './bind-attempt.ts';
import type { BindForwarder } from './bind-forwarder.ts';
import { LinkPort } from './link-port.ts';
import { Listeners, requirePipeName } from './listeners.ts';
import { lookAgain } from './look-again.ts';
import { LoopbackLink } from './loopback-link.ts';
import { dialPath } from './path-dial.ts';
import type {
  ConnectInit,
  ListenInit,
  Pipe,
  PipeListener,
  PipeService,
  RequestHandler,
  RequestPipe,
  WaitOptions,
} from './pipe.ts';
import { type AcceptedPipe, PipeAcceptor } from './pipe-acceptor.ts';
import {
  CONNECT_TIMEOUT_MS,
  MIN_WINDOW_BYTES,
  type PipeLimits,
  type PipeLimitsInit,
  RELAY_BIND_TIMEOUT_MS,
  resolvePipeLimits,
} from './pipe-defaults.ts';
import { PipeEnd } from './pipe-end.ts';
import { codeOfKind, kindOfCode } from './pipe-kind.ts';
import type { PipePath } from './pipe-path.ts';
import { PipePaths, pathKey, type RelaySource } from './pipe-paths.ts';
import { PipeRegistry } from './pipe-registry.ts';
import { RequestClient } from './request-client.ts';
import { RequestServer } from './request-server.ts';
import { Resumption } from './resumption.ts';

/** Peers other than its own that this process speaks for. */
export interface HostedPeers {
  /** The identity of a hosted peer, woken if need be. Undefined when it is not hosted here. */
  find(peer: PeerId): Identity | undefined;
}

export interface PipesInit {
  readonly endpoint: Endpoint;
  readonly routes: Pick<RouteSource, 'hostOf'>;
  /** Default: no relays are asked. */
  readonly relays?: RelaySource;
  /** Default: nothing is forwarded for others. */
  readonly forwarder?: BindForwarder;
  readonly groups: GroupDirectory;
  readonly identity: Identity;
  /** Default: none. */
  readonly hosted?: HostedPeers;
  readonly clock: Clock;
  readonly random: Random;
  readonly crypto: Crypto;
  readonly limits?: PipeLimitsInit;
  /** A pipe that this peer has bound goes over a relay, from now on or still after it was bound again. */
  readonly onRelayed?: (pipe: PipeFacts & Pick<Pipe, 'remotePeer'>) => void;
  /** What handlers of the application threw: a defect there, to be logged. Default: dropped. */
  readonly onError?: (error: unknown) => void;
}

/** A running pipe, as whoever asks for paths is told of it. */
export type PipeFacts = Pick<Pipe, 'group' | 'name' | 'kind' | 'path'>;

/** How full a table is, and how often it had to refuse; the shape of PeerStatus.queues. */
export interface PipeBound {
  readonly used: number;
  readonly limit: number;
  readonly dropped: number;
}

/** Wait before a link is asked for again that was gone when it was given, in ms. */
const LINK_LOST_PAUSE_MS = 50;

/** What a relay says when it is the relay that fails, or what it stands before. */
const RELAY_TROUBLE: readonly string[] = ['unreachable', 'timeout', 'overloaded', 'refused', 'forged', 'protocol'];

/** What the peer may say, and a relay that lies: asked over another one, if there is one. */
const DENIALS: readonly string[] = ['not-found', 'unsupported', 'expired', 'revoked'];

const NONE_HOSTED: HostedPeers = { find: () => undefined };

/** Binds pipes over the endpoint's links, and keeps them when the links change. */
export class Pipes implements PipeService {
  readonly #init: PipesInit;
  readonly #hosted: HostedPeers;
  readonly #limits: PipeLimits;
  readonly #onError: (error: unknown) => void;
  readonly #registry: PipeRegistry;
  readonly #listeners = new Listeners();
  readonly #acceptor: PipeAcceptor;
  readonly #paths: PipePaths;
  readonly #resumption: Resumption;
  readonly #ports = new Map<Link, LinkPort>();
  readonly #subscription: { unsubscribe(): void };
  #loopback: LinkPort | undefined;
  #closed = false;

  /** Becomes the user of the endpoint's links: to be made before the first link. */
  constructor(init: PipesInit) {
    this.#init = init;
    this.#hosted = init.hosted ?? NONE_HOSTED;
    this.#limits = resolvePipeLimits(init.limits);
    this.#onError = init.onError ?? (() => {});
    this.#registry = new PipeRegistry(this.#limits.maxPipes);
    this.#acceptor = new PipeAcceptor({
      ...init,
      hosted: this.#hosted,
      limits: this.#limits,
      listeners: this.#listeners,
      registry: this.#registry,
      portTo: (neighbour) => this.#portTo(neighbour),
      makePipe: (accepted) => this.#makeAccepted(accepted),
      onError: this.#onError,
    });
    this.#paths = new PipePaths({
      ...init,
      localPeer: init.identity.id,
      isLinked: (neighbour) => this.#portTo(neighbour)?.closed === false,
    });
    this.#resumption = new Resumption({
      clock: init.clock,
      endpoint: init.endpoint,
      groups: init.groups,
      paths: this.#paths,
      portOf: (link) => this.#ports.get(link),
      onRelayed: (pipe) => init.onRelayed?.(pipe),
    });
    init.endpoint.carry({ handlerOf: (link) => this.#port(link, false) });
    this.#subscription = init.endpoint.subscribe({
      onLinkUp: (link) => this.#resumption.onLinkUp(link),
      onLinkDown: () => this.#resumption.onLinkDown(),
    });
  }

  listen(init: ListenInit, onPipe: (pipe: Pipe) => void): PipeListener {
    return this.#listeners.add(init, onPipe);
  }

  serve(init: ListenInit, handler: RequestHandler): PipeListener {
    return this.#listeners.add({ kinds: ['request'], ...init }, (pipe) => {
      // Listeners get nothing but pipe ends.
      new RequestServer(pipe as PipeEnd, handler, this.#onError);
    });
  }

  async requester(init: Omit<ConnectInit, 'kind'>): Promise<RequestPipe> {
    return new RequestClient(await this.#look({ ...init, kind: 'request' }), this.#init.clock);
  }

  connect(init: ConnectInit): Promise<Pipe> {
    return this.#look(init);
  }

  /** Ends the pipes of a group whose members may not have them any more: after a revocation, or when the group was left. */
  recheck(group: GroupId): void {
    const access = this.#init.groups.access(group);
    for (const pipe of this.#registry.all()) {
      if (pipe.group !== group) continue;
      try {
        if (access === undefined) throw new PipevineError('refused', `Group ${shortGroupId(group)} was left.`);
        access.verify(pipe.remotePeer, pipe.credential?.encoded ?? new Uint8Array(0));
      } catch (error) {
        pipe.fail(error instanceof PipevineError ? error : new PipevineError('internal', String(error)));
      }
    }
  }

  /** The running pipes to a peer, and how each goes. */
  pathsTo(peer: PeerId): readonly PipeFacts[] {
    const pipes = this.#registry.all().filter(({ remotePeer }) => remotePeer === peer);
    return pipes.map(({ group, name, kind, path }) => ({ group, name, kind, path }));
  }

  /** How full the tables are. */
  status(): Readonly<Record<string, PipeBound>> {
    const pipes = this.#registry.all();
    const ports = [...this.#ports.values()];
    const counters = pipes.map((pipe) => pipe.counters);
    const most = (values: readonly number[]): number => Math.max(0, ...values);
    const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
    const { sendBufferBytes, windowBytes, maxChannelsPerLink, maxHalfBoundPerLink, receiveBytesPerLink } = this.#limits;
    return {
      // Dropped: BINDs of others that were answered with a no, whatever the reason.
      pipes: { used: this.#registry.size, limit: this.#registry.limit, dropped: this.#acceptor.refused },
      'pipe channels of one link': {
        used: most(ports.map((port) => port.channels.used)),
        limit: maxChannelsPerLink,
        dropped: sum(ports.map((port) => port.unheard)),
      },
      'pipe half-bound of one link': {
        used: most(ports.map((port) => port.halfBound)),
        limit: maxHalfBoundPerLink,
        dropped: 0,
      },
      'pipe large-message bytes of one link': {
        used: most(ports.map((port) => port.budget.usedBytes)),
        limit: receiveBytesPerLink,
        dropped: sum(ports.map((port) => port.budget.refused)),
      },
      'pipe unacknowledged bytes of one pipe': {
        used: most(counters.map((counter) => counter.unacknowledgedBytes)),
        limit: sendBufferBytes,
        dropped: sum(counters.map((counter) => counter.dropped)),
      },
      'pipe unread bytes of one pipe': {
        used: most(counters.map((counter) => counter.unreadBytes)),
        limit: windowBytes,
        dropped: 0,
      },
    };
  }

  /** Closes all pipes, flushing each for `timeoutMs` (default 1 s) at most, and accepts no more. Idempotent. */
  async close(options: WaitOptions = {}): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#registry.all().map((pipe) => pipe.close({ timeoutMs: 1_000, ...options })));
    this.#subscription.unsubscribe();
    this.#resumption.close();
    this.#loopback?.link.close('done', '');
    this.#loopback = undefined;
  }

  #look(init: ConnectInit): Promise<PipeEnd> {
    return lookAgain(this.#init.clock, init, (wait) => this.#connect({ ...init, ...wait }));
  }

  async #connect(init: ConnectInit): Promise<PipeEnd> {
    const { clock, groups, identity: own } = this.#init;
    const { identity = own, timeoutMs = CONNECT_TIMEOUT_MS } = init;
    requirePipeName(init.name);
    const access = groups.access(init.group);
    if (access === undefined) {
      throw new PipevineError('refused', `This peer is no member of group ${shortGroupId(init.group)}; join it first.`);
    }
    access.credentialOf(identity.id);
    const deadlineMs = clock.monotonicMs() + timeoutMs;
    const firstId = this.#init.random.bytes(16);
    const refused = new Set<string>();
    let why: PipevineError | undefined;
    for (let again = 0; ; again++) {
      if (this.#closed) throw new PipevineError('closed', 'The peer shuts down.');
      if (!this.#registry.hasRoom()) {
        throw new PipevineError('overloaded', `This peer has ${this.#registry.limit} pipes, its limit; close some.`);
      }
      const options = { ...init, timeoutMs: Math.max(0, deadlineMs - clock.monotonicMs()) };
      if (options.timeoutMs === 0) {
        throw new PipevineError('timeout', `Each link to peer ${shortPeerId(init.peer)} went down while binding.`);
      }
      const way = await this.#wayTo(init, refused, options).catch((error: unknown) => {
        // What a relay said of the peer says more than that the peer itself cannot be dialled.
        throw why ?? error;
      });
      if (way === undefined) {
        await pause(clock, LINK_LOST_PAUSE_MS, init.signal);
        continue;
      }
      const { port, path } = way;
      const relayed = path.type === 'relayed';
      const isUnderLink =
        port.isLoopback || (path.via === init.peer && identity.id === own.id && !this.#mayMove(init, port));
      const parameters: BindParameters = {
        // The other end may have a pipe of this id that nobody confirmed; under the link it would recognise it.
        pipe: isUnderLink || again === 0 ? firstId : this.#init.random.bytes(16),
        target: peerIdToBytes(init.peer),
        source: peerIdToBytes(identity.id),
        group: groupIdToBytes(init.group),
        name: init.name,
        kind: codeOfKind(init.kind ?? 'secure'),
        security: isUnderLink ? PipeSecurityCode.link : PipeSecurityCode.endToEnd,
      };
      const leftMs = Math.max(0, deadlineMs - clock.monotonicMs());
      const timeoutMs = relayed ? Math.min(leftMs, RELAY_BIND_TIMEOUT_MS) : leftMs;
      try {
        const pipe = await this.#bind(port, path, parameters, init, identity, { ...options, timeoutMs });
        if (pipe !== undefined) {
          this.#paths.worked(init.peer, init.group, path);
          return pipe;
        }
      } catch (error) {
        if (!(error instanceof PipevineError) || !relayed || clock.monotonicMs() >= deadlineMs) throw error;
        const isDenied =
          DENIALS.includes(error.code) && this.#hasOtherRelay(init, new Set([...refused, pathKey(path)]));
        if (!isDenied && !RELAY_TROUBLE.includes(error.code)) throw error;
        why = error.code === 'timeout' ? noAnswer(init.peer, path, timeoutMs, error) : error;
        this.#paths.failed(init.peer, init.group, path, error.message);
      }
      if (relayed) refused.add(pathKey(path));
    }
  }

  /** Whether a linked relay leads to the peer that has not been tried. */
  #hasOtherRelay({ peer, group }: ConnectInit, tried: ReadonlySet<string>): boolean {
    return this.#paths.relayed(peer, group).some((path) => this.#paths.isLinked(path.via) && !tried.has(pathKey(path)));
  }

  /** Whether a pipe that begins over a direct link may have to go on over a relay: only one with a session of its own can. */
  #mayMove(init: ConnectInit, port: LinkPort): boolean {
    const kind = init.kind ?? 'secure';
    return kind !== 'unicast' && !port.isLoopback && this.#paths.relaysOf(init.peer, init.group).length > 0;
  }

  /** Binds over one link. Undefined when that link went down meanwhile. */
  async #bind(
    port: LinkPort,
    path: PipePath,
    parameters: BindParameters,
    init: ConnectInit,
    identity: Identity,
    options: WaitOptions,
  ): Promise<PipeEnd | undefined> {
    const access = this.#init.groups.access(init.group);
    if (access === undefined) throw new PipevineError('refused', `Group ${shortGroupId(init.group)} was left.`);
    if (port.channels.full) {
      throw new PipevineError(
        'overloaded',
        `This link carries ${port.channels.capacity} pipes, its limit; close some.`,
      );
    }
    const windowBytes = port.budget.windowFor(this.#limits.windowBytes, MIN_WINDOW_BYTES);
    let attempt: BindAttempt | undefined;
    const bound = new Promise<PipeEnd | undefined>((resolve, reject) => {
      attempt = new BindAttempt({
        ...this.#init,
        port,
        identity,
        target: init.peer,
        parameters,
        access,
        windowBytes,
        relayed: path.type === 'relayed',
        relays: path.relays,
        onBound: (outcome) => {
          const pipe = this.#makeBound(
            parameters,
            init,
            identity,
            outcome,
            windowBytes,
            port.isLoopback ? undefined : path,
          );
          resolve(pipe);
          return pipe;
        },
        onFailed: (error, linkLost) => {
          if (linkLost) resolve(undefined);
          else reject(error);
        },
      });
    });
    let waiting = true;
    bound.then(
      (pipe) => {
        // Too late for a caller that has gone: nobody would ever close it.
        if (!waiting) pipe?.close();
      },
      () => {},
    );
    try {
      const what = `peer ${shortPeerId(init.peer)} to accept pipe "${init.name}"`;
      return await abortable(bound, this.#init.clock, options, what);
    } catch (error) {
      waiting = false;
      attempt?.abandon();
      throw error;
    }
  }

  #makeBound(
    parameters: BindParameters,
    init: ConnectInit,
    identity: Identity,
    outcome: BoundPipe,
    windowBytes: number,
    path: PipePath | undefined,
  ): PipeEnd {
    const pipe = new PipeEnd({
      ...this.#common(),
      id: parameters.pipe,
      role: 'binder',
      kind: init.kind ?? 'secure',
      name: init.name,
      group: init.group,
      localPeer: identity.id,
      remotePeer: init.peer,
      credential: outcome.credential,
      session: outcome.session,
      windowBytes,
      ...(init.priority !== undefined && { priority: init.priority }),
    });
    this.#registry.add(pipe);
    if (path !== undefined) this.#resumption.add(pipe, parameters, path);
    pipe.attach(outcome.binding, outcome.next, outcome.limit);
    return pipe;
  }

  #makeAccepted(accepted: AcceptedPipe): PipeEnd {
    const { frame, localPeer, remotePeer, credential, session, windowBytes, priority } = accepted;
    const pipe = new PipeEnd({
      ...this.#common(),
      id: frame.pipe,
      role: 'acceptor',
      kind: kindOfCode(frame.kind),
      name: frame.name,
      group: groupIdFromBytes(frame.group),
      localPeer,
      remotePeer,
      credential,
      session,
      windowBytes,
      ...(priority !== undefined && { priority }),
    });
    this.#registry.add(pipe);
    return pipe;
  }

  #common() {
    return {
      clock: this.#init.clock,
      limits: this.#limits,
      onError: this.#onError,
      onSuspended: (pipe: PipeEnd) => this.#resumption.onSuspended(pipe),
      onEnded: (pipe: PipeEnd) => {
        this.#registry.delete(pipe);
        this.#resumption.delete(pipe);
      },
    };
  }

  /** The pipes' side of the link to a neighbour, while it is up. */
  #portTo(neighbour: PeerId): LinkPort | undefined {
    const link = this.#init.endpoint.linkTo(neighbour);
    return link && this.#ports.get(link);
  }

  /** Undefined when its link went down again at once. */
  async #wayTo(
    { peer, group }: ConnectInit,
    refused: ReadonlySet<string>,
    options: WaitOptions,
  ): Promise<{ readonly port: LinkPort; readonly path: PipePath } | undefined> {
    if (peer === this.#init.identity.id || this.#hosted.find(peer) !== undefined) {
      return { port: this.#loopbackPort(), path: { via: this.#init.identity.id, type: 'direct' } };
    }
    const { endpoint, clock } = this.#init;
    const path = await dialPath({ endpoint, clock, paths: this.#paths }, { peer, group, refused }, options);
    const port = this.#ports.get(path.link);
    return port && { port, path };
  }

  #loopbackPort(): LinkPort {
    if (this.#loopback !== undefined) return this.#loopback;
    const [binder, acceptor] = LoopbackLink.pair(this.#init.identity.id, this.#init.clock);
    acceptor.start(this.#port(acceptor, true));
    this.#loopback = this.#port(binder, true);
    binder.start(this.#loopback);
    return this.#loopback;
  }

  #port(link: Link, isLoopback: boolean): LinkPort & LinkHandler {
    const port = new LinkPort({
      link,
      clock: this.#init.clock,
      limits: this.#limits,
      isLoopback,
      onBind: (at, frame) => this.#acceptor.onBind(at, frame),
      onClosed: () => this.#ports.delete(link),
    });
    this.#ports.set(link, port);
    return port;
  }
}

/** The deadline of one way is not that of the caller. */
function noAnswer(peer: PeerId, { via }: PipePath, afterMs: number, cause: PipevineError): PipevineError {
  const message = `Relay ${shortPeerId(via)} brought no answer of peer ${shortPeerId(peer)} within ${afterMs} ms.`;
  return new PipevineError('unreachable', message, { cause });
}
