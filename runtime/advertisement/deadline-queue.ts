/** Something that has at most one deadline. The queue alone sets it. */
export interface Scheduled {
  wakeAtMs: number | undefined;
}

/**
 * A binary heap of deadlines. Cancelling and moving leave the old place in the heap, where it is passed over; the heap
 * is rebuilt when more than half of it is such places.
 */
export class DeadlineQueue<T extends Scheduled> {
  #heap: { readonly atMs: number; readonly item: T }[] = [];
  #live = 0;

  /** Items that have a deadline. */
  get size(): number {
    return this.#live;
  }

  /** Sets or moves the item's deadline. */
  schedule(item: T, atMs: number): void {
    if (item.wakeAtMs === atMs) return;
    if (item.wakeAtMs === undefined) this.#live++;
    item.wakeAtMs = atMs;
    this.#push({ atMs, item });
    if (this.#heap.length > 64 && this.#heap.length > 2 * this.#live) this.#rebuild();
  }

  cancel(item: T): void {
    if (item.wakeAtMs === undefined) return;
    item.wakeAtMs = undefined;
    this.#live--;
  }

  /** The earliest deadline. */
  nextDeadline(): number | undefined {
    for (;;) {
      const top = this.#heap[0];
      if (top === undefined) return undefined;
      if (top.item.wakeAtMs === top.atMs) return top.atMs;
      this.#pop();
    }
  }

  /** Takes out the earliest item whose deadline is at or before `nowMs`; it has none after that. */
  takeDue(nowMs: number): T | undefined {
    const deadline = this.nextDeadline();
    if (deadline === undefined || deadline > nowMs) return undefined;
    const item = this.#pop()?.item;
    if (item !== undefined) this.cancel(item);
    return item;
  }

  #push(entry: { readonly atMs: number; readonly item: T }): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || above.atMs <= entry.atMs) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): { readonly atMs: number; readonly item: T } | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const right = heap[child + 1];
      let below = heap[child];
      if (below === undefined) break;
      if (right !== undefined && right.atMs < below.atMs) {
        below = right;
        child++;
      }
      if (below.atMs >= last.atMs) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
    return top;
  }

  #rebuild(): void {
    const seen = new Set<T>();
    const entries = this.#heap;
    this.#heap = [];
    for (const entry of entries) {
      if (entry.item.wakeAtMs !== entry.atMs || seen.has(entry.item)) continue;
      seen.add(entry.item);
      this.#push(entry);
    }
  }
}
