import { type ErrorCode, type Peer, type PeerGroup, PipevineError, type WaitOptions } from '@pipevine/runtime';
import { pipevineFailure } from '../node/pipevine-failure.ts';
import type { IdentityFolder } from './identity-folder.ts';
import { type Environment, type OpenedPeer, openPeer } from './open-peer.ts';
import type { OverlaySession, SessionState } from './overlay-session.ts';
import type { SessionSettings } from './session-settings.ts';
import { joinBy, knownSeeds, presentGroup, wayInName } from './way-in.ts';

const READY_TIMEOUT_MS = 15_000;
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;
/** Somebody has said no: this may change, and not soon. */
const REFUSED_RETRY_MS = 60_000;

/** Another attempt would come to the same. */
const FINAL: ReadonlySet<ErrorCode> = new Set([
  'invalid-argument',
  'invalid-address',
  'unsupported',
  'permission-denied',
]);
/** An administrator, or the group, does not want this peer. */
const REFUSED: ReadonlySet<ErrorCode> = new Set(['refused', 'expired', 'revoked', 'forged']);

export interface RunningSessionInit {
  readonly folder: IdentityFolder;
  readonly settings: SessionSettings;
  readonly env: Environment;
  /** What must be over before the folder is opened: the end of the session that had it. */
  readonly after?: Promise<unknown>;
}

/** Starts a peer, makes it a member, and keeps trying: whatever may pass by itself is tried again until it is closed. */
export class RunningSession implements OverlaySession {
  readonly #init: RunningSessionInit;
  readonly #listeners = new Set<(state: SessionState) => void>();
  readonly #closing = new AbortController();
  readonly #done: Promise<void>;
  #state: SessionState = { phase: 'starting', links: 0 };
  #opened: OpenedPeer | undefined;
  #group: PeerGroup | undefined;

  constructor(init: RunningSessionInit) {
    this.#init = init;
    this.#done = this.#run();
  }

  get state(): SessionState {
    return this.#state;
  }

  get peer(): Peer | undefined {
    return this.#opened?.peer;
  }

  get group(): PeerGroup | undefined {
    return this.#group;
  }

  ready(options: WaitOptions = {}): Promise<PeerGroup> {
    const { signal, timeoutMs = READY_TIMEOUT_MS } = options;
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        unsubscribe();
        signal?.removeEventListener('abort', aborted);
      };
      const aborted = () => {
        end();
        reject(new PipevineError('aborted', 'Nobody waits for the membership any more.'));
      };
      const look = () => {
        const { phase, error } = this.#state;
        const failed = phase === 'closed' ? new PipevineError('closed', 'The peer is closed.') : error;
        if (this.#group !== undefined) {
          end();
          resolve(this.#group);
        } else if ((phase === 'failed' || phase === 'closed') && failed !== undefined) {
          end();
          reject(failed);
        }
      };
      const timer = setTimeout(() => {
        end();
        const { phase, error } = this.#state;
        const reason = error === undefined ? '' : `: ${error.message}`;
        const message = `The peer was no member within ${timeoutMs / 1000} s (${phase})${reason}`;
        reject(new PipevineError('timeout', message, { cause: error }));
      }, timeoutMs);
      const unsubscribe = this.subscribe(look);
      signal?.addEventListener('abort', aborted, { once: true });
      if (signal?.aborted === true) aborted();
      else look();
    });
  }

  subscribe(listener: (state: SessionState) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Says goodbye, and unlocks the folder. Never rejects. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    await this.#init.after;
    try {
      const opened = await this.#persist('starting', () => this.#open());
      if (opened !== undefined) await this.#stayMember(opened, signal);
    } catch (error) {
      this.#show({ phase: 'failed', error: pipevineFailure(error), links: 0 });
    }
    this.#group = undefined;
    await this.#opened?.close().catch(() => undefined);
    this.#opened = undefined;
    this.#show({ phase: 'closed', links: 0 });
  }

  async #open(): Promise<OpenedPeer> {
    const { folder, settings, env } = this.#init;
    // Before anything is made on disk: a mistyped code is told at once.
    wayInName(settings.wayIn, env);
    const { signal } = this.#closing;
    const seeds = ({ storage }: OpenedPeer['platform']) => knownSeeds(settings, storage, env, signal);
    this.#opened = await openPeer(folder, settings, seeds, env);
    return this.#opened;
  }

  async #stayMember(opened: OpenedPeer, signal: AbortSignal): Promise<void> {
    const { settings, env } = this.#init;
    const { peer, platform } = opened;
    let changed = () => {};
    const unsubscribe = peer.subscribe((notice) => {
      changed();
      if (notice.type === 'neighbour-up' || notice.type === 'neighbour-down') this.#showMember();
      if (notice.type === 'renewal-failed' && notice.error.code === 'revoked' && notice.group === this.#group?.id) {
        // The membership is void; without it a new code can be used.
        peer.resign(notice.group).catch(() => {});
      }
    });
    try {
      while (!signal.aborted) {
        const present = () => presentGroup(peer, platform.storage, settings.wayIn, env);
        const group =
          present() ??
          (await this.#persist('joining', async () => {
            const joined = await joinBy(peer, platform.storage, settings, env, signal);
            if (joined !== undefined) return joined;
            return this.#until(
              () => present(),
              (look) => {
                changed = look;
              },
              signal,
            );
          }));
        if (group === undefined) return;
        this.#group = group;
        this.#showMember();
        const gone = () => (peer.group(group.id) === group ? undefined : true);
        await this.#until(
          gone,
          (look) => {
            changed = look;
          },
          signal,
        );
        this.#group = undefined;
        if (!signal.aborted) this.#show({ phase: 'joining', links: this.#links() });
      }
    } finally {
      unsubscribe();
    }
  }

  /** Looks at each notice of the peer. Resolves with undefined when the session closes. */
  #until<T>(
    find: () => T | undefined,
    onNotice: (look: () => void) => void,
    signal: AbortSignal,
  ): Promise<T | undefined> {
    return new Promise((resolve) => {
      const end = (found: T | undefined) => {
        signal.removeEventListener('abort', aborted);
        onNotice(() => {});
        resolve(found);
      };
      const aborted = () => end(undefined);
      const look = () => {
        const found = find();
        if (found !== undefined) end(found);
      };
      signal.addEventListener('abort', aborted, { once: true });
      if (signal.aborted) return aborted();
      onNotice(look);
      look();
    });
  }

  /** Tries until it succeeds. Undefined when the session closes first. Rejects with what no other attempt would change. */
  async #persist<T>(phase: 'starting' | 'joining', attempt: () => Promise<T | undefined>): Promise<T | undefined> {
    const { signal } = this.#closing;
    for (let failures = 0; !signal.aborted; failures++) {
      if (failures === 0) this.#show({ phase, links: this.#links() });
      let error: PipevineError;
      try {
        return await attempt();
      } catch (cause) {
        error = pipevineFailure(cause);
      }
      if (signal.aborted) break;
      const final = FINAL.has(error.code);
      const refused = REFUSED.has(error.code);
      const failed = final || refused || phase === 'starting';
      this.#show({ phase: failed ? 'failed' : phase, error, links: this.#links() });
      const backoffMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures, 10));
      await pause(final ? undefined : (refused ? REFUSED_RETRY_MS : backoffMs) * (0.5 + Math.random() / 2), signal);
    }
    return undefined;
  }

  #links(): number {
    return this.#opened?.peer.status().links.length ?? 0;
  }

  #showMember(): void {
    const links = this.#links();
    if (this.#group !== undefined) this.#show({ phase: links > 0 ? 'online' : 'alone', links });
    else this.#show({ ...this.#state, links });
  }

  #show(state: SessionState): void {
    const { phase, error, links } = this.#state;
    if (state.phase === phase && state.error === error && state.links === links) return;
    this.#state = state;
    for (const listener of [...this.#listeners]) listener(state);
  }
}

/** Undefined: until the signal. */
function pause(delayMs: number | undefined, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = delayMs === undefined ? undefined : setTimeout(end, delayMs);
    signal.addEventListener('abort', end, { once: true });
    function end() {
      clearTimeout(timer);
      resolve();
    }
  });
}
