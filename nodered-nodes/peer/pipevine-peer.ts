import { registerAdminRoutes } from '../admin/register-admin-routes.ts';
import { pipevineFailure } from '../node/pipevine-failure.ts';
import type { Node, NodeAPI, NodeDef } from '../node/red.ts';
import { failedSession } from './failed-session.ts';
import type { OfflinePolicy, OverlaySession, PeerConfigNode, SessionState } from './overlay-session.ts';
import { folderOf, type HeldSession, sessionKeeper } from './session-keeper.ts';
import { type SavedCredentials, type SavedPeer, sessionSettings } from './session-settings.ts';

interface PeerConfig extends NodeDef, SavedPeer {
  readonly name: string;
  readonly offline?: unknown;
  readonly queueLimit?: unknown;
  readonly lingerSeconds?: unknown;
}

const DEFAULT_QUEUE = 1_000;
/** As many as wait in one node anyway. */
const MAX_QUEUE = 16_384;
const DEFAULT_LINGER_SECONDS = 5;
const MAX_LINGER_SECONDS = 3_600;
/** Node-RED waits 15 s. */
const CLOSE_TIMEOUT_MS = 10_000;
/** Its nodes may use a peer that ends for so long: what they have sent is acknowledged, what they hold is closed. */
const USERS_TIMEOUT_MS = 5_000;

export default function pipevinePeer(RED: NodeAPI): void {
  registerAdminRoutes(RED);
  const keeper = sessionKeeper(RED);

  function construct(this: Node<SavedCredentials & object>, config: PeerConfig): void {
    RED.nodes.createNode(this, config);
    // The members of a config node are ours to add.
    const node = this as unknown as Mutable<PeerConfigNode> & { credentials: SavedCredentials | undefined };
    const users = new Set<string>();
    node.offline = offlinePolicy(config);
    node.register = ({ id }) => void users.add(id);
    let unused = () => {};
    node.deregister = ({ id }) => {
      users.delete(id);
      if (users.size === 0) unused();
    };

    let held: HeldSession | undefined;
    let session: OverlaySession;
    try {
      const settings = sessionSettings(config, node.credentials ?? {});
      held = keeper.hold(folderOf(RED, this.id), settings);
      session = held.session;
    } catch (error) {
      session = failedSession(pipevineFailure(error));
    }
    node.session = session;
    const unsubscribe = session.subscribe(phaseLog(this));
    if (held === undefined) phaseLog(this)(session.state);

    this.on('close', (removed: boolean, done: () => void) => {
      unsubscribe();
      const ends = removed || keeper.stopping;
      const seconds = ends ? 0 : number(config.lingerSeconds, DEFAULT_LINGER_SECONDS, MAX_LINGER_SECONDS);
      const usersGone = new Promise<void>((resolve) => {
        unused = resolve;
        if (!ends || users.size === 0) resolve();
      });
      const patience = setTimeout(unused, USERS_TIMEOUT_MS);
      const timer = setTimeout(done, CLOSE_TIMEOUT_MS);
      const over = () => {
        clearTimeout(patience);
        clearTimeout(timer);
        done();
      };
      usersGone.then(() => held?.release(seconds * 1_000)).then(over, over);
    });
  }

  RED.nodes.registerType('pipevine-peer', construct, {
    credentials: { code: { type: 'password' }, password: { type: 'password' } },
  });
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Each change once, for Node-RED's log. */
function phaseLog(node: Node): (state: SessionState) => void {
  let last = '';
  return ({ phase, error }) => {
    const now = `${phase} ${error?.code ?? ''}`;
    if (now === last) return;
    last = now;
    if (error === undefined) node.log(`peer is ${phase}`);
    else node.warn(`peer is ${phase}: ${error.message} (${error.code})`);
  };
}

function offlinePolicy({ offline, queueLimit }: PeerConfig): OfflinePolicy {
  const policy = offline === 'drop' || offline === 'error' ? offline : 'queue';
  return { policy, limit: Math.max(1, Math.floor(number(queueLimit, DEFAULT_QUEUE, MAX_QUEUE))) };
}

/** From a field of a dialog, which gives texts. */
function number(value: unknown, fallback: number, max: number): number {
  const found = typeof value === 'number' ? value : Number.parseFloat(String(value));
  return Number.isFinite(found) && found >= 0 ? Math.min(found, max) : fallback;
}
