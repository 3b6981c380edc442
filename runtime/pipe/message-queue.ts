import type { PipevineError } from '../error/pipevine-error.ts';
import { messageEnd, messageStart } from './message-pack.ts';

/** Messages that came and were not taken yet. A pack is taken apart only as it is read. */
interface Entry {
  readonly bytes: Uint8Array;
  /** Offset of the next message of a pack; undefined for a message alone. */
  at: number | undefined;
  cost: number;
}

interface Reader {
  readonly resolve: (result: IteratorResult<Uint8Array, undefined>) => void;
  readonly reject: (error: PipevineError) => void;
}

/** Holds messages for iteration. Flow control bounds it: what is in it counts as not consumed. */
export class MessageQueue {
  readonly #onConsumed: (cost: number) => void;
  #entries: (Entry | undefined)[] = [];
  #head = 0;
  #cost = 0;
  readonly #readers: Reader[] = [];
  #end: { readonly error: PipevineError | undefined } | undefined;

  constructor(onConsumed: (cost: number) => void) {
    this.#onConsumed = onConsumed;
  }

  /** Cost of what waits. */
  get cost(): number {
    return this.#cost;
  }

  get isEmpty(): boolean {
    return this.#head === this.#entries.length;
  }

  /** One message that nobody else changes, or a checked pack of them. */
  push(bytes: Uint8Array, cost: number, isPack: boolean): void {
    this.#entries.push({ bytes, at: isPack ? 0 : undefined, cost });
    this.#cost += cost;
    while (this.#readers.length > 0 && !this.isEmpty) {
      const value = this.shift();
      if (value === undefined) return;
      this.#readers.shift()?.resolve({ done: false, value });
    }
  }

  /** Takes the oldest message. */
  shift(): Uint8Array | undefined {
    const entry = this.#entries[this.#head];
    if (entry === undefined) return undefined;
    let message = entry.bytes;
    let cost = entry.cost;
    if (entry.at !== undefined) {
      const end = messageEnd(entry.bytes, entry.at);
      message = entry.bytes.subarray(messageStart(entry.bytes, entry.at), end);
      if (end < entry.bytes.length) {
        // The last message of a pack pays what is left of its cost.
        cost = Math.min(end - entry.at, entry.cost);
        entry.cost -= cost;
        entry.at = end;
      } else {
        this.#drop();
      }
    } else {
      this.#drop();
    }
    this.#cost -= cost;
    this.#onConsumed(cost);
    return message;
  }

  /** What is in it can still be read; then readers see the end, or the error. */
  end(error: PipevineError | undefined): void {
    this.#end ??= { error };
    for (const reader of this.#readers.splice(0)) this.#finish(reader);
  }

  read(): Promise<IteratorResult<Uint8Array, undefined>> {
    return new Promise((resolve, reject) => {
      const value = this.shift();
      if (value !== undefined) resolve({ done: false, value });
      else if (this.#end !== undefined) this.#finish({ resolve, reject });
      else this.#readers.push({ resolve, reject });
    });
  }

  #drop(): void {
    this.#entries[this.#head++] = undefined;
    if (this.#head < 64 || this.#head * 2 < this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#head);
    this.#head = 0;
  }

  #finish(reader: Reader): void {
    const error = this.#end?.error;
    if (error === undefined) reader.resolve({ done: true, value: undefined });
    else reader.reject(error);
  }
}
