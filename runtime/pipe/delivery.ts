import { PipevineError } from '../error/pipevine-error.ts';
import { checkPack, messageEnd, messageStart } from './message-pack.ts';
import { MessageQueue } from './message-queue.ts';

export interface DeliveryInit {
  /** Whether what comes are packs of messages, as in sealed payloads, or messages themselves. */
  readonly packs: boolean;
  readonly maxMessageBytes: number;
  /** The application is done with so much, while it was handed over. */
  readonly onConsumed: (cost: number) => void;
  /** The same, at some other time. */
  readonly onConsumedLater: (cost: number) => void;
  /** What the application's receiver threw. */
  readonly onError: (error: unknown) => void;
}

/** Hands messages to the application: to its receiver at once, or to a queue until it reads them. */
export class Delivery {
  readonly #init: DeliveryInit;
  readonly #queue: MessageQueue;
  #receiver: ((message: Uint8Array) => void | Promise<void>) | undefined;
  #ended = false;

  constructor(init: DeliveryInit) {
    this.#init = init;
    this.#queue = new MessageQueue(init.onConsumedLater);
  }

  /** Cost of what waits to be read. */
  get unreadCost(): number {
    return this.#queue.cost;
  }

  /** Throws `invalid-argument` the second time. */
  receive(receiver: (message: Uint8Array) => void | Promise<void>): void {
    if (this.#receiver !== undefined) {
      throw new PipevineError('invalid-argument', 'The messages of a pipe go to one receiver, and it is set already.');
    }
    this.#receiver = receiver;
    for (let message = this.#queue.shift(); message !== undefined; message = this.#queue.shift()) {
      this.#handOver(message, 0);
    }
  }

  read(): Promise<IteratorResult<Uint8Array, undefined>> {
    return this.#queue.read();
  }

  /** What waits can still be read; then readers see the end, or the error. */
  end(error: PipevineError | undefined): void {
    this.#ended = true;
    this.#queue.end(error);
  }

  /** A message, or a pack of them. Throws `malformed` or `too-large` when the pack is none. */
  deliver(bytes: Uint8Array, cost: number): void {
    if (!this.#init.packs) {
      if (this.#receiver !== undefined) return this.#handOver(bytes, cost);
      // A small message that waits must not keep the record alive that brought it.
      const owned = bytes.length * 2 < bytes.buffer.byteLength ? bytes.slice() : bytes;
      return this.#queue.push(owned, cost, false);
    }
    checkPack(bytes, this.#init.maxMessageBytes);
    if (this.#receiver === undefined) return this.#queue.push(bytes, cost, true);
    let left = cost;
    for (let at = 0; at < bytes.length && !this.#ended; ) {
      const end = messageEnd(bytes, at);
      // The last message of a pack pays what is left of its cost.
      const share = end < bytes.length ? Math.min(end - at, left) : left;
      left -= share;
      this.#handOver(bytes.subarray(messageStart(bytes, at), end), share);
      at = end;
    }
  }

  #handOver(message: Uint8Array, cost: number): void {
    const waiting = this.#call(message);
    if (waiting === undefined) return this.#init.onConsumed(cost);
    waiting.then(
      () => this.#init.onConsumedLater(cost),
      (error: unknown) => {
        this.#init.onError(error);
        this.#init.onConsumedLater(cost);
      },
    );
  }

  /** A receiver that throws has a defect; the message counts as consumed all the same. */
  #call(message: Uint8Array): void | Promise<void> {
    try {
      return this.#receiver?.(message);
    } catch (error) {
      this.#init.onError(error);
      return undefined;
    }
  }
}
