import type { PeerGroup, PeerId } from '@pipevine/runtime';
import type { OverlaySession } from '../peer/overlay-session.ts';
import { pause } from '../things/pause.ts';
import { openThingDirectory, type ThingDirectory } from '../things/thing-directory.ts';
import { SEARCH_TIMEOUT_MS } from './collected.ts';

/** Changes are told together, at most this often, ms: a browser draws them all anew. */
const SETTLE_MS = 500;
/** How long it goes on when nobody asks any more: a bit more than a browser's pause between two questions. */
const LINGER_MS = 40_000;
/** Members that are kept; others are counted. */
const MAX_PEERS = 2_000;
/** Questions that wait for a change at a time; more are answered at once. */
const MAX_WAITING = 32;
const RETRY_MS = 2_000;

/** What the sidebar shows of one session, kept up to date while somebody asks for it. */
export class OverlayWatch {
  readonly #session: OverlaySession;
  readonly #onIdle: () => void;
  readonly #names = new Map<PeerId, string>();
  readonly #waiting = new Set<() => void>();
  #followed: { readonly group: PeerGroup; end(): void } | undefined;
  #directory: ThingDirectory | undefined;
  readonly #unsubscribe: () => void;
  #generation = 1;
  #notKept = 0;
  #settle: NodeJS.Timeout | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor(session: OverlaySession, onIdle: () => void) {
    this.#session = session;
    this.#onIdle = onIdle;
    this.#unsubscribe = session.subscribe(() => this.#changed());
  }

  /** Another number means that something is different. */
  get generation(): number {
    return this.#generation;
  }

  /** Names of the members heard of, by id. */
  get names(): ReadonlyMap<PeerId, string> {
    return this.#names;
  }

  /** Members that did not fit. */
  get notKept(): number {
    return this.#notKept;
  }

  /** Undefined while this peer is no member. */
  get directory(): ThingDirectory | undefined {
    return this.#directory;
  }

  /** Resolves when something is different from generation `since`, after `timeoutMs`, or when the browser is gone. */
  async change(since: number, timeoutMs: number, signal: AbortSignal): Promise<void> {
    clearTimeout(this.#idle);
    this.#follow();
    if (since === this.#generation && this.#waiting.size < MAX_WAITING && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const end = () => {
          clearTimeout(timer);
          signal.removeEventListener('abort', end);
          this.#waiting.delete(end);
          resolve();
        };
        const timer = setTimeout(end, timeoutMs);
        signal.addEventListener('abort', end, { once: true });
        this.#waiting.add(end);
      });
    }
    if (this.#waiting.size > 0) return;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.close(), LINGER_MS);
    this.#idle.unref();
  }

  close(): void {
    clearTimeout(this.#idle);
    clearTimeout(this.#settle);
    this.#unsubscribe();
    this.#followed?.end();
    this.#followed = undefined;
    for (const end of [...this.#waiting]) end();
    this.#onIdle();
  }

  #changed(): void {
    this.#follow();
    if (this.#settle !== undefined) return;
    this.#settle = setTimeout(() => {
      this.#settle = undefined;
      this.#generation++;
      for (const end of [...this.#waiting]) end();
    }, SETTLE_MS);
    this.#settle.unref();
  }

  /** Keeps to the group that the session is in now. */
  #follow(): void {
    const { group, peer } = this.#session;
    if (this.#followed?.group === group) return;
    this.#followed?.end();
    this.#followed = undefined;
    this.#directory = undefined;
    this.#names.clear();
    this.#notKept = 0;
    if (group === undefined || peer === undefined) return;
    const ending = new AbortController();
    const held = openThingDirectory(group);
    this.#directory = held.directory;
    const unfollow = held.directory.follow(() => this.#changed());
    const unsubscribe = peer.subscribe(() => this.#changed());
    void this.#collect(group, ending.signal);
    void this.#watch(group, ending.signal);
    this.#followed = {
      group,
      end: () => {
        ending.abort();
        unfollow();
        unsubscribe();
        held.release();
      },
    };
  }

  async #collect(group: PeerGroup, signal: AbortSignal): Promise<void> {
    try {
      for await (const { publisher, name } of group.members({ timeoutMs: SEARCH_TIMEOUT_MS, signal })) {
        this.#keep(publisher, name);
      }
    } catch {
      // The watch goes on.
    }
  }

  async #watch(group: PeerGroup, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        for await (const { change, advertisement } of group.watch({ kind: 'peer' }, { signal })) {
          const { publisher, name } = advertisement;
          if (change !== 'removed') this.#keep(publisher, name);
          else if (this.#names.delete(publisher)) this.#changed();
        }
      } catch {
        // The group was left, which ends this soon; or the next attempt says what is there.
      }
      await pause(RETRY_MS, signal);
    }
  }

  #keep(id: PeerId, name: string): void {
    if (this.#names.get(id) === name) return;
    if (!this.#names.has(id) && this.#names.size >= MAX_PEERS) this.#notKept++;
    else this.#names.set(id, name);
    this.#changed();
  }
}

/** A session is one object for as long as the peer runs. */
const watches = new WeakMap<OverlaySession, OverlayWatch>();

/** The session's watch; made when there is none. */
export function overlayWatch(session: OverlaySession): OverlayWatch {
  const found = watches.get(session);
  if (found !== undefined) return found;
  const made = new OverlayWatch(session, () => void watches.delete(session));
  watches.set(session, made);
  return made;
}
