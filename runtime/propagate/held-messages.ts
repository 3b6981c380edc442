import type { Credential } from '../group/group-access.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Envelope } from './propagate-codec.ts';
import { HELD_MS, MAX_HELD, MAX_HELD_OF_ORIGIN } from './propagate-defaults.ts';

/** A sealed message of a member. */
export interface SealedMessage {
  readonly from: PeerId;
  readonly credential: Credential;
  readonly envelope: Envelope;
}

/** Sealed messages that wait for their key: a bounded few, and not for long. */
export class HeldMessages {
  #held: { readonly message: SealedMessage; readonly untilMs: number }[] = [];
  #dropped = 0;

  get size(): number {
    return this.#held.length;
  }

  get dropped(): number {
    return this.#dropped;
  }

  /** One too many of its origin, or of all, is dropped. */
  add(message: SealedMessage, nowMs: number): void {
    this.#expire(nowMs);
    const ofOrigin = this.#held.filter(({ message: { from } }) => from === message.from).length;
    if (this.#held.length >= MAX_HELD || ofOrigin >= MAX_HELD_OF_ORIGIN) this.#dropped++;
    else this.#held.push({ message, untilMs: nowMs + HELD_MS });
  }

  /** Takes out those that can be read now, in the order in which they came. */
  take(isReadable: (message: SealedMessage) => boolean, nowMs: number): SealedMessage[] {
    this.#expire(nowMs);
    const readable = this.#held.filter(({ message }) => isReadable(message));
    this.#held = this.#held.filter((one) => !readable.includes(one));
    return readable.map(({ message }) => message);
  }

  #expire(nowMs: number): void {
    const { length } = this.#held;
    this.#held = this.#held.filter(({ untilMs }) => untilMs > nowMs);
    this.#dropped += length - this.#held.length;
  }
}
