import { PipevineError } from '../error/pipevine-error.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { PipeService, RequestPipe, WaitOptions } from '../pipe/pipe.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import { CONNECTION_LINGER_MS, MAX_THING_CONNECTIONS, THING_SERVICE } from './thing-defaults.ts';

export interface ThingConnectionsInit {
  readonly group: GroupId;
  readonly clock: Clock;
  readonly pipes: Pick<PipeService, 'requester'>;
  /** Asks who speaks for a peer that cannot be reached; resolves to whether something new was learnt. Default: nothing. */
  readonly locate?: (peer: PeerId) => Promise<boolean>;
}

interface Connection {
  readonly peer: PeerId;
  users: number;
  /** The pipe, or the attempt to open it; undefined when there is none. */
  pipe: Promise<RequestPipe> | undefined;
  linger: Timer | undefined;
}

/** One request pipe for each peer whose things are in use, however many use them. */
export class ThingConnections {
  readonly #init: ThingConnectionsInit;
  readonly #connections = new Map<PeerId, Connection>();
  #refused = 0;
  #closed = false;

  constructor(init: ThingConnectionsInit) {
    this.#init = init;
  }

  /** Takes a share in the connection to a peer. Throws `overloaded` when too many are in use. */
  use(peer: PeerId): ThingConnection {
    if (this.#closed) throw new PipevineError('closed', 'The group was closed.');
    let connection = this.#connections.get(peer);
    if (connection === undefined) {
      if (this.#connections.size >= MAX_THING_CONNECTIONS) {
        this.#refused++;
        throw new PipevineError(
          'overloaded',
          `Things of ${MAX_THING_CONNECTIONS} peers are in use, which is the limit; close some of them.`,
        );
      }
      connection = { peer, users: 0, pipe: undefined, linger: undefined };
      this.#connections.set(peer, connection);
    }
    const held = connection;
    held.users++;
    held.linger?.cancel();
    held.linger = undefined;
    let released = false;
    return {
      pipe: (options) => this.#pipe(held, options),
      release: () => {
        if (released) return;
        released = true;
        if (--held.users > 0) return;
        held.linger = this.#init.clock.setTimer(CONNECTION_LINGER_MS, () => this.#drop(held));
      },
    };
  }

  /** Bounds and counters, by name. */
  status(): Readonly<Record<string, { readonly used: number; readonly limit: number; readonly dropped: number }>> {
    return {
      'thing connections': { used: this.#connections.size, limit: MAX_THING_CONNECTIONS, dropped: this.#refused },
    };
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#connections.values()].map((connection) => this.#drop(connection)));
  }

  async #pipe(connection: Connection, options?: WaitOptions): Promise<RequestPipe> {
    if (this.#closed) throw new PipevineError('closed', 'The group was closed.');
    const open = connection.pipe;
    if (open !== undefined) return withSignal(open, options?.signal);
    // One attempt serves all who wait: its deadline is the first asker's, and nobody's signal ends it for the others.
    const attempt = this.#open(connection.peer, options?.timeoutMs);
    connection.pipe = attempt;
    const forget = () => {
      if (connection.pipe === attempt) connection.pipe = undefined;
    };
    attempt.then((pipe) => {
      void pipe.closed.then(forget);
      // Dropped while it was opened: nobody else would close it.
      if (connection.pipe !== attempt) void pipe.close();
    }, forget);
    return withSignal(attempt, options?.signal);
  }

  async #open(peer: PeerId, timeoutMs: number | undefined): Promise<RequestPipe> {
    const { pipes, group, locate } = this.#init;
    const init = { peer, group, name: THING_SERVICE, ...(timeoutMs !== undefined && { timeoutMs }) };
    try {
      return await pipes.requester(init);
    } catch (error) {
      const isLost = error instanceof PipevineError && error.code === 'unreachable';
      if (!isLost || (await locate?.(peer)) !== true) throw error;
      return pipes.requester(init);
    }
  }

  async #drop(connection: Connection): Promise<void> {
    connection.linger?.cancel();
    if (this.#connections.get(connection.peer) === connection) this.#connections.delete(connection.peer);
    const pipe = connection.pipe;
    connection.pipe = undefined;
    // An attempt that fails has told whoever waited for it.
    await pipe?.then((open) => open.close()).catch(() => undefined);
  }
}

/** A share in the connection to one peer. */
export interface ThingConnection {
  /** The open pipe, opened anew when the last one broke. Rejects as `PipeService.requester` does. */
  pipe(options?: WaitOptions): Promise<RequestPipe>;
  /** Idempotent. */
  release(): void;
}

function withSignal<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(new PipevineError('aborted', 'The caller gave up waiting for the thing.'));
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
