import { PipevineError } from '../error/pipevine-error.ts';
import type { Credential } from '../group/group-access.ts';
import type { PeerId } from '../id/peer-id.ts';
import { errorFromWire } from '../link/wire-error.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { Pipe, RequestPipe, WaitOptions } from './pipe.ts';
import { MAX_REQUESTS, REQUEST_TIMEOUT_MS } from './pipe-defaults.ts';
import type { PipeEnd } from './pipe-end.ts';
import {
  decodeRequestMessage,
  encodeBody,
  encodeRequestMessage,
  type RequestMessage,
  RequestMessageType,
} from './request-codec.ts';

/** A request under way. */
interface Pending {
  onReply(body: Uint8Array): void;
  /** The promise settles when the item was taken: so a slow reader holds the server back. */
  onItem(body: Uint8Array): Promise<void> | undefined;
  onEnd(): void;
  onFailure(error: PipevineError): void;
}

/** The client's end of a request pipe. */
export class RequestClient implements RequestPipe {
  readonly #pipe: Pipe & Pick<PipeEnd, 'fail' | 'ended'>;
  readonly #clock: Clock;
  readonly #pending = new Map<number, Pending>();
  #nextId = 0;

  constructor(pipe: Pipe & Pick<PipeEnd, 'fail' | 'ended'>, clock: Clock) {
    this.#pipe = pipe;
    this.#clock = clock;
    pipe.receive((message) => this.#onMessage(message));
    pipe.closed.then((error) => this.#onClosed(error));
  }

  get remotePeer(): PeerId {
    return this.#pipe.remotePeer;
  }

  get credential(): Credential | undefined {
    return this.#pipe.credential;
  }

  get closed(): Promise<PipevineError | undefined> {
    return this.#pipe.closed;
  }

  /** Requests under way. */
  get pending(): number {
    return this.#pending.size;
  }

  request(body: Uint8Array, options: WaitOptions = {}): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const end = this.#begin(body, options, {
        onReply: (reply) => {
          end();
          resolve(reply);
        },
        onItem: () => {
          end();
          this.#cancel(end.id);
          reject(new PipevineError('protocol', 'The reply is a sequence; ask for it with stream().'));
          return undefined;
        },
        onEnd: () => {
          end();
          reject(new PipevineError('protocol', 'The reply is an empty sequence; ask for it with stream().'));
        },
        onFailure: (error) => {
          end();
          reject(error);
        },
      });
    });
  }

  stream(body: Uint8Array, options: WaitOptions = {}): AsyncIterable<Uint8Array> {
    return { [Symbol.asyncIterator]: () => this.#iterate(body, options) };
  }

  close(options?: WaitOptions): Promise<void> {
    return this.#pipe.close(options);
  }

  async *#iterate(body: Uint8Array, options: WaitOptions): AsyncGenerator<Uint8Array, undefined> {
    const items: { readonly body: Uint8Array; readonly taken: () => void }[] = [];
    let over = false;
    let error: PipevineError | undefined;
    let wake = (): void => {};
    const finish = (reason?: PipevineError): void => {
      end();
      over = true;
      error = reason;
      wake();
    };
    const end = this.#begin(body, options, {
      onReply: () => finish(new PipevineError('protocol', 'The reply is not a sequence; ask for it with request().')),
      onItem: (item) => {
        end.started();
        const taken = new Promise<void>((resolve) => items.push({ body: item, taken: resolve }));
        wake();
        return taken;
      },
      onEnd: () => finish(),
      onFailure: finish,
    });
    try {
      for (;;) {
        const item = items.shift();
        if (item !== undefined) {
          item.taken();
          yield item.body;
        } else if (over) {
          break;
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      if (!over) {
        end();
        this.#cancel(end.id);
      }
      for (const item of items.splice(0)) item.taken();
    }
    if (error !== undefined) throw error;
    return undefined;
  }

  /** Sends a request; the function that comes back is called when it is over. */
  #begin(
    body: Uint8Array,
    options: WaitOptions,
    pending: Pending,
  ): (() => void) & { readonly id: number; started(): void } {
    const id = this.#nextId++;
    const { signal, timeoutMs = REQUEST_TIMEOUT_MS } = options;
    let timer: Timer | undefined;
    const end = Object.assign(
      (): void => {
        this.#pending.delete(id);
        timer?.cancel();
        signal?.removeEventListener('abort', onAbort);
      },
      { id, started: () => timer?.cancel() },
    );
    const giveUp = (error: PipevineError): void => {
      this.#cancel(id);
      pending.onFailure(error);
    };
    const onAbort = (): void => {
      giveUp(new PipevineError('aborted', 'The request was aborted by the caller.', { cause: signal?.reason }));
    };
    // In a microtask, so that the caller has its `end` by then.
    const refuse = (error: PipevineError): void => queueMicrotask(() => pending.onFailure(error));
    if (signal?.aborted) {
      refuse(new PipevineError('aborted', 'The request was aborted by the caller.', { cause: signal.reason }));
      return end;
    }
    if (this.#pending.size >= MAX_REQUESTS) {
      refuse(new PipevineError('overloaded', `${MAX_REQUESTS} requests are under way on this pipe; await some first.`));
      return end;
    }
    this.#pending.set(id, pending);
    signal?.addEventListener('abort', onAbort);
    if (Number.isFinite(timeoutMs)) {
      timer = this.#clock.setTimer(timeoutMs, () => {
        giveUp(new PipevineError('timeout', `No reply came within ${timeoutMs} ms.`));
      });
    }
    const message = encodeBody(RequestMessageType.request, id, body);
    this.#pipe.send(message, { timeoutMs: Infinity }).catch((error: unknown) => {
      if (this.#pending.get(id) === pending) {
        pending.onFailure(error instanceof PipevineError ? error : new PipevineError('internal', String(error)));
      }
    });
    return end;
  }

  #cancel(id: number): void {
    this.#pending.delete(id);
    if (this.#pipe.ended) return;
    // It can only fail with the pipe, and then nothing is left to cancel.
    this.#pipe.send(encodeRequestMessage({ type: RequestMessageType.cancel, id })).catch(() => {});
  }

  #onMessage(bytes: Uint8Array): Promise<void> | undefined {
    let message: RequestMessage;
    try {
      message = decodeRequestMessage(bytes);
      if (message.type === RequestMessageType.request || message.type === RequestMessageType.cancel) {
        throw new PipevineError('malformed', 'The server of a request pipe sent a request.');
      }
    } catch (error) {
      this.#pipe.fail(error instanceof PipevineError ? error : new PipevineError('malformed', String(error)));
      return undefined;
    }
    // Whatever comes for a request that was cancelled is late.
    const pending = this.#pending.get(message.id);
    switch (message.type) {
      case RequestMessageType.reply:
        pending?.onReply(message.body);
        return undefined;
      case RequestMessageType.item:
        return pending?.onItem(message.body);
      case RequestMessageType.end:
        pending?.onEnd();
        return undefined;
      case RequestMessageType.failure: {
        const failed = new PipevineError('refused', message.message);
        pending?.onFailure(errorFromWire(message.code, message.message) ?? failed);
        return undefined;
      }
    }
  }

  #onClosed(error: PipevineError | undefined): void {
    if (this.#pending.size === 0) return;
    const reason = error ?? new PipevineError('closed', 'The request pipe was closed; connect again.');
    for (const pending of [...this.#pending.values()]) pending.onFailure(reason);
  }
}
