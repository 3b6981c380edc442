/**
 * Which descriptions a broker retains, to find out after an absence which of them were removed meanwhile. A removal is an
 * empty message that only those hear who are connected.
 */
export class RetainedInventory {
  /** Retained when the last synchronisation was over, or since. */
  #known = new Set<string>();
  #cameAgain = new Set<string>();
  #retainedAgain = 0;

  /** A new connection: everything that is retained comes again. */
  begin(): void {
    this.#cameAgain = new Set();
    this.#retainedAgain = 0;
  }

  heard(topic: string, isEmpty: boolean, isRetained: boolean): void {
    if (isEmpty) {
      this.#known.delete(topic);
      this.#cameAgain.delete(topic);
      return;
    }
    this.#cameAgain.add(topic);
    if (!isRetained) return;
    if (this.#known.has(topic)) this.#retainedAgain++;
    this.#known.add(topic);
  }

  /**
   * The topics that were retained and did not come again. None when nothing came again that was retained before: then
   * the broker has lost its memory, which says nothing about the devices.
   */
  missing(): string[] {
    if (this.#retainedAgain === 0) return [];
    const missing = [...this.#known].filter((topic) => !this.#cameAgain.has(topic));
    for (const topic of missing) this.#known.delete(topic);
    return missing;
  }
}
