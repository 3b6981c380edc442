/**
 * Memory that one neighbour may make this side promise for what it sends. Windows get smaller as they become many, and
 * are bounded by the number of pipes; what large messages need beyond their window has a limit of its own, so that many
 * idle pipes do not keep a large message from passing.
 */
export class ReceiveBudget {
  readonly limitBytes: number;
  #windows = 0;
  #beyond = 0;
  #refused = 0;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  /** Promised beyond the windows. */
  get usedBytes(): number {
    return this.#beyond;
  }

  /** Promised as windows. */
  get windowBytes(): number {
    return this.#windows;
  }

  /** How often `take` said no. */
  get refused(): number {
    return this.#refused;
  }

  /** Takes what a large message needs beyond its window. */
  take(bytes: number): boolean {
    if (this.#beyond + bytes > this.limitBytes) {
      this.#refused++;
      return false;
    }
    this.#beyond += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#beyond -= bytes;
  }

  /** A pipe moves here, with a window and what it was promised beyond it. */
  enter(windowBytes: number, beyondBytes: number): void {
    this.#windows += windowBytes;
    this.#beyond += beyondBytes;
  }

  leave(windowBytes: number, beyondBytes: number): void {
    this.#windows -= windowBytes;
    this.#beyond -= beyondBytes;
  }

  /** The window for one more pipe: a full one while there is plenty, a smaller one later, never less than `minBytes`. */
  windowFor(fullBytes: number, minBytes: number): number {
    const least = Math.min(minBytes, fullBytes);
    return Math.max(least, Math.min(fullBytes, Math.floor((this.limitBytes - this.#windows) / 8)));
  }
}
