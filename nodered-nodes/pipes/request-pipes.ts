import { type PeerGroup, PipevineError, type RequestPipe } from '@pipevine/runtime';
import { deliveredFailure, pipevineFailure } from '../node/pipevine-failure.ts';
import { bindByName } from './bind-by-name.ts';

/** Pipes that one node holds; the one used least recently is closed for another. */
const MAX_OPEN = 64;
const OPEN_TIMEOUT_MS = 10_000;
const CLOSE_TIMEOUT_MS = 2_000;

export interface RequestTarget {
  readonly name: string;
  /** Id or name; undefined: the only one that serves the name. */
  readonly peer: string | undefined;
}

export interface Reply {
  readonly bytes: Uint8Array;
  /** Who gave it. */
  readonly peer: string;
}

/** The request pipes of one node in one group, by target: bound when first needed, and anew when whoever serves has gone. */
export class RequestPipes {
  readonly #group: PeerGroup;
  readonly #closing = new AbortController();
  readonly #pipes = new Map<string, Promise<RequestPipe>>();

  constructor(group: PeerGroup) {
    this.#group = group;
  }

  /**
   * The deadline begins when the request is sent. Rejects with `not-found` or `unreachable` when nobody has taken it, with a
   * DeliveredFailure when somebody has, or may have.
   */
  async request(
    target: RequestTarget,
    body: Uint8Array,
    options: { readonly signal: AbortSignal; readonly timeoutMs: number },
  ): Promise<Reply> {
    for (let rebound = false; ; rebound = true) {
      const pipe = await this.#pipe(target);
      try {
        return { bytes: await pipe.request(body, options), peer: pipe.remotePeer };
      } catch (cause) {
        // `closed` on a pipe that is open: its listener is gone, and has not taken the request.
        if (rebound || pipevineFailure(cause).code !== 'closed' || (await isClosed(pipe)))
          throw deliveredFailure(cause);
        await pipe.close({ timeoutMs: 0 });
      }
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const pipes = [...this.#pipes.values()];
    this.#pipes.clear();
    await Promise.all(
      pipes.map((pipe) => pipe.then((open) => open.close({ timeoutMs: CLOSE_TIMEOUT_MS })).catch(() => {})),
    );
  }

  #pipe(target: RequestTarget): Promise<RequestPipe> {
    const key = JSON.stringify([target.name, target.peer]);
    const before = this.#pipes.get(key);
    if (before !== undefined) {
      // The map is in the order of use.
      this.#pipes.delete(key);
      this.#pipes.set(key, before);
      return before;
    }
    const pipe = this.#bind(target);
    const forget = () => {
      if (this.#pipes.get(key) === pipe) this.#pipes.delete(key);
    };
    pipe.then((open) => void open.closed.then(forget), forget);
    this.#pipes.set(key, pipe);
    const [oldest] = this.#pipes;
    if (this.#pipes.size > MAX_OPEN && oldest !== undefined) {
      this.#pipes.delete(oldest[0]);
      oldest[1].then((open) => open.close({ timeoutMs: CLOSE_TIMEOUT_MS })).catch(() => {});
    }
    return pipe;
  }

  /** Shared by all who wait for it: none of their signals ends it. */
  async #bind({ name, peer }: RequestTarget): Promise<RequestPipe> {
    const { signal } = this.#closing;
    const bind = (one: RequestPipe['remotePeer']) =>
      this.#group.requester({ peer: one, name, timeoutMs: OPEN_TIMEOUT_MS, signal });
    try {
      return await bindByName(this.#group, { name, kind: 'request', peer }, bind, signal);
    } catch (cause) {
      const { code, message } = pipevineFailure(cause);
      if (code !== 'timeout' && code !== 'closed') throw pipevineFailure(cause);
      throw new PipevineError('unreachable', `Nobody takes requests of "${name}" now: ${message}`, { cause });
    }
  }
}

/** Whether it ends now: its requests fail before it tells that it is closed. */
async function isClosed(pipe: RequestPipe): Promise<boolean> {
  return Promise.race([
    pipe.closed.then(() => true),
    new Promise<boolean>((resolve) => setImmediate(() => resolve(false))),
  ]);
}
