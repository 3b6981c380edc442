import { type PeerGroup, PipevineError, type ThingSummary, type WaitOptions } from '@pipevine/runtime';
import { pause } from './pause.ts';

/** As many as one listing of the runtime gives. */
const MAX_THINGS = 50_000;
const RETRY_MS = 2_000;
/** The directory of a group that no node uses any more is kept for a deploy's time. */
const LINGER_MS = 10_000;

/** `present`: known when the directory was opened. `availability`: that alone has changed. */
export interface DirectoryChange {
  readonly change: 'present' | 'added' | 'updated' | 'availability' | 'removed';
  readonly thing: ThingSummary;
}

/** The things of one group, kept up to date by a single watch for all nodes that use them. */
export class ThingDirectory {
  readonly #group: PeerGroup;
  readonly #things = new Map<string, ThingSummary>();
  readonly #byTitle = new Map<string, Set<string>>();
  readonly #listeners = new Set<(change: DirectoryChange | undefined) => void>();
  readonly #ending = new AbortController();
  #settled = false;
  #notKept = 0;

  constructor(group: PeerGroup) {
    this.#group = group;
    void this.#watch(this.#ending.signal);
    void this.#settle(this.#ending.signal);
  }

  /** Whether the first search is over: what is not here now is not there. */
  get settled(): boolean {
    return this.#settled;
  }

  get things(): readonly ThingSummary[] {
    return [...this.#things.values()];
  }

  /** Things that did not fit any more. */
  get notKept(): number {
    return this.#notKept;
  }

  /** By id or by title. */
  matches(text: string): readonly ThingSummary[] {
    const thing = this.#things.get(text);
    if (thing !== undefined) return [thing];
    return [...(this.#byTitle.get(text) ?? [])].flatMap((id) => this.#things.get(id) ?? []);
  }

  /**
   * The one thing of this id or title; waits for it only until the first search is over. Rejects with `not-found`, `ambiguous`,
   * `timeout`, `aborted`.
   */
  async find(text: string, { signal, timeoutMs }: WaitOptions = {}): Promise<ThingSummary> {
    if (!this.#settled && this.matches(text).length === 0) await this.#firstMatch(text, signal, timeoutMs);
    const [thing, another] = this.matches(text);
    if (thing === undefined) {
      throw new PipevineError(
        'not-found',
        `No thing "${text.slice(0, 120)}" is in the group; is it, or its gateway, on?`,
      );
    }
    if (another !== undefined) throw ambiguous(text, this.matches(text));
    return thing;
  }

  /** Calls `listener` at each change, and with undefined when the first search is over, until the returned function is called. */
  follow(listener: (change: DirectoryChange | undefined) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(): void {
    this.#ending.abort();
    this.#listeners.clear();
  }

  #firstMatch(text: string, signal: AbortSignal | undefined, timeoutMs: number | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = () => {
        unfollow();
        clearTimeout(timer);
        signal?.removeEventListener('abort', aborted);
      };
      const aborted = () => {
        end();
        reject(new PipevineError('aborted', 'Nobody waits for the thing any more.'));
      };
      const look = () => {
        if (!this.#settled && this.matches(text).length === 0) return;
        end();
        resolve();
      };
      const expired = () => {
        end();
        reject(new PipevineError('timeout', `The thing "${text.slice(0, 120)}" was not found within ${timeoutMs} ms.`));
      };
      const timer = timeoutMs === undefined ? undefined : setTimeout(expired, timeoutMs);
      const unfollow = this.follow(look);
      signal?.addEventListener('abort', aborted, { once: true });
      if (signal?.aborted === true) aborted();
    });
  }

  async #watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        for await (const { change, thing } of this.#group.watchThings({ signal })) {
          if (change === 'removed') this.#remove(thing);
          else this.#put(thing);
        }
      } catch {
        // The group was left, which ends this directory soon; or the next attempt says what is there.
      }
      await pause(RETRY_MS, signal);
    }
  }

  async #settle(signal: AbortSignal): Promise<void> {
    try {
      for await (const thing of this.#group.things(undefined, { signal })) {
        // What the watch has said is newer.
        if (!this.#things.has(thing.id)) this.#put(thing);
      }
    } catch {
      // The watch goes on.
    }
    if (signal.aborted) return;
    this.#settled = true;
    this.#tell(undefined);
  }

  #put(thing: ThingSummary): void {
    const before = this.#things.get(thing.id);
    if (before === undefined) {
      if (this.#things.size >= MAX_THINGS) {
        this.#notKept++;
        return;
      }
      this.#keep(thing);
      this.#tell({ change: this.#settled ? 'added' : 'present', thing });
      return;
    }
    const isSame = sameDescription(before, thing) && before.host === thing.host;
    if (isSame && before.availability === thing.availability) return;
    if (before.title !== thing.title) this.#forgetTitle(before);
    this.#keep(thing);
    this.#tell({ change: isSame ? 'availability' : 'updated', thing });
  }

  #keep(thing: ThingSummary): void {
    this.#things.set(thing.id, thing);
    const ids = this.#byTitle.get(thing.title) ?? new Set();
    this.#byTitle.set(thing.title, ids.add(thing.id));
  }

  #remove({ id }: ThingSummary): void {
    const thing = this.#things.get(id);
    if (thing === undefined) return;
    this.#things.delete(id);
    this.#forgetTitle(thing);
    this.#tell({ change: 'removed', thing });
  }

  #forgetTitle({ id, title }: ThingSummary): void {
    const ids = this.#byTitle.get(title);
    ids?.delete(id);
    if (ids?.size === 0) this.#byTitle.delete(title);
  }

  #tell(change: DirectoryChange | undefined): void {
    for (const listener of [...this.#listeners]) listener(change);
  }
}

interface Held {
  readonly directory: ThingDirectory;
  users: number;
  linger: NodeJS.Timeout | undefined;
}

/** A group is one object for as long as the membership lasts. */
const directories = new WeakMap<PeerGroup, Held>();

/** Takes a share in the group's directory. */
export function openThingDirectory(group: PeerGroup): { readonly directory: ThingDirectory; release(): void } {
  const held = directories.get(group) ?? { directory: new ThingDirectory(group), users: 0, linger: undefined };
  directories.set(group, held);
  clearTimeout(held.linger);
  held.users++;
  let released = false;
  return {
    directory: held.directory,
    release: () => {
      if (released) return;
      released = true;
      if (--held.users > 0) return;
      held.linger = setTimeout(() => {
        directories.delete(group);
        held.directory.close();
      }, LINGER_MS);
      held.linger.unref();
    },
  };
}

export function ambiguous(text: string, things: readonly ThingSummary[]): PipevineError {
  const ids = things.slice(0, 4).map(({ id }) => id);
  const message = `${things.length} things have the title "${text.slice(0, 120)}"; choose one by its id: ${ids.join(', ')}`;
  return new PipevineError('ambiguous', message);
}

function sameDescription(a: ThingSummary, b: ThingSummary): boolean {
  return a.description === b.description || JSON.stringify(a.description) === JSON.stringify(b.description);
}
