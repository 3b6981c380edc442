import type { PipevineError } from '../error/pipevine-error.ts';
import type { Link, LinkHandler } from '../link/link.ts';
import type { ControlFrame } from '../wire/frame.ts';

/** Passes on what a link tells, and lets the endpoint end it at once, whatever the connection still does. */
export class LinkSupervisor implements LinkHandler {
  readonly link: Link;
  readonly #user: LinkHandler;
  readonly #onEnded: (error: PipevineError | undefined) => void;
  #ended = false;

  constructor(link: Link, user: LinkHandler, onEnded: (error: PipevineError | undefined) => void) {
    this.link = link;
    this.#user = user;
    this.#onEnded = onEnded;
  }

  onData(channel: number, payload: Uint8Array, sequence: number | undefined, more: boolean): void {
    if (!this.#ended) this.#user.onData(channel, payload, sequence, more);
  }

  onFrame(frame: ControlFrame): void {
    if (!this.#ended) this.#user.onFrame(frame);
  }

  onRecordEnd(): void {
    if (!this.#ended) this.#user.onRecordEnd();
  }

  onWritable(): void {
    if (!this.#ended) this.#user.onWritable();
  }

  onClosed(error?: PipevineError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#user.onClosed(error);
    this.#onEnded(error);
  }

  /** Says CLOSE and is done with the link. */
  retire(code: string, reason: string): void {
    if (this.#ended) return;
    this.link.close(code, reason);
    this.onClosed();
  }
}
