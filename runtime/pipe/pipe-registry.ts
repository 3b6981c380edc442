import type { PipeEnd } from './pipe-end.ts';

/** All pipes of this process that are bound or wait for a link, by their id and by which end this is. */
export class PipeRegistry {
  readonly limit: number;
  readonly #pipes = new Map<string, PipeEnd>();

  constructor(limit: number) {
    this.limit = limit;
  }

  get size(): number {
    return this.#pipes.size;
  }

  hasRoom(): boolean {
    return this.#pipes.size < this.limit;
  }

  add(pipe: PipeEnd): void {
    this.#pipes.set(keyOf(pipe.role, pipe.id), pipe);
  }

  delete(pipe: PipeEnd): void {
    const key = keyOf(pipe.role, pipe.id);
    if (this.#pipes.get(key) === pipe) this.#pipes.delete(key);
  }

  get(role: 'binder' | 'acceptor', id: Uint8Array): PipeEnd | undefined {
    return this.#pipes.get(keyOf(role, id));
  }

  all(): PipeEnd[] {
    return [...this.#pipes.values()];
  }
}

function keyOf(role: 'binder' | 'acceptor', id: Uint8Array): string {
  return role + String.fromCharCode(...id);
}
