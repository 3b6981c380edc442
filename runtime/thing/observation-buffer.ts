import type { Reading } from './thing.ts';
import type { EventItem } from './thing-codec.ts';
import { MAX_QUEUED_EVENTS } from './thing-defaults.ts';
import type { JsonValue } from './thing-description.ts';

/** What waits for one observer between two items that it takes. */
interface ObservationBuffer<T> {
  /** The next item, or undefined when nothing waits. */
  take(): T | undefined;
}

/** Of values that were not yet taken, keeps the newest alone. */
export class LatestValue implements ObservationBuffer<Reading> {
  #reading: Reading | undefined;

  put(reading: Reading): void {
    this.#reading = reading;
  }

  take(): Reading | undefined {
    const reading = this.#reading;
    this.#reading = undefined;
    return reading;
  }
}

/** Keeps events in order; beyond its bound the oldest goes, and the next one that is taken says how many went. */
export class EventQueue implements ObservationBuffer<EventItem> {
  readonly #events: { readonly data: JsonValue | undefined; readonly timestampMs: number }[] = [];
  #lost = 0;

  /** Returns whether an older event was dropped for it. */
  put(data: JsonValue | undefined, timestampMs: number): boolean {
    const full = this.#events.length >= MAX_QUEUED_EVENTS;
    if (full) {
      this.#events.shift();
      this.#lost++;
    }
    this.#events.push({ data, timestampMs });
    return full;
  }

  take(): EventItem | undefined {
    const event = this.#events.shift();
    if (event === undefined) return undefined;
    const lost = this.#lost;
    this.#lost = 0;
    return { ...event, lost };
  }
}
