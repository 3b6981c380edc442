/**
 * Finds advertisements by what they say, in memory. For each (group, kind) and each field a map from value to the
 * advertisements that have it. An exact condition costs what the rarest of the conditions matches; a pattern costs one
 * match for each different value of its field. An entry is a few references to strings that equal entries share; what
 * an advertisement says besides stays in the storage.
 */
import { PipevineError } from '../error/pipevine-error.ts';
import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Advertisement, AdvertisementKind, AdvertisementQuery } from './advertisement.ts';
import { DEFAULT_QUERY_LIMIT, MAX_ATTRIBUTES, MAX_QUERY_LIMIT } from './advertisement-defaults.ts';
import { Glob } from './glob.ts';
import { LeanSet } from './lean-set.ts';

/** What the index needs to know. */
export type AdvertisementFacts = Pick<
  Advertisement,
  'kind' | 'group' | 'publisher' | 'key' | 'name' | 'attributes' | 'sequence'
>;

/** One value of one field, and who has it. */
class Posting extends LeanSet<IndexEntry> {
  readonly field: string;
  readonly value: string;

  constructor(field: string, value: string) {
    super();
    this.field = field;
    this.value = value;
  }
}

/** The advertisements of one kind in one group. */
class Shelf {
  readonly group: GroupId;
  readonly kind: AdvertisementKind;
  readonly entries = new Set<IndexEntry>();
  readonly fields = new Map<string, Map<string, Posting>>();

  constructor(group: GroupId, kind: AdvertisementKind) {
    this.group = group;
    this.kind = kind;
  }

  posting(field: string, value: string): Posting {
    let values = this.fields.get(field);
    if (values === undefined) {
      values = new Map();
      this.fields.set(field, values);
    }
    let posting = values.get(value);
    if (posting === undefined) {
      posting = new Posting(field, value);
      values.set(value, posting);
    }
    return posting;
  }
}

/** An advertisement's place in the index. */
export class IndexEntry {
  /** Names group, kind, publisher and key; see advertisement-record.ts. */
  readonly slot: string;
  readonly sequence: number;
  /** Whether this process published it. */
  readonly own: boolean;
  /** By the AgeClock. */
  readonly expiresAtMs: number;
  /** By the AgeClock: when an own one should be signed anew. */
  renewAtMs: number | undefined;
  wakeAtMs: number | undefined;
  readonly shelf: Shelf;
  /** Of publisher, key, name, then each attribute. */
  readonly postings: readonly Posting[];

  constructor(
    shelf: Shelf,
    postings: readonly Posting[],
    facts: { readonly slot: string; readonly sequence: number; readonly own: boolean; readonly expiresAtMs: number },
  ) {
    this.shelf = shelf;
    this.postings = postings;
    this.slot = facts.slot;
    this.sequence = facts.sequence;
    this.own = facts.own;
    this.expiresAtMs = facts.expiresAtMs;
    this.renewAtMs = undefined;
    this.wakeAtMs = undefined;
  }

  get publisher(): PeerId {
    // The publisher's posting was made of a PeerId.
    return (this.postings[0]?.value ?? '') as PeerId;
  }

  get key(): string {
    return this.postings[1]?.value ?? '';
  }
}

const PUBLISHER = 'publisher';
const KEY = 'key';
const NAME = 'name';
/** Attribute names come after this, so that they are apart from the fields above. */
const ATTRIBUTE = '@';

export class AdvertisementIndex {
  readonly #shelves = new Map<string, Shelf>();
  #visited = 0;

  /** Entries and values that searches have looked at so far: what they cost. */
  get visited(): number {
    return this.#visited;
  }

  add(
    slot: string,
    facts: AdvertisementFacts,
    holding: { readonly own: boolean; readonly expiresAtMs: number },
  ): IndexEntry {
    const name = shelfName(facts.group, facts.kind);
    let shelf = this.#shelves.get(name);
    if (shelf === undefined) {
      shelf = new Shelf(facts.group, facts.kind);
      this.#shelves.set(name, shelf);
    }
    const postings = [
      shelf.posting(PUBLISHER, facts.publisher),
      shelf.posting(KEY, facts.key),
      shelf.posting(NAME, facts.name),
    ];
    for (const [attribute, value] of facts.attributes) postings.push(shelf.posting(ATTRIBUTE + attribute, value));
    const entry = new IndexEntry(shelf, postings, { slot, sequence: facts.sequence, ...holding });
    for (const posting of postings) posting.add(entry);
    shelf.entries.add(entry);
    return entry;
  }

  remove(entry: IndexEntry): void {
    const { shelf } = entry;
    if (!shelf.entries.delete(entry)) return;
    for (const posting of entry.postings) {
      posting.delete(entry);
      if (posting.size > 0) continue;
      const values = shelf.fields.get(posting.field);
      values?.delete(posting.value);
      if (values?.size === 0) shelf.fields.delete(posting.field);
    }
    if (shelf.entries.size === 0) this.#shelves.delete(shelfName(shelf.group, shelf.kind));
  }

  /** Entries that meet all conditions, as they are come upon; the query's limit is for the caller to apply. */
  *search(conditions: QueryConditions): Generator<IndexEntry, void, undefined> {
    const shelf = this.#shelves.get(shelfName(conditions.group, conditions.kind));
    if (shelf === undefined) return;
    const exact: Posting[] = [];
    for (const { field, value } of conditions.exact) {
      const posting = shelf.fields.get(field)?.get(value);
      if (posting === undefined) return;
      exact.push(posting);
    }
    for (const entry of this.#candidates(shelf, exact, conditions.patterns)) {
      this.#visited++;
      if (exact.every((posting) => entry.postings.includes(posting)) && matchesAll(entry, conditions.patterns)) {
        yield entry;
      }
    }
  }

  publishersOf(group: GroupId, kind: AdvertisementKind): PeerId[] {
    // The keys of this field were made of PeerIds.
    return [...(this.#shelves.get(shelfName(group, kind))?.fields.get(PUBLISHER)?.keys() ?? [])] as PeerId[];
  }

  *#candidates(shelf: Shelf, exact: readonly Posting[], patterns: readonly Pattern[]): Iterable<IndexEntry> {
    let rarest: Posting | undefined;
    for (const posting of exact) if (rarest === undefined || posting.size < rarest.size) rarest = posting;
    if (rarest !== undefined) {
      yield* rarest;
      return;
    }
    let pattern: Pattern | undefined;
    for (const each of patterns) {
      const fewest = pattern === undefined ? Infinity : (shelf.fields.get(pattern.field)?.size ?? 0);
      if ((shelf.fields.get(each.field)?.size ?? 0) < fewest) pattern = each;
    }
    if (pattern === undefined) {
      yield* shelf.entries;
      return;
    }
    for (const posting of shelf.fields.get(pattern.field)?.values() ?? []) {
      this.#visited++;
      if (pattern.glob.matches(posting.value)) yield* posting;
    }
  }
}

function matchesAll(entry: IndexEntry, patterns: readonly Pattern[]): boolean {
  return patterns.every(({ field, glob }) =>
    entry.postings.some((posting) => posting.field === field && glob.matches(posting.value)),
  );
}

interface Pattern {
  readonly field: string;
  readonly glob: Glob;
}

/** A query, checked and taken apart once for many comparisons. */
export class QueryConditions {
  readonly group: GroupId;
  readonly kind: AdvertisementKind;
  readonly limit: number;
  readonly exact: readonly { readonly field: string; readonly value: string }[];
  readonly patterns: readonly Pattern[];

  /** Throws `invalid-argument` for a limit or a pattern out of bounds. */
  constructor(query: AdvertisementQuery) {
    this.group = query.group;
    this.kind = query.kind;
    this.limit = query.limit ?? DEFAULT_QUERY_LIMIT;
    if (!Number.isInteger(this.limit) || this.limit < 1 || this.limit > MAX_QUERY_LIMIT) {
      throw new PipevineError(
        'invalid-argument',
        `The limit of a query is a whole number from 1 to ${MAX_QUERY_LIMIT}, not ${this.limit}.`,
      );
    }
    const attributes = Object.entries(query.attributes ?? {});
    if (attributes.length > MAX_ATTRIBUTES) {
      throw new PipevineError(
        'invalid-argument',
        `A query may name ${MAX_ATTRIBUTES} attributes at most, not ${attributes.length}.`,
      );
    }
    const exact: { field: string; value: string }[] = [];
    const patterns: Pattern[] = [];
    if (query.publisher !== undefined) exact.push({ field: PUBLISHER, value: query.publisher });
    if (query.key !== undefined) exact.push({ field: KEY, value: query.key });
    const wild = attributes.map(([name, value]) => [ATTRIBUTE + name, value] as const);
    if (query.name !== undefined && query.name !== '*') wild.push([NAME, query.name]);
    for (const [field, value] of wild) {
      const glob = new Glob(value);
      if (glob.exact !== undefined) exact.push({ field, value });
      else patterns.push({ field, glob });
    }
    this.exact = exact;
    this.patterns = patterns;
  }

  /** Whether an entry of the index meets all conditions; no need to read what it says besides. */
  meets(entry: IndexEntry): boolean {
    return (
      entry.shelf.kind === this.kind &&
      entry.shelf.group === this.group &&
      this.exact.every(({ field, value }) =>
        entry.postings.some((posting) => posting.field === field && posting.value === value),
      ) &&
      matchesAll(entry, this.patterns)
    );
  }

  matches(advertisement: Advertisement): boolean {
    return (
      advertisement.kind === this.kind &&
      advertisement.group === this.group &&
      this.exact.every(({ field, value }) => fieldOf(advertisement, field) === value) &&
      this.patterns.every(({ field, glob }) => {
        const value = fieldOf(advertisement, field);
        return value !== undefined && glob.matches(value);
      })
    );
  }
}

function fieldOf(advertisement: Advertisement, field: string): string | undefined {
  if (field === PUBLISHER) return advertisement.publisher;
  if (field === KEY) return advertisement.key;
  if (field === NAME) return advertisement.name;
  return advertisement.attributes.get(field.slice(ATTRIBUTE.length));
}

/** What a map from (group, kind) is keyed by. */
export function shelfName(group: GroupId, kind: AdvertisementKind): string {
  return `${kind} ${group}`;
}
