import { MAX_UNREAD, MAX_UNREAD_BYTES } from './propagate-defaults.ts';
import type { PropagateMessage } from './propagate-pipe.ts';

/** Messages on their way to one handler, which gets them one at a time. Newer ones are dropped when it is slow. */
export class MessageInbox {
  readonly #waiting: PropagateMessage[] = [];
  readonly #onError: (error: unknown) => void;
  #handler: ((message: PropagateMessage) => void | Promise<void>) | undefined;
  #bytes = 0;
  #running = false;
  #dropped = 0;

  /** `onError`: what the handler threw. */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  get dropped(): number {
    return this.#dropped;
  }

  get size(): number {
    return this.#waiting.length;
  }

  receive(handler: (message: PropagateMessage) => void | Promise<void>): void {
    this.#handler = handler;
  }

  /** Without a handler nobody wants it. */
  put(message: PropagateMessage): void {
    if (this.#handler === undefined) return;
    if (this.#waiting.length >= MAX_UNREAD || this.#bytes + message.bytes.length > MAX_UNREAD_BYTES) {
      this.#dropped++;
      return;
    }
    this.#bytes += message.bytes.length;
    this.#waiting.push(message);
    if (!this.#running) void this.#run();
  }

  close(): void {
    this.#handler = undefined;
    this.#waiting.length = 0;
    this.#bytes = 0;
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (;;) {
      const message = this.#waiting.shift();
      if (message === undefined) break;
      this.#bytes -= message.bytes.length;
      try {
        await this.#handler?.(message);
      } catch (error) {
        this.#onError(error);
      }
    }
    this.#running = false;
  }
}
