/** A timer of the virtual clock. */
export interface HeapTimer {
  readonly dueMs: number;
  /** Order of insertion: decides between timers that are due at the same time. */
  readonly order: number;
  callback: (() => void) | undefined;
}

/** A binary heap by (due time, insertion). Cancelled timers stay until they surface, or until they are the half of it. */
export class TimerHeap {
  #timers: HeapTimer[] = [];
  #cancelled = 0;

  /** Timers that have not been cancelled. */
  get size(): number {
    return this.#timers.length - this.#cancelled;
  }

  push(timer: HeapTimer): void {
    this.#timers.push(timer);
    this.#rise(this.#timers.length - 1);
  }

  cancel(timer: HeapTimer): void {
    if (timer.callback === undefined) return;
    timer.callback = undefined;
    this.#cancelled++;
    if (this.#cancelled > 64 && this.#cancelled * 2 > this.#timers.length) this.#rebuild();
  }

  /** The timer that is due first, or undefined. */
  peek(): HeapTimer | undefined {
    while (this.#timers[0] !== undefined && this.#timers[0].callback === undefined) {
      this.#removeFirst();
      this.#cancelled--;
    }
    return this.#timers[0];
  }

  pop(): HeapTimer | undefined {
    const first = this.peek();
    if (first !== undefined) this.#removeFirst();
    return first;
  }

  #removeFirst(): void {
    const last = this.#timers.pop();
    if (last === undefined || this.#timers.length === 0) return;
    this.#timers[0] = last;
    this.#sink(0);
  }

  #rebuild(): void {
    this.#timers = this.#timers.filter((timer) => timer.callback !== undefined);
    this.#cancelled = 0;
    for (let i = (this.#timers.length >> 1) - 1; i >= 0; i--) this.#sink(i);
  }

  #rise(from: number): void {
    let index = from;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#swapIfBefore(index, parent)) return;
      index = parent;
    }
  }

  #sink(from: number): void {
    let index = from;
    for (;;) {
      const left = 2 * index + 1;
      const child = this.#isBefore(left + 1, left) ? left + 1 : left;
      if (!this.#swapIfBefore(child, index)) return;
      index = child;
    }
  }

  #isBefore(a: number, b: number): boolean {
    const first = this.#timers[a];
    const second = this.#timers[b];
    if (first === undefined || second === undefined) return false;
    return first.dueMs < second.dueMs || (first.dueMs === second.dueMs && first.order < second.order);
  }

  #swapIfBefore(a: number, b: number): boolean {
    const first = this.#timers[a];
    const second = this.#timers[b];
    if (first === undefined || second === undefined || !this.#isBefore(a, b)) return false;
    this.#timers[a] = second;
    this.#timers[b] = first;
    return true;
  }
}
