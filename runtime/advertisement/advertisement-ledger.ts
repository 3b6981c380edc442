import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { AdvertisementKind } from './advertisement.ts';
import type { AdvertisementBounds } from './advertisement-defaults.ts';
import {
  type AdvertisementFacts,
  AdvertisementIndex,
  type IndexEntry,
  type QueryConditions,
} from './advertisement-index.ts';
import { DeadlineQueue } from './deadline-queue.ts';
import { LeanSet } from './lean-set.ts';
import { SequenceMemory } from './sequence-memory.ts';
import { SizeRanking } from './size-ranking.ts';

/** What a decision of the ledger asks the store to do besides. */
export type LedgerEffect =
  /** Not held any more, though nothing is wrong with it; older versions than it are still refused. */
  | { readonly type: 'released'; readonly entry: IndexEntry }
  /** The highest sequence of this slot is remembered no more. */
  | { readonly type: 'forgotten'; readonly slot: string };

/**
 * The books of a store: which advertisements it holds, the highest sequence seen of each name, who has how many, and
 * what is due when. Decides and remembers, and does nothing else; times are of the AgeClock and come as arguments.
 */
export class AdvertisementLedger {
  readonly #bounds: AdvertisementBounds;
  readonly #index = new AdvertisementIndex();
  readonly #entries = new Map<string, IndexEntry>();
  readonly #deadlines = new DeadlineQueue<IndexEntry>();
  readonly #foreign = new Map<PeerId, LeanSet<IndexEntry>>();
  readonly #ranking = new SizeRanking<PeerId>();
  readonly #goneForeign: SequenceMemory;
  /** Apart, so that no stranger can make a peer forget the sequences of its own. */
  readonly #goneOwn: SequenceMemory;
  #foreignCount = 0;
  #evictedCount = 0;

  constructor(bounds: AdvertisementBounds) {
    this.#bounds = bounds;
    this.#goneForeign = new SequenceMemory(bounds.maxRemembered, bounds.maxRememberedPerPublisher);
    this.#goneOwn = new SequenceMemory(bounds.maxOwn, bounds.maxOwn);
  }

  get ownCount(): number {
    return this.#entries.size - this.#foreignCount;
  }

  get foreignCount(): number {
    return this.#foreignCount;
  }

  get evictedCount(): number {
    return this.#evictedCount;
  }

  get rememberedCount(): number {
    return this.#goneForeign.size;
  }

  get forgottenCount(): number {
    return this.#goneForeign.forgotten + this.#goneOwn.forgotten;
  }

  get visited(): number {
    return this.#index.visited;
  }

  get(slot: string): IndexEntry | undefined {
    return this.#entries.get(slot);
  }

  /** The highest sequence seen under this name, held or gone. */
  highest(slot: string, publisher: PeerId): number | undefined {
    return (
      this.#entries.get(slot)?.sequence ?? this.#goneOwn.get(publisher, slot) ?? this.#goneForeign.get(publisher, slot)
    );
  }

  search(conditions: QueryConditions): Iterable<IndexEntry> {
    return this.#index.search(conditions);
  }

  publishersOf(group: GroupId, kind: AdvertisementKind): PeerId[] {
    return this.#index.publishersOf(group, kind);
  }

  /** Holds this version from now on, in place of the one before. */
  hold(
    slot: string,
    facts: AdvertisementFacts,
    holding: { readonly own: boolean; readonly expiresAtMs: number; readonly renewAtMs?: number },
  ): { readonly entry: IndexEntry; readonly effects: readonly LedgerEffect[] } {
    const before = this.#entries.get(slot);
    if (before !== undefined) this.#remove(before);
    this.#goneOwn.forget(facts.publisher, slot);
    this.#goneForeign.forget(facts.publisher, slot);
    const entry = this.#index.add(slot, facts, { own: holding.own, expiresAtMs: holding.expiresAtMs });
    this.#entries.set(slot, entry);
    this.renewAt(entry, holding.renewAtMs);
    const effects: LedgerEffect[] = [];
    if (!entry.own) {
      this.#countForeign(entry, facts.publisher);
      this.#makeRoom(entry, facts.publisher, effects);
    }
    return { entry, effects };
  }

  /** Sets when an own advertisement is to be signed anew; undefined: not any more. */
  renewAt(entry: IndexEntry, renewAtMs: number | undefined): void {
    entry.renewAtMs = renewAtMs;
    this.#deadlines.schedule(entry, Math.min(entry.expiresAtMs, renewAtMs ?? Infinity));
  }

  /** Holds it no more, and remembers that `sequence` was the highest. */
  drop(entry: IndexEntry, sequence: number): readonly LedgerEffect[] {
    const { publisher } = entry;
    this.#remove(entry);
    return this.remember(entry.slot, publisher, entry.own, sequence);
  }

  /** Holds it no more. The same version may come again, for nothing is wrong with it; an older one may not. */
  release(entry: IndexEntry): readonly LedgerEffect[] {
    return [{ type: 'released', entry }, ...this.drop(entry, Math.max(0, entry.sequence - 1))];
  }

  /** Holds it no more, and remembers nothing: it turned out to be damaged. */
  discard(entry: IndexEntry): void {
    this.#remove(entry);
  }

  /** Remembers the highest sequence of a name of which nothing is held. */
  remember(slot: string, publisher: PeerId, own: boolean, sequence: number): readonly LedgerEffect[] {
    const memory = own ? this.#goneOwn : this.#goneForeign;
    return memory.remember(publisher, slot, sequence).map((forgotten) => ({ type: 'forgotten', slot: forgotten }));
  }

  nextDeadline(): number | undefined {
    return this.#deadlines.nextDeadline();
  }

  /** An entry that has expired or should be renewed by now. The caller drops it or sets its next deadline. */
  takeDue(nowMs: number): IndexEntry | undefined {
    return this.#deadlines.takeDue(nowMs);
  }

  #countForeign(entry: IndexEntry, publisher: PeerId): void {
    const held = this.#foreign.get(publisher) ?? new LeanSet();
    held.add(entry);
    this.#foreign.set(publisher, held);
    this.#ranking.grow(publisher);
    this.#foreignCount++;
  }

  /** What is nearest to its expiry goes first: of the publisher itself, then of whoever has most. */
  #makeRoom(kept: IndexEntry, publisher: PeerId, effects: LedgerEffect[]): void {
    if (this.#ranking.sizeOf(publisher) > this.#bounds.maxForeignPerPublisher) this.#evict(publisher, kept, effects);
    while (this.#foreignCount > this.#bounds.maxForeign) {
      const largest = this.#ranking.largest;
      if (largest === undefined || !this.#evict(largest, kept, effects)) break;
    }
  }

  #evict(publisher: PeerId, kept: IndexEntry, effects: LedgerEffect[]): boolean {
    let nearest: IndexEntry | undefined;
    for (const entry of this.#foreign.get(publisher) ?? []) {
      if (entry !== kept && (nearest === undefined || entry.expiresAtMs < nearest.expiresAtMs)) nearest = entry;
    }
    // The newcomer is the only one of its publisher, and all others have one each: it stays out itself.
    nearest ??= kept;
    this.#evictedCount++;
    effects.push(...this.release(nearest));
    return true;
  }

  #remove(entry: IndexEntry): void {
    if (this.#entries.get(entry.slot) !== entry) return;
    const { publisher } = entry;
    this.#entries.delete(entry.slot);
    this.#index.remove(entry);
    this.#deadlines.cancel(entry);
    if (entry.own) return;
    const held = this.#foreign.get(publisher);
    held?.delete(entry);
    if (held?.size === 0) this.#foreign.delete(publisher);
    this.#ranking.shrink(publisher);
    this.#foreignCount--;
  }
}
