import type { ListedAffordance, ListedThing } from '../admin/list-things.ts';
import type { ReadValue } from '../admin/read-value.ts';

/** Each value that is in sight is read this often, ms. */
const INTERVAL_MS = 4_000;
/** Reads under way at a time. */
const MAX_UNDER_WAY = 4;
/** Values that are read in turn; further ones show theirs when the pointer or the focus is on them. */
const MAX_FOLLOWED = 40;

export interface ShownValue {
  readonly text: string;
  /** When the device's side had it, ISO 8601; for an error its message. */
  readonly title: string;
  readonly failed: boolean;
}

/** Reads the values of the properties that the sidebar shows. */
export class ValueFollow {
  readonly #peer: string;
  readonly #onValue: (key: string, value: ShownValue) => void;
  readonly #values = new Map<string, ShownValue>();
  #wanted: readonly { readonly key: string; readonly url: string }[] = [];
  #running = false;
  #timer: number | undefined;
  readonly #underWay = new Set<string>();

  constructor(peer: string, onValue: (key: string, value: ShownValue) => void) {
    this.#peer = peer;
    this.#onValue = onValue;
  }

  /** What was read last. */
  value(key: string): ShownValue | undefined {
    return this.#values.get(key);
  }

  /** These are in sight now. */
  follow(
    rows: readonly { readonly key: string; readonly thing: ListedThing; readonly affordance: ListedAffordance }[],
  ): void {
    const readable = rows.filter(({ affordance, thing }) => !affordance.writeOnly && thing.availability !== 'lost');
    this.#wanted = readable
      .slice(0, MAX_FOLLOWED)
      .map(({ key, thing, affordance }) => ({ key, url: this.#url(thing.id, affordance.name) }));
    const keys = new Set(rows.map(({ key }) => key));
    for (const key of this.#values.keys()) if (!keys.has(key)) this.#values.delete(key);
    if (this.#running) for (const { key, url } of this.#wanted) if (!this.#values.has(key)) void this.#read(key, url);
  }

  /** Reads one now. */
  look(key: string, thing: ListedThing, affordance: ListedAffordance): void {
    if (!affordance.writeOnly) void this.#read(key, this.#url(thing.id, affordance.name));
  }

  run(): void {
    if (this.#running) return;
    this.#running = true;
    void this.#round();
  }

  pause(): void {
    this.#running = false;
    window.clearTimeout(this.#timer);
  }

  #url(thing: string, property: string): string {
    return `pipevine/${[this.#peer, 'value', thing, property].map(encodeURIComponent).join('/')}`;
  }

  async #round(): Promise<void> {
    const waiting = [...this.#wanted];
    const worker = async () => {
      for (let next = waiting.shift(); next !== undefined && this.#running; next = waiting.shift()) {
        await this.#read(next.key, next.url);
      }
    };
    await Promise.all(Array.from({ length: MAX_UNDER_WAY }, worker));
    window.clearTimeout(this.#timer);
    if (this.#running) this.#timer = window.setTimeout(() => void this.#round(), INTERVAL_MS);
  }

  async #read(key: string, url: string): Promise<void> {
    if (this.#underWay.has(key) || this.#underWay.size >= 2 * MAX_UNDER_WAY) return;
    this.#underWay.add(key);
    let shown: ShownValue;
    try {
      const answer: ReadValue = await $.getJSON(url);
      shown =
        'code' in answer
          ? { text: answer.code, title: answer.message, failed: true }
          : { text: answer.text, title: answer.timestamp, failed: false };
    } catch {
      // Node-RED is not there, or does not let this user: the list says so.
      return;
    } finally {
      this.#underWay.delete(key);
    }
    this.#values.set(key, shown);
    this.#onValue(key, shown);
  }
}
