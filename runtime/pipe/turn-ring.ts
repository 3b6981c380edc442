import type { PipePriority } from './pipe.ts';

/** Classes from the first to the last. */
const ORDER: readonly PipePriority[] = ['control', 'normal', 'bulk'];

/** Turns of others after which a class that waits gets one all the same. */
const PATIENCE_TURNS = 16;

interface Waiting<T> {
  readonly priority: PipePriority;
  readonly queue: T[];
  passedOver: number;
}

/** Who is next: of the highest class that waits, in the order in which they came; no class is kept waiting for ever. */
export class TurnRing<T> {
  readonly #classes: readonly Waiting<T>[] = ORDER.map((priority) => ({ priority, queue: [], passedOver: 0 }));
  #size = 0;

  get isEmpty(): boolean {
    return this.#size === 0;
  }

  push(user: T, priority: PipePriority): void {
    this.#classes.find((one) => one.priority === priority)?.queue.push(user);
    this.#size++;
  }

  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    const only = this.#classes.find(({ queue }) => queue.length === this.#size);
    if (only !== undefined) {
      this.#size--;
      return only.queue.shift();
    }
    const waiting = this.#classes.filter(({ queue }) => queue.length > 0);
    const chosen = waiting.findLast(({ passedOver }) => passedOver >= PATIENCE_TURNS) ?? waiting[0];
    if (chosen === undefined) return undefined;
    for (const one of waiting) one.passedOver = one === chosen ? 0 : one.passedOver + 1;
    this.#size--;
    return chosen.queue.shift();
  }

  clear(): void {
    for (const { queue } of this.#classes) queue.length = 0;
    this.#size = 0;
  }
}
