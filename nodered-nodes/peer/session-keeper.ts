import { isDeepStrictEqual } from 'node:util';
import type { NodeAPI } from '../node/red.ts';
import { type IdentityFolder, identityFolder } from './identity-folder.ts';
import type { Environment } from './open-peer.ts';
import type { OverlaySession } from './overlay-session.ts';
import { RunningSession } from './running-session.ts';
import type { SessionSettings } from './session-settings.ts';

interface Kept {
  readonly session: RunningSession;
  readonly settings: SessionSettings;
  uses: number;
  linger: NodeJS.Timeout | undefined;
}

/** A config node's hold on a session. */
export interface HeldSession {
  readonly session: OverlaySession;
  /**
   * The session ends after `lingerMs`, unless somebody holds it again; at once with 0, or when Node-RED stops, and then it
   * resolves when it is over.
   */
  release(lingerMs: number): Promise<void>;
}

/**
 * The sessions of one Node-RED, by identity folder. They are not the config nodes': a deploy replaces those, and the peer runs on
 * when the new one wants the same.
 */
export class SessionKeeper {
  readonly #kept = new Map<string, Kept>();
  /** Ends of sessions that still have their folder. */
  readonly #ending = new Map<string, Promise<void>>();
  readonly #env: Environment;
  #stopping = false;

  constructor(env: Environment) {
    this.#env = env;
  }

  hold(folder: IdentityFolder, settings: SessionSettings): HeldSession {
    const before = this.#kept.get(folder.path);
    if (before !== undefined && !isDeepStrictEqual(before.settings, settings)) void this.#end(folder.path, before);
    let kept = this.#kept.get(folder.path);
    if (kept === undefined) {
      const after = this.#ending.get(folder.path);
      const session = new RunningSession({ folder, settings, env: this.#env, ...(after && { after }) });
      kept = { session, settings, uses: 0, linger: undefined };
      this.#kept.set(folder.path, kept);
    }
    const held = kept;
    clearTimeout(held.linger);
    held.uses++;
    let released = false;
    const release = async (lingerMs: number) => {
      if (released) return;
      released = true;
      held.uses--;
      if (held.uses > 0 || this.#kept.get(folder.path) !== held) return;
      if (lingerMs <= 0 || this.#stopping) return this.#end(folder.path, held);
      held.linger = setTimeout(() => void this.#end(folder.path, held), lingerMs);
      held.linger.unref();
    };
    return { session: held.session, release };
  }

  /** All that run now, for the pickers of a peer that is not deployed yet. */
  sessions(): readonly OverlaySession[] {
    return [...this.#kept.values()].map(({ session }) => session);
  }

  /** Whether Node-RED stops: no session that is released will be held again. */
  get stopping(): boolean {
    return this.#stopping;
  }

  /** From now on nothing lingers. */
  stop(): void {
    this.#stopping = true;
    for (const [path, kept] of this.#kept) if (kept.uses === 0) void this.#end(path, kept);
  }

  /** Flows run again. */
  start(): void {
    this.#stopping = false;
  }

  #end(path: string, kept: Kept): Promise<void> {
    clearTimeout(kept.linger);
    if (this.#kept.get(path) === kept) this.#kept.delete(path);
    const ending = Promise.all([this.#ending.get(path), kept.session.close()]).then(() => {
      if (this.#ending.get(path) === ending) this.#ending.delete(path);
    });
    this.#ending.set(path, ending);
    return ending;
  }
}

/** One keeper for each Node-RED in this process; its event bus is the one object that all types of node share. */
const keepers = new WeakMap<object, SessionKeeper>();

/** To be called before the flows start: it follows them from then on. */
export function sessionKeeper(RED: NodeAPI): SessionKeeper {
  const before = keepers.get(RED.events);
  if (before !== undefined) return before;
  const keeper = new SessionKeeper(process.env);
  keepers.set(RED.events, keeper);
  let running: object | undefined;
  RED.events.on('flows:starting', ({ config }: FlowsEvent) => {
    running = config;
    keeper.start();
  });
  RED.events.on('flows:stopping', ({ config }: FlowsEvent) => {
    // A deploy has put the next flows in place before it stops those that run; who stops for good leaves them.
    if (config === running) keeper.stop();
  });
  return keeper;
}

interface FlowsEvent {
  /** All flows; another object with each deploy. */
  readonly config: object;
}

/** Node-RED's own folder, or, where it has none, the one it runs in. */
export function folderOf(RED: NodeAPI, configNodeId: string): IdentityFolder {
  return identityFolder(RED.settings.userDir ?? process.cwd(), configNodeId);
}
