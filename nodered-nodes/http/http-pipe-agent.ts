import { Agent } from 'node:http';
import type { Duplex } from 'node:stream';
import { type PeerGroup, PipevineError } from '@pipevine/runtime';
import { pipevineFailure } from '../node/pipevine-failure.ts';
import { bindByName } from '../pipes/bind-by-name.ts';
import { PipeDuplex } from './pipe-duplex.ts';

const OPEN_TIMEOUT_MS = 10_000;
/** Well before the other side gives an idle connection up. */
const IDLE_TIMEOUT_MS = 15_000;

export interface HttpTarget {
  /** The name of the pipe. */
  readonly name: string;
  /** Id or name; undefined: the only one that listens under the name. */
  readonly peer: string | undefined;
}

type OnConnected = (error: Error | null, socket: Duplex) => void;

/** Connections of HTTP/1.1 over pipes to one target. One is kept for the next request. */
export class HttpPipeAgent extends Agent {
  readonly #group: PeerGroup;
  readonly #target: HttpTarget;
  readonly #closing = new AbortController();
  readonly #idle = new WeakMap<object, NodeJS.Timeout>();

  constructor(group: PeerGroup, target: HttpTarget) {
    super({ keepAlive: true, maxFreeSockets: 1 });
    this.#group = group;
    this.#target = target;
  }

  override createConnection(_options: object, onConnected: OnConnected): undefined {
    this.#connect().then(
      (duplex) => onConnected(null, duplex),
      // With an error, no socket is looked at.
      (error: unknown) => onConnected(pipevineFailure(error), undefined as unknown as Duplex),
    );
  }

  override keepSocketAlive(socket: Duplex): boolean {
    const timer = setTimeout(() => socket.destroy(), IDLE_TIMEOUT_MS);
    timer.unref();
    this.#idle.set(socket, timer);
    return true;
  }

  override reuseSocket(socket: Duplex): void {
    clearTimeout(this.#idle.get(socket));
  }

  override destroy(): void {
    this.#closing.abort();
    super.destroy();
  }

  async #connect(): Promise<Duplex> {
    const { signal } = this.#closing;
    const { name, peer } = this.#target;
    const kind = 'secure';
    const connect = (one: Parameters<PeerGroup['connect']>[0]['peer']) =>
      this.#group.connect({ peer: one, name, kind, timeoutMs: OPEN_TIMEOUT_MS, signal });
    const pipe = await bindByName(this.#group, { name, kind, peer }, connect, signal).catch((cause: unknown) => {
      const { code, message } = pipevineFailure(cause);
      if (code !== 'timeout' && code !== 'closed') throw cause;
      throw new PipevineError('unreachable', `"${name}" cannot be reached now: ${message}`, { cause });
    });
    const duplex = new PipeDuplex(pipe);
    duplex.once('close', () => clearTimeout(this.#idle.get(duplex)));
    return duplex;
  }
}
