import type { Clock, JsonValue, Timer } from '@pipevine/runtime';
import type { BoardProperty } from '@pipevine/transports';

export interface BoardSamplerInit {
  readonly clock: Clock;
  readonly properties: readonly BoardProperty[];
  readonly onChange: (name: string, value: JsonValue) => void;
  /** A property cannot be read; told once, until it can again. */
  readonly onFault: (name: string, error: unknown) => void;
}

/** Looks at the properties that do not tell by themselves, each at its own interval, those of one interval together. */
export class BoardSampler {
  readonly #init: BoardSamplerInit;
  readonly #timers = new Map<number, Timer>();
  readonly #told = new Map<string, JsonValue>();
  readonly #faulty = new Set<string>();
  #closed = false;

  constructor(init: BoardSamplerInit) {
    this.#init = init;
    for (const intervalMs of new Set(init.properties.flatMap((each) => each.intervalMs ?? []))) this.#wait(intervalMs);
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers.values()) timer.cancel();
  }

  #wait(intervalMs: number): void {
    if (this.#closed) return;
    this.#timers.set(
      intervalMs,
      this.#init.clock.setTimer(intervalMs, () => {
        const due = this.#init.properties.filter((property) => property.intervalMs === intervalMs);
        // The next look comes after this one, however long a slow bus takes.
        void Promise.all(due.map((property) => this.#look(property))).then(() => this.#wait(intervalMs));
      }),
    );
  }

  /** Never rejects. */
  async #look(property: BoardProperty): Promise<void> {
    const { name, differs = different } = property;
    try {
      const value = await property.read();
      this.#faulty.delete(name);
      const before = this.#told.get(name);
      if (this.#closed || (before !== undefined && !differs(before, value))) return;
      this.#told.set(name, value);
      this.#init.onChange(name, value);
    } catch (error) {
      if (this.#faulty.has(name) || this.#closed) return;
      this.#faulty.add(name);
      this.#init.onFault(name, error);
    }
  }
}

function different(before: JsonValue, now: JsonValue): boolean {
  return JSON.stringify(before) !== JSON.stringify(now);
}
