import { base32Encode } from '../id/base32.ts';
import type { PeerId } from '../id/peer-id.ts';
import { joinBytes } from '../wire/join-bytes.ts';
import type { Content } from './propagate-codec.ts';
import { MAX_PARTIAL, MAX_PARTIAL_OF_ORIGIN, PARTIAL_MS } from './propagate-defaults.ts';

interface Partial {
  readonly origin: PeerId;
  readonly name: string;
  readonly parts: (Uint8Array | undefined)[];
  missing: number;
  readonly untilMs: number;
}

/** Large messages, of which some fragments have come. An origin that leaves many unfinished loses its own, not others'. */
export class FragmentAssembly {
  readonly #partials = new Map<string, Partial>();
  #dropped = 0;

  get size(): number {
    return this.#partials.size;
  }

  /** Messages given up, for lack of fragments or of room. */
  get dropped(): number {
    return this.#dropped;
  }

  /** The message once it is whole; undefined until then. */
  add(origin: PeerId, { name, bytes, fragment }: Content, nowMs: number): Uint8Array | undefined {
    if (fragment === undefined) return bytes;
    this.#expire(nowMs);
    const key = `${origin} ${base32Encode(fragment.message)}`;
    const partial = this.#partials.get(key) ?? this.#begin(key, origin, name, fragment.count, nowMs);
    if (partial.parts.length !== fragment.count || partial.name !== name) {
      this.#drop(key);
      return undefined;
    }
    if (partial.parts[fragment.index] === undefined) partial.missing--;
    partial.parts[fragment.index] = bytes;
    if (partial.missing > 0) return undefined;
    this.#partials.delete(key);
    return joinBytes(partial.parts.filter((part) => part !== undefined));
  }

  #begin(key: string, origin: PeerId, name: string, count: number, nowMs: number): Partial {
    const own = [...this.#partials].filter(([, partial]) => partial.origin === origin);
    const [oldestOwn] = own;
    if (own.length >= MAX_PARTIAL_OF_ORIGIN && oldestOwn !== undefined) this.#drop(oldestOwn[0]);
    else if (this.#partials.size >= MAX_PARTIAL) {
      const [oldest] = this.#partials.keys();
      if (oldest !== undefined) this.#drop(oldest);
    }
    const parts = new Array<Uint8Array | undefined>(count).fill(undefined);
    const partial = { origin, name, parts, missing: count, untilMs: nowMs + PARTIAL_MS };
    this.#partials.set(key, partial);
    return partial;
  }

  #expire(nowMs: number): void {
    for (const [key, { untilMs }] of this.#partials) if (untilMs <= nowMs) this.#drop(key);
  }

  #drop(key: string): void {
    this.#dropped++;
    this.#partials.delete(key);
  }
}
