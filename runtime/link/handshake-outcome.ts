import { PipevineError } from '../error/pipevine-error.ts';
import type { Timer } from '../platform/clock.ts';
import { HANDSHAKE_TIMEOUT_MS } from './link-defaults.ts';
import type { LinkInit } from './link-init.ts';
import type { SessionLink } from './session-link.ts';

/** The one end of a handshake: a link, or an error and an aborted connection, at the deadline at the latest. */
export class HandshakeOutcome {
  readonly link: Promise<SessionLink>;
  readonly #init: LinkInit;
  readonly #timer: Timer;
  readonly #onAbort = () => {
    if (this.#mayAbort()) this.fail(new PipevineError('aborted', 'The handshake was aborted by its caller.'));
  };
  readonly #cleanUp: () => void;
  readonly #mayAbort: () => boolean;
  #resolve: (link: SessionLink) => void = () => {};
  #reject: (error: PipevineError) => void = () => {};
  #settled = false;

  /** `cleanUp` is called once, whatever the outcome. `mayAbort` tells whether the caller's signal still counts; default: always. */
  constructor(init: LinkInit, cleanUp: () => void, mayAbort: () => boolean = () => true) {
    this.#init = init;
    this.#cleanUp = cleanUp;
    this.#mayAbort = mayAbort;
    this.link = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const timeoutMs = init.timeoutMs ?? HANDSHAKE_TIMEOUT_MS;
    this.#timer = init.clock.setTimer(timeoutMs, () => {
      const address = init.connection.remoteAddress;
      this.fail(new PipevineError('timeout', `The handshake with ${address} did not end within ${timeoutMs} ms.`));
    });
    init.signal?.addEventListener('abort', this.#onAbort);
    if (init.signal?.aborted) this.#onAbort();
  }

  get settled(): boolean {
    return this.#settled;
  }

  succeed(link: SessionLink): void {
    if (!this.#settle()) return;
    // Until the owner has started the link nothing more should come.
    this.#init.connection.pause();
    this.#resolve(link);
  }

  fail(error: PipevineError): void {
    if (!this.#settle()) return;
    this.#init.connection.abort();
    this.#reject(error);
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#timer.cancel();
    this.#init.signal?.removeEventListener('abort', this.#onAbort);
    this.#cleanUp();
    return true;
  }
}

/** What has gone wrong in a handshake, as the one error it is. */
export function handshakeError(cause: unknown): PipevineError {
  if (cause instanceof PipevineError) return cause;
  return new PipevineError('internal', `The handshake failed: ${String(cause)}`, { cause });
}
