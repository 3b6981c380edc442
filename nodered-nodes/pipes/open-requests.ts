import { randomUUID } from 'node:crypto';
import { PipevineError } from '@pipevine/runtime';
import type { BodyFormat } from '../node/message-body.ts';
import type { NodeAPI } from '../node/red.ts';

/** Requests that flows have not answered yet, of one peer that asks and in all. */
export const MAX_OPEN_OF_PEER = 256;
export const MAX_OPEN_REQUESTS = 2_048;

/** What a message carries as `msg.pipevine`. A text only: messages are cloned, kept and passed on. */
export interface RequestHandle {
  readonly request: string;
}

export interface OpenRequestInit {
  /** Who asks. */
  readonly peer: string;
  /** How the request was read, and how the reply is written unless a node says otherwise. */
  readonly format: BodyFormat;
  readonly timeoutMs: number;
  /** Aborted when nobody waits for the reply any more. */
  readonly signals: readonly AbortSignal[];
}

export interface OpenRequest {
  readonly handle: RequestHandle;
  /** Rejects with what the flow refuses it with, with `timeout`, or with `aborted`. */
  readonly reply: Promise<Uint8Array>;
}

interface Waiting {
  readonly format: BodyFormat;
  settle(reply: Uint8Array | PipevineError): void;
}

/** The requests that came into flows and wait for a reply node, by handle. */
export class OpenRequests {
  readonly #waiting = new Map<string, Waiting>();
  readonly #ofPeer = new Map<string, number>();

  get size(): number {
    return this.#waiting.size;
  }

  /** Throws `overloaded`. */
  open({ peer, format, timeoutMs, signals }: OpenRequestInit): OpenRequest {
    const mine = this.#ofPeer.get(peer) ?? 0;
    if (mine >= MAX_OPEN_OF_PEER || this.#waiting.size >= MAX_OPEN_REQUESTS) {
      throw new PipevineError(
        'overloaded',
        `${mine} requests of this peer, and ${this.#waiting.size} in all, wait for a reply here; send fewer at a time.`,
      );
    }
    const request = randomUUID();
    this.#ofPeer.set(peer, mine + 1);
    const reply = new Promise<Uint8Array>((resolve, reject) => {
      const settle = (result: Uint8Array | PipevineError) => {
        if (!this.#waiting.delete(request)) return;
        clearTimeout(timer);
        for (const signal of signals) signal.removeEventListener('abort', aborted);
        this.#closed(peer);
        if (result instanceof PipevineError) reject(result);
        else resolve(result);
      };
      const aborted = () => settle(new PipevineError('aborted', 'Nobody waits for this reply any more.'));
      const timer = setTimeout(() => {
        settle(new PipevineError('timeout', `The flow gave no reply within ${timeoutMs / 1000} s.`));
      }, timeoutMs);
      this.#waiting.set(request, { format, settle });
      for (const signal of signals) {
        if (signal.aborted) return aborted();
        signal.addEventListener('abort', aborted, { once: true });
      }
    });
    return { handle: { request }, reply };
  }

  /**
   * Answers with what `make` gives for the format of the request, or refuses with the error it gives. What it throws leaves the
   * request open. Throws `invalid-argument` for what is no handle, `not-found` when it was answered, or nobody waits any more.
   */
  answer(handle: unknown, make: (format: BodyFormat) => Uint8Array | PipevineError): void {
    const request = (handle as Partial<RequestHandle> | null | undefined)?.request;
    if (typeof request !== 'string') {
      const message = 'msg.pipevine is missing: the message that came out of "pipe in" must be passed on to this node.';
      throw new PipevineError('invalid-argument', message);
    }
    const waiting = this.#waiting.get(request);
    if (waiting === undefined) {
      throw new PipevineError('not-found', 'This request was answered before, or nobody waits for its reply any more.');
    }
    waiting.settle(make(waiting.format));
  }

  #closed(peer: string): void {
    const left = (this.#ofPeer.get(peer) ?? 1) - 1;
    if (left === 0) this.#ofPeer.delete(peer);
    else this.#ofPeer.set(peer, left);
  }
}

/** One table for each Node-RED in this process; its event bus is the one object that all types of node share. */
const tables = new WeakMap<object, OpenRequests>();

export function openRequests(RED: NodeAPI): OpenRequests {
  const table = tables.get(RED.events) ?? new OpenRequests();
  tables.set(RED.events, table);
  return table;
}
