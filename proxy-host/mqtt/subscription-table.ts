import { PipevineError } from '@pipevine/runtime';
import { topicFilterFault } from './topic.ts';

interface Entry {
  users: number;
  /** The broker has it, or may have it. */
  isKnown: boolean;
  /** `asked`: on its way to the broker. */
  state: 'wanted' | 'asked' | 'active' | 'refused';
  /** Not a topic filter at all: never asked for, as one such would spoil the whole batch. */
  readonly invalid: boolean;
}

const TOPIC_LIMITS = { maxTopicLevels: 128, maxTopicBytes: 8_192 };

export interface SubscriptionBatch {
  readonly kind: 'subscribe' | 'unsubscribe';
  readonly filters: readonly string[];
}

/**
 * Which filters are wanted, by how many, and which of them the broker has. Counts references; says what to ask for next,
 * in batches, and forgets all answers when the connection is lost.
 */
export class SubscriptionTable {
  readonly #limits: { readonly maxFilters: number; readonly batchFilters: number; readonly batchBytes: number };
  readonly #entries = new Map<string, Entry>();
  readonly #wanted = new Set<string>();
  readonly #unwanted = new Set<string>();
  #refused = 0;

  constructor(limits: { maxFilters: number; batchFilters: number; batchBytes: number }) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Filters that the broker has not answered yet. */
  get pending(): number {
    return this.#wanted.size + this.#unwanted.size;
  }

  get refused(): number {
    return this.#refused;
  }

  /** Throws `overloaded` when there would be too many, and then has added none. */
  add(filters: Iterable<string>): void {
    const list = [...filters];
    const fresh = new Set(list.filter((filter) => !this.#entries.has(filter)));
    if (this.#entries.size + fresh.size > this.#limits.maxFilters) {
      throw new PipevineError(
        'overloaded',
        `MQTT: at most ${this.#limits.maxFilters} topic filters are subscribed at one time, ${this.#entries.size} are: ` +
          'narrow the discovery prefix, or share the devices among several gateways',
      );
    }
    for (const filter of list) {
      const entry = this.#entries.get(filter);
      if (entry !== undefined) {
        entry.users++;
        continue;
      }
      const invalid = topicFilterFault(filter, TOPIC_LIMITS) !== undefined;
      this.#entries.set(filter, { users: 1, isKnown: false, state: invalid ? 'refused' : 'wanted', invalid });
      if (invalid) this.#refused++;
      else this.#wanted.add(filter);
    }
  }

  remove(filters: Iterable<string>): void {
    for (const filter of filters) {
      const entry = this.#entries.get(filter);
      if (entry === undefined || --entry.users > 0) continue;
      this.#entries.delete(filter);
      this.#wanted.delete(filter);
      if (entry.state === 'refused') this.#refused--;
      else if (entry.isKnown) this.#unwanted.add(filter);
    }
  }

  /** Has the broker asked again for filters that are here, so that it sends what it retains for them once more. */
  refresh(filters: Iterable<string>): void {
    for (const filter of filters) {
      const entry = this.#entries.get(filter);
      if (entry === undefined || entry.invalid) continue;
      if (entry.state === 'refused') this.#refused--;
      entry.state = 'wanted';
      this.#wanted.add(filter);
    }
  }

  /** The next thing to ask of the broker. Answer with `answered` before asking again. */
  nextBatch(): SubscriptionBatch | undefined {
    const kind = this.#unwanted.size > 0 ? 'unsubscribe' : 'subscribe';
    const source = kind === 'unsubscribe' ? this.#unwanted : this.#wanted;
    const filters: string[] = [];
    let bytes = 0;
    for (const filter of source) {
      bytes += 3 * filter.length + 3;
      if (filters.length > 0 && (filters.length >= this.#limits.batchFilters || bytes > this.#limits.batchBytes)) break;
      filters.push(filter);
    }
    if (filters.length === 0) return undefined;
    for (const filter of filters) {
      source.delete(filter);
      const entry = this.#entries.get(filter);
      if (entry === undefined) continue;
      if (kind === 'subscribe') {
        entry.state = 'asked';
        entry.isKnown = true;
      }
      // Wanted again before it could be given up: it is asked for anew.
      else if (entry.state === 'wanted') this.#wanted.add(filter);
    }
    return { kind, filters };
  }

  /** Takes the broker's answer to a subscribe batch: for each filter whether it was granted. */
  answered(batch: SubscriptionBatch, granted: (index: number) => boolean): string[] {
    const refused: string[] = [];
    if (batch.kind === 'unsubscribe') return refused;
    for (const [index, filter] of batch.filters.entries()) {
      const entry = this.#entries.get(filter);
      if (entry === undefined || entry.state !== 'asked') continue;
      if (granted(index)) entry.state = 'active';
      else {
        entry.state = 'refused';
        this.#refused++;
        refused.push(filter);
      }
    }
    return refused;
  }

  /** The connection is lost, and with it all that the broker knew. */
  reset(): void {
    this.#unwanted.clear();
    this.#refused = 0;
    for (const [filter, entry] of this.#entries) {
      if (entry.invalid) {
        this.#refused++;
        continue;
      }
      entry.state = 'wanted';
      entry.isKnown = false;
      this.#wanted.add(filter);
    }
  }
}
