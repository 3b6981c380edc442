/** Knows which of many owners has the most, at constant cost for each thing that comes or goes. */
export class SizeRanking<T> {
  readonly #sizes = new Map<T, number>();
  readonly #owners = new Map<number, Set<T>>();
  #largest = 0;

  sizeOf(owner: T): number {
    return this.#sizes.get(owner) ?? 0;
  }

  /** An owner with the most, or undefined when nobody has anything. */
  get largest(): T | undefined {
    const [first] = this.#owners.get(this.#largest) ?? [];
    return first;
  }

  grow(owner: T): void {
    const size = this.sizeOf(owner) + 1;
    this.#move(owner, size - 1, size);
    if (size > this.#largest) this.#largest = size;
  }

  shrink(owner: T): void {
    const size = this.sizeOf(owner);
    if (size === 0) return;
    this.#move(owner, size, size - 1);
    // When the last owner of the largest size shrinks, it has just become one of the next smaller size.
    if (size === this.#largest && !this.#owners.has(size)) this.#largest = size - 1;
  }

  #move(owner: T, from: number, to: number): void {
    const before = this.#owners.get(from);
    before?.delete(owner);
    if (before?.size === 0) this.#owners.delete(from);
    if (to === 0) {
      this.#sizes.delete(owner);
      return;
    }
    this.#sizes.set(owner, to);
    const after = this.#owners.get(to);
    if (after === undefined) this.#owners.set(to, new Set([owner]));
    else after.add(owner);
  }
}
