import {
  type FoundPipe,
  type NamedPipe,
  type NamedPipeNotice,
  type NamedPipes,
  type Pipe,
  type PipeKind,
  PipevineError,
  type PropagateMessage,
  type RequestHandler,
} from '@pipevine/runtime';

interface Listener {
  readonly kind: FoundPipe['kind'];
  take(message: Uint8Array): void | Promise<void>;
  onPipe?(pipe: Pipe): void;
  serve?: RequestHandler;
}

type Open = Parameters<NamedPipes['open']>[0];

/** Pipes by name within one process: who sends reaches whoever listens. */
export class FakePipes implements NamedPipes {
  readonly peer: FoundPipe['peer'];
  readonly listeners = new Map<string, Listener>();
  /** How often something was opened, by its options. */
  readonly opened: Open[] = [];
  /** Largest number of messages that were sent and not yet taken. */
  mostUnderWay = 0;
  #underWay = 0;
  #break: ((error: PipevineError | undefined, next?: PipeKind) => void) | undefined;

  constructor(peer: FoundPipe['peer']) {
    this.peer = peer;
  }

  async listen(
    { name, kind }: { name: string; kind: 'unicast' | 'reliable' | 'secure' },
    onPipe: (pipe: Pipe) => void,
  ) {
    const listener: Listener = { kind, take: () => {}, onPipe };
    this.listeners.set(name, listener);
    return this.#closer(name);
  }

  async serve({ name }: { name: string }, handler: RequestHandler) {
    this.listeners.set(name, { kind: 'request', take: () => {}, serve: handler });
    return this.#closer(name);
  }

  async propagate(name: string) {
    const { peer } = this;
    return {
      name,
      dropped: 0,
      send: async (message: Uint8Array) => {
        await this.listeners.get(name)?.take(message);
        return 1;
      },
      receive: (onMessage: (message: PropagateMessage) => void | Promise<void>) => {
        const about = { from: peer } as PropagateMessage; // The daemon does not look at credentials.
        this.listeners.set(name, { kind: 'propagate', take: (bytes) => onMessage({ ...about, bytes }) });
      },
      close: () => {
        this.listeners.delete(name);
      },
    };
  }

  async *find(search: { readonly name?: string } = {}): AsyncGenerator<FoundPipe> {
    for (const [name, { kind }] of this.listeners) {
      if (search.name === undefined || search.name === name) yield { name, kind, peer: this.peer };
    }
  }

  async open(init: Open): Promise<NamedPipe> {
    this.opened.push(init);
    const listener = this.listeners.get(init.name);
    if (listener === undefined) throw new PipevineError('not-found', `Nobody listens under "${init.name}".`);
    const kind = init.kind ?? (listener.kind === 'propagate' ? 'secure' : listener.kind);
    const notify = (notice: NamedPipeNotice) => init.onNotice?.(notice);
    const { peer } = this;
    let settle: (error: PipevineError | undefined) => void = () => {};
    const closed = new Promise<PipevineError | undefined>((resolve) => {
      settle = resolve;
    });
    this.#break = (error) => {
      notify({ type: 'interrupted', peer, error, unacknowledgedBytes: 7 });
      if (init.keep === true) notify({ type: 'bound', peer, kind });
      else settle(error);
    };
    notify({ type: 'bound', peer, kind });
    let take = listener.take;
    // Of a pipe the daemon uses no more than this.
    listener.onPipe?.({
      kind,
      remotePeer: peer,
      closed,
      receive: (onMessage: Listener['take']) => {
        take = onMessage;
      },
      close: async () => settle(undefined),
    } as unknown as Pipe);
    let onReply: (message: Uint8Array) => void | Promise<void> = () => {};
    return {
      name: init.name,
      kind,
      peer,
      closed,
      receive: (onMessage) => {
        onReply = onMessage;
      },
      send: async (message) => {
        this.mostUnderWay = Math.max(this.mostUnderWay, ++this.#underWay);
        const { signal } = new AbortController();
        const context = { localPeer: peer, remotePeer: peer, signal } as Parameters<RequestHandler>[1]; // The daemon uses no more.
        if (listener.serve === undefined) await take(message);
        else await onReply(await (listener.serve(message, context) as Promise<Uint8Array>)); // The daemon answers once.
        this.#underWay--;
      },
      flush: async () => {},
      close: async () => settle(undefined),
    };
  }

  /** The pipe that was opened last loses its other side. */
  break(error?: PipevineError): void {
    this.#break?.(error);
  }

  #closer(name: string) {
    return { close: async () => void this.listeners.delete(name) };
  }
}
