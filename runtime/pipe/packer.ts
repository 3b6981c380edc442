import type { Clock } from '../platform/clock.ts';
import { packedBytes, packedMessage, packMessage } from './message-pack.ts';
import type { PipeSession } from './pipe-session.ts';

/** Bytes that sealing adds. */
const TAG_BYTES = 16;

/** First size of the buffer, in bytes; it grows as messages come, and is let go at each end of a turn. */
const FIRST_BYTES = 512;

export interface PackerInit {
  readonly clock: Clock;
  readonly session: PipeSession;
  /** Largest payload of a frame now. */
  readonly maxFrameBytes: () => number;
  /** Takes a sealed payload and its number. */
  readonly push: (sealed: Uint8Array, number: number) => void;
}

/** Seals the messages of one turn together, as many as fit into a frame: sealing each by itself would cost far more. */
export class Packer {
  readonly #init: PackerInit;
  #buffer = new Uint8Array(0);
  #used = 0;
  #turnPending = false;

  constructor(init: PackerInit) {
    this.#init = init;
  }

  /** Bytes that wait for the end of the turn. */
  get pendingBytes(): number {
    return this.#used;
  }

  add(message: Uint8Array): void {
    const length = packedBytes(message.length);
    const most = this.#init.maxFrameBytes() - TAG_BYTES;
    if (this.#used + length > most) this.flush();
    if (length > most) return this.#seal(packedMessage(message));
    this.#reserve(this.#used + length, most);
    this.#used = packMessage(this.#buffer, this.#used, message);
    if (this.#turnPending) return;
    this.#turnPending = true;
    this.#init.clock.endOfTurn(() => {
      this.#turnPending = false;
      this.flush();
      this.#buffer = new Uint8Array(0);
    });
  }

  /** Seals what waits, now. */
  flush(): void {
    if (this.#used === 0) return;
    const plaintext = this.#buffer.subarray(0, this.#used);
    this.#used = 0;
    this.#seal(plaintext);
  }

  #seal(plaintext: Uint8Array): void {
    const number = this.#init.session.sent;
    this.#init.push(this.#init.session.seal(plaintext), number);
  }

  #reserve(bytes: number, most: number): void {
    if (bytes <= this.#buffer.length) return;
    let size = Math.max(this.#buffer.length, FIRST_BYTES);
    while (size < bytes) size *= 2;
    const grown = new Uint8Array(Math.min(size, most));
    grown.set(this.#buffer.subarray(0, this.#used));
    this.#buffer = grown;
  }
}
