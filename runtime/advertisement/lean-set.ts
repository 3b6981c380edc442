/** A set that costs two fields as long as it has one member at most: for the many that stay that small. */
export class LeanSet<T extends object> {
  #one: T | undefined;
  #many: Set<T> | undefined;

  get size(): number {
    return this.#many?.size ?? (this.#one === undefined ? 0 : 1);
  }

  add(member: T): void {
    if (this.#many !== undefined) this.#many.add(member);
    else if (this.#one === undefined || this.#one === member) this.#one = member;
    else {
      this.#many = new Set([this.#one, member]);
      this.#one = undefined;
    }
  }

  delete(member: T): void {
    if (this.#one === member) this.#one = undefined;
    else this.#many?.delete(member);
  }

  *[Symbol.iterator](): Iterator<T> {
    if (this.#one !== undefined) yield this.#one;
    else if (this.#many !== undefined) yield* this.#many;
  }
}
