import { nodeCrypto, seededRandom, type VirtualClock } from '@pipevine/transports';
import type { EndpointEvents } from '../../endpoint/endpoint.ts';
import { PipevineError } from '../../error/pipevine-error.ts';
import type { Credential } from '../../group/group-access.ts';
import type { GroupId } from '../../id/group-id.ts';
import { type Identity, identityFromSeed } from '../../id/identity.ts';
import type { PeerId } from '../../id/peer-id.ts';
import type { Link } from '../../link/link.ts';
import type {
  ConnectInit,
  ListenInit,
  PipeListener,
  PipeService,
  RequestHandler,
  RequestPipe,
  WaitOptions,
} from '../../pipe/pipe.ts';

/** What a plain member shows; nobody here looks at its signature. */
export function memberCredential(group: GroupId, subject: PeerId): Credential {
  const encoded = new Uint8Array(0);
  const grant = { roles: ['member'], capabilities: [], version: 0, serial: 'x' };
  return { group, subject, ...grant, notBeforeMs: 0, notAfterMs: 1e15, encoded };
}

/** Peers whose request pipes are calls within the process: for tests of what rides on them. */
export class FakeOverlay {
  readonly clock: VirtualClock;
  readonly #peers = new Map<PeerId, FakePeer>();

  constructor(clock: VirtualClock) {
    this.clock = clock;
  }

  peer(name: string): FakePeer {
    const seed = seededRandom(name).bytes(32);
    const peer = new FakePeer(this, identityFromSeed(nodeCrypto, seed));
    this.#peers.set(peer.id, peer);
    return peer;
  }

  find(id: PeerId): FakePeer | undefined {
    return this.#peers.get(id);
  }

  link(a: FakePeer, b: FakePeer): void {
    a.up(b.id);
    b.up(a.id);
  }

  /** Takes the link away; pipes between the two break, too. */
  unlink(a: FakePeer, b: FakePeer): void {
    a.down(b.id);
    b.down(a.id);
  }
}

export class FakePeer {
  readonly identity: Identity;
  readonly overlay: FakeOverlay;
  /** Peers whose pipes lead here, besides its own. */
  readonly hosted = new Set<PeerId>();
  /** Requests that came in, for tests to count. */
  requests = 0;
  readonly #links = new Map<PeerId, Link>();
  readonly #events = new Set<EndpointEvents>();
  readonly #handlers = new Map<string, RequestHandler>();
  readonly #open = new Map<PeerId, Set<FakePipe>>();

  constructor(overlay: FakeOverlay, identity: Identity) {
    this.overlay = overlay;
    this.identity = identity;
  }

  get id(): PeerId {
    return this.identity.id;
  }

  readonly endpoint = {
    links: () => [...this.#links.values()],
    linkTo: (peer: PeerId) => this.#links.get(peer),
    subscribe: (events: EndpointEvents) => {
      this.#events.add(events);
      return { unsubscribe: () => this.#events.delete(events) };
    },
  };

  readonly pipes: Pick<PipeService, 'serve' | 'requester'> = {
    serve: (init: ListenInit, handler: RequestHandler): PipeListener => {
      const name = `${init.group} ${init.name} ${init.scope ?? 'own'}`;
      this.#handlers.set(name, handler);
      return { close: () => void this.#handlers.delete(name) };
    },
    requester: async (init: Omit<ConnectInit, 'kind'>): Promise<RequestPipe> => {
      const target = [...this.#links.keys()]
        .map((id) => this.overlay.find(id))
        .find((peer) => peer?.speaksFor(init.peer));
      if (target === undefined) throw new PipevineError('unreachable', 'No link leads there.');
      if (target.handler(init.group, init.name, init.peer) === undefined) {
        throw new PipevineError('not-found', 'Nobody listens under this name.');
      }
      const pipe = new FakePipe(this, target, init.peer, init.group, init.name);
      const open = this.#open.get(target.id) ?? new Set();
      this.#open.set(target.id, open.add(pipe));
      return pipe;
    },
  };

  speaksFor(peer: PeerId): boolean {
    return peer === this.id || this.hosted.has(peer);
  }

  handler(group: GroupId, name: string, peer: PeerId): RequestHandler | undefined {
    return this.#handlers.get(`${group} ${name} ${peer === this.id ? 'own' : 'hosted'}`);
  }

  up(peer: PeerId): void {
    // Only what discovery looks at.
    const link = { remotePeer: peer, dialled: true, remoteAddress: 'mem://x:1' } as Link;
    this.#links.set(peer, link);
    for (const { onLinkUp } of this.#events) onLinkUp(link);
  }

  down(peer: PeerId): void {
    const link = this.#links.get(peer);
    if (link === undefined) return;
    this.#links.delete(peer);
    for (const pipe of this.#open.get(peer) ?? []) pipe.break();
    this.#open.delete(peer);
    for (const { onLinkDown } of this.#events) onLinkDown(link);
  }
}

class FakePipe implements RequestPipe {
  readonly remotePeer: PeerId;
  readonly credential = undefined;
  readonly closed: Promise<PipevineError | undefined>;
  readonly #from: FakePeer;
  readonly #to: FakePeer;
  readonly #group: GroupId;
  readonly #name: string;
  readonly #broken = new AbortController();
  #settle: (error: PipevineError | undefined) => void = () => undefined;

  constructor(from: FakePeer, to: FakePeer, peer: PeerId, group: GroupId, name: string) {
    this.#from = from;
    this.#to = to;
    this.remotePeer = peer;
    this.#group = group;
    this.#name = name;
    this.closed = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  async request(body: Uint8Array, options?: WaitOptions): Promise<Uint8Array> {
    const { answer } = this.#ask(body, options);
    if (!(answer instanceof Promise))
      throw new PipevineError('protocol', 'A sequence came where one reply was asked for.');
    return answer;
  }

  async *stream(body: Uint8Array, options?: WaitOptions): AsyncGenerator<Uint8Array> {
    const { answer, abort } = this.#ask(body, options);
    if (answer instanceof Promise)
      throw new PipevineError('protocol', 'One reply came where a sequence was asked for.');
    const iterator = answer[Symbol.asyncIterator]();
    const ended = new Promise<'ended'>((resolve) => abort.signal.addEventListener('abort', () => resolve('ended')));
    try {
      for (;;) {
        const next = await Promise.race([iterator.next(), ended]);
        if (next === 'ended') {
          if (this.#broken.signal.aborted) throw new PipevineError('unreachable', 'The link broke.');
          throw new PipevineError('aborted', 'The caller gave up.');
        }
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      abort.abort();
    }
  }

  break(): void {
    this.#broken.abort();
    this.#settle(new PipevineError('unreachable', 'The link broke.'));
  }

  async close(): Promise<void> {
    this.#broken.abort();
    this.#settle(undefined);
  }

  #ask(body: Uint8Array, options?: WaitOptions) {
    if (this.#broken.signal.aborted) throw new PipevineError('closed', 'The pipe is closed.');
    const handler = this.#to.handler(this.#group, this.#name, this.remotePeer);
    if (handler === undefined) throw new PipevineError('not-found', 'Nobody listens under this name.');
    this.#to.requests++;
    const abort = new AbortController();
    const end = () => abort.abort();
    options?.signal?.addEventListener('abort', end);
    this.#broken.signal.addEventListener('abort', end);
    if (options?.signal?.aborted) end();
    const answer = handler(body.slice(), {
      localPeer: this.remotePeer,
      remotePeer: this.#from.id,
      group: this.#group,
      credential: memberCredential(this.#group, this.#from.id),
      signal: abort.signal,
    });
    return { answer, abort };
  }
}
