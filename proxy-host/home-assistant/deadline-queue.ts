/** Something that is due once. Its owner may move `atMs` later or clear it at any time. */
export interface Deadline {
  /** When it is due; undefined: called off. */
  atMs: number | undefined;
  /** When the queue looks at it next; undefined while it is not in the queue. Belongs to the queue. */
  queuedMs: number | undefined;
}

/**
 * A binary heap of deadlines. One that moves later stays where it is and is put back when its old time comes, so a value
 * refreshed a thousand times a second is in the queue once. One that moves earlier is entered again; the entry left
 * behind is dropped when it comes up.
 */
export class DeadlineQueue<T extends Deadline> {
  readonly #heap: { atMs: number; deadline: T }[] = [];

  get size(): number {
    return this.#heap.length;
  }

  schedule(deadline: T, atMs: number | undefined): void {
    deadline.atMs = atMs;
    if (atMs === undefined || (deadline.queuedMs !== undefined && deadline.queuedMs <= atMs)) return;
    deadline.queuedMs = atMs;
    this.#push({ atMs, deadline });
  }

  /** The next time to call `due`. May be earlier than the next deadline, never later. */
  get nextMs(): number | undefined {
    return this.#heap[0]?.atMs;
  }

  /** Takes out one deadline that is due; undefined when there is none left. */
  due(nowMs: number): T | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.atMs > nowMs) return undefined;
      this.#pop();
      const { deadline } = first;
      if (deadline.queuedMs !== first.atMs) continue;
      deadline.queuedMs = undefined;
      if (deadline.atMs === undefined) continue;
      if (deadline.atMs <= nowMs) {
        deadline.atMs = undefined;
        return deadline;
      }
      this.schedule(deadline, deadline.atMs);
    }
  }

  #push(entry: { atMs: number; deadline: T }): void {
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

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = at * 2 + 1;
      const leftEntry = heap[left];
      if (leftEntry === undefined) break;
      const rightEntry = heap[left + 1];
      const isRight = rightEntry !== undefined && rightEntry.atMs < leftEntry.atMs;
      const child = isRight ? rightEntry : leftEntry;
      if (child.atMs >= last.atMs) break;
      heap[at] = child;
      at = isRight ? left + 1 : left;
    }
    heap[at] = last;
  }
}
