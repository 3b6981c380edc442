import type { PeerId } from '../id/peer-id.ts';
import { SizeRanking } from './size-ranking.ts';

/**
 * The highest sequences of advertisements that are gone: what makes a replay of them fail. Bounded in total and for
 * each publisher; the oldest are forgotten first, in total those of the publisher with most.
 */
export class SequenceMemory {
  readonly #maxTotal: number;
  readonly #maxPerPublisher: number;
  readonly #publishers = new Map<PeerId, Map<string, number>>();
  readonly #ranking = new SizeRanking<PeerId>();
  #size = 0;
  #forgotten = 0;

  constructor(maxTotal: number, maxPerPublisher: number) {
    this.#maxTotal = maxTotal;
    this.#maxPerPublisher = maxPerPublisher;
  }

  get size(): number {
    return this.#size;
  }

  /** How many had to be forgotten because of the bounds. */
  get forgotten(): number {
    return this.#forgotten;
  }

  get(publisher: PeerId, slot: string): number | undefined {
    return this.#publishers.get(publisher)?.get(slot);
  }

  /** Remembers, and returns the slots that were forgotten for it. */
  remember(publisher: PeerId, slot: string, sequence: number): string[] {
    this.forget(publisher, slot);
    let slots = this.#publishers.get(publisher);
    if (slots === undefined) {
      slots = new Map();
      this.#publishers.set(publisher, slots);
    }
    slots.set(slot, sequence);
    this.#ranking.grow(publisher);
    this.#size++;
    const dropped: string[] = [];
    if (slots.size > this.#maxPerPublisher) this.#forgetOldest(publisher, dropped);
    while (this.#size > this.#maxTotal) {
      const largest = this.#ranking.largest;
      if (largest === undefined) break;
      this.#forgetOldest(largest, dropped);
    }
    return dropped;
  }

  forget(publisher: PeerId, slot: string): void {
    const slots = this.#publishers.get(publisher);
    if (slots === undefined || !slots.delete(slot)) return;
    if (slots.size === 0) this.#publishers.delete(publisher);
    this.#ranking.shrink(publisher);
    this.#size--;
  }

  #forgetOldest(publisher: PeerId, dropped: string[]): void {
    const [oldest] = this.#publishers.get(publisher)?.keys() ?? [];
    if (oldest === undefined) return;
    this.forget(publisher, oldest);
    this.#forgotten++;
    dropped.push(oldest);
  }
}
