import { PipevineError } from '@pipevine/runtime';

/** Largest message that a command may put together of parts, bytes: that of a pipe. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** What one command sends on one pipe: parts become messages, and go one after the other. */
export class OutgoingMessages {
  readonly #send: (message: Uint8Array, signal: AbortSignal) => Promise<unknown>;
  readonly #finish: (signal: AbortSignal) => Promise<void>;
  #parts: Uint8Array[] = [];
  #partBytes = 0;
  #turn: Promise<unknown> = Promise.resolve();
  #messages = 0;
  #bytes = 0;
  #settle: (result: { readonly messages: number; readonly bytes: number }) => void = () => {};
  readonly ended: Promise<{ readonly messages: number; readonly bytes: number }>;

  /** `finish` waits until what was sent has been acknowledged. */
  constructor(
    send: (message: Uint8Array, signal: AbortSignal) => Promise<unknown>,
    finish: (signal: AbortSignal) => Promise<void>,
  ) {
    this.#send = send;
    this.#finish = finish;
    this.ended = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  /** Resolves when the pipe has taken all. `more`: the last part is not yet the end of its message. */
  write(data: readonly string[], more: boolean, signal: AbortSignal): Promise<void> {
    return this.#next(async () => {
      for (const [index, text] of data.entries()) {
        const part = Buffer.from(text, 'base64');
        this.#parts.push(part);
        this.#partBytes += part.length;
        if (this.#partBytes > MAX_MESSAGE_BYTES) {
          throw new PipevineError('too-large', `a message may have ${MAX_MESSAGE_BYTES} bytes at most`);
        }
        if (more && index === data.length - 1) return;
        const message = Buffer.concat(this.#parts.splice(0));
        this.#partBytes = 0;
        await this.#send(message, signal);
        this.#messages++;
        this.#bytes += message.length;
      }
    });
  }

  /** No more comes. */
  end(signal: AbortSignal): Promise<void> {
    return this.#next(async () => {
      await this.#finish(signal);
      this.#settle({ messages: this.#messages, bytes: this.#bytes });
    });
  }

  #next(action: () => Promise<void>): Promise<void> {
    const run = this.#turn.then(action);
    this.#turn = run.catch(() => undefined);
    return run;
  }
}
