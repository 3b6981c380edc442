import { randomUUID } from 'node:crypto';
import { type JsonValue, PipevineError } from '@pipevine/runtime';
import type { NodeAPI } from '../node/red.ts';

/** Requests to things that flows have not answered yet, of one peer that asks and in all. */
export const MAX_OPEN_OF_PEER = 256;
export const MAX_OPEN = 2_048;

export interface OpenInteractionInit {
  /** Who asks. */
  readonly peer: string;
  /** For messages: what is asked for. */
  readonly what: string;
  readonly timeoutMs: number;
  /** Aborted when nobody waits for the answer any more. */
  readonly signals: readonly AbortSignal[];
  /** What the description makes of an answer. Throws `invalid-argument`, which leaves the request open. */
  accept(answer: unknown): JsonValue | undefined;
}

interface Waiting {
  accept(answer: unknown): JsonValue | undefined;
  settle(result: { readonly answer: JsonValue | undefined } | { readonly refusal: PipevineError }): void;
}

/** The requests to things that came into flows and wait for a reply node, by the id that their messages carry. */
export class OpenInteractions {
  readonly #waiting = new Map<string, Waiting>();
  readonly #ofPeer = new Map<string, number>();
  #refused = 0;
  #expired = 0;

  get counters(): { readonly open: number; readonly refused: number; readonly expired: number } {
    return { open: this.#waiting.size, refused: this.#refused, expired: this.#expired };
  }

  /** The answer rejects with the flow's refusal, `timeout` or `aborted`. Throws `overloaded`. */
  open(init: OpenInteractionInit): { readonly id: string; readonly answer: Promise<JsonValue | undefined> } {
    const { peer, what, timeoutMs, signals, accept } = init;
    const mine = this.#ofPeer.get(peer) ?? 0;
    if (mine >= MAX_OPEN_OF_PEER || this.#waiting.size >= MAX_OPEN) {
      this.#refused++;
      const message = `${mine} requests of this peer, and ${this.#waiting.size} in all, wait for a reply here; send fewer at a time.`;
      throw new PipevineError('overloaded', message);
    }
    const id = randomUUID();
    this.#ofPeer.set(peer, mine + 1);
    const answer = new Promise<JsonValue | undefined>((resolve, reject) => {
      const settle: Waiting['settle'] = (result) => {
        if (!this.#waiting.delete(id)) return;
        clearTimeout(timer);
        for (const signal of signals) signal.removeEventListener('abort', aborted);
        this.#closed(peer);
        if ('refusal' in result) reject(result.refusal);
        else resolve(result.answer);
      };
      const aborted = () => settle({ refusal: new PipevineError('aborted', 'Nobody waits for this answer any more.') });
      const timer = setTimeout(() => {
        this.#expired++;
        settle({
          refusal: new PipevineError('timeout', `The flow gave no answer to ${what} within ${timeoutMs / 1_000} s.`),
        });
      }, timeoutMs);
      this.#waiting.set(id, { accept, settle });
      for (const signal of signals) {
        if (signal.aborted) return aborted();
        signal.addEventListener('abort', aborted, { once: true });
      }
    });
    return { id, answer };
  }

  /** Throws `invalid-argument` for what the description does not allow, `not-found` for a request that is over. */
  answer(id: string, answer: unknown): void {
    const waiting = this.#found(id);
    waiting.settle({ answer: waiting.accept(answer) });
  }

  /** Throws `not-found`. */
  refuse(id: string, refusal: PipevineError): void {
    this.#found(id).settle({ refusal });
  }

  #found(id: string): Waiting {
    const waiting = this.#waiting.get(id);
    if (waiting !== undefined) return waiting;
    throw new PipevineError('not-found', 'This request was answered before, or nobody waits for its answer any more.');
  }

  #closed(peer: string): void {
    const left = (this.#ofPeer.get(peer) ?? 1) - 1;
    if (left === 0) this.#ofPeer.delete(peer);
    else this.#ofPeer.set(peer, left);
  }
}

/** One table for each Node-RED in this process; its event bus is the one object that all types of node share. */
const tables = new WeakMap<object, OpenInteractions>();

export function openInteractions(RED: NodeAPI): OpenInteractions {
  const table = tables.get(RED.events) ?? new OpenInteractions();
  tables.set(RED.events, table);
  return table;
}
