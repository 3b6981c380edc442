/** Keeps values up to a total cost; the one not used for longest goes first. */
export class LruCache<T> {
  readonly #maxCost: number;
  readonly #entries = new Map<string, { readonly value: T; readonly cost: number }>();
  #cost = 0;
  #evicted = 0;

  constructor(maxCost: number) {
    this.#maxCost = maxCost;
  }

  get size(): number {
    return this.#entries.size;
  }

  get cost(): number {
    return this.#cost;
  }

  get evicted(): number {
    return this.#evicted;
  }

  get(key: string): T | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  /** A value that costs more than all may cost together is not kept. */
  set(key: string, value: T, cost: number): void {
    this.delete(key);
    if (cost > this.#maxCost) return;
    this.#entries.set(key, { value, cost });
    this.#cost += cost;
    for (const oldest of this.#entries.keys()) {
      if (this.#cost <= this.#maxCost) break;
      this.delete(oldest);
      this.#evicted++;
    }
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#cost -= entry.cost;
  }
}
