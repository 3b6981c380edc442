/**
 * The channels on which one side of a link receives. The smallest free slot is given first, so that most channel numbers
 * take one byte.
 *
 * A slot is free again only when no frame for its last user can come any more. On an ordered link the UNBIND of the other
 * side proves that. On another a frame may be late by any time: there each use of a slot has a number of its own, slot
 * plus generation times capacity, and a late frame meets no channel.
 */
export class ChannelTable<T> {
  readonly capacity: number;
  readonly #ordered: boolean;
  readonly #users: (T | undefined)[] = [];
  readonly #generations: number[] = [];
  #used = 0;
  #lowestFree = 0;

  constructor(capacity: number, ordered: boolean) {
    this.capacity = capacity;
    this.#ordered = ordered;
  }

  get used(): number {
    return this.#used;
  }

  get full(): boolean {
    return this.#used >= this.capacity;
  }

  /** The channel that was given to `user`. Not to be called when full. */
  add(user: T): number {
    let slot = this.#lowestFree;
    while (this.#users[slot] !== undefined) slot++;
    this.#lowestFree = slot + 1;
    this.#users[slot] = user;
    this.#used++;
    return slot + (this.#generations[slot] ?? 0) * this.capacity;
  }

  get(channel: number): T | undefined {
    if (this.#ordered) return this.#users[channel];
    const slot = channel % this.capacity;
    return channel === slot + (this.#generations[slot] ?? 0) * this.capacity ? this.#users[slot] : undefined;
  }

  /** Frees a channel, if `user` still has it. */
  remove(channel: number, user: T): void {
    if (this.get(channel) !== user) return;
    const slot = channel % this.capacity;
    this.#users[slot] = undefined;
    this.#used--;
    this.#lowestFree = Math.min(this.#lowestFree, slot);
    if (!this.#ordered) this.#generations[slot] = ((this.#generations[slot] ?? 0) + 1) % MAX_GENERATIONS;
  }

  /** Whoever has a channel now, in a copy. */
  users(): T[] {
    return this.#users.filter((user) => user !== undefined);
  }
}

/** A channel number has 32 bits; a slot comes back to the same number after so many uses. */
const MAX_GENERATIONS = 65_536;
