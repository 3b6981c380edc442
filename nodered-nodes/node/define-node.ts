import { type PeerGroup, PipevineError } from '@pipevine/runtime';
import type { PeerConfigNode } from '../peer/overlay-session.ts';
import { MessageWork, type Send } from './message-work.ts';
import { pipevineFailure } from './pipevine-failure.ts';
import type { Node, NodeAPI, NodeDef, NodeMessageInFlow } from './red.ts';
import { type NodeStatus, nodeStatus, sharedStatus } from './status.ts';
import { whileMember } from './while-member.ts';

/** Node-RED waits 15 s for a node to close, then leaves it behind. */
const CLOSE_TIMEOUT_MS = 8_000;

/** What a node of ours is made with. */
export interface NodeContext<C> {
  readonly RED: NodeAPI;
  readonly node: Node;
  /** As saved in the flow, migrated, without the peer. */
  readonly config: C & NodeDef;
  /** Undefined when none is chosen, or the chosen one is not deployed. */
  readonly peer: PeerConfigNode | undefined;
  readonly status: NodeStatus;
  /** Aborted when the node closes. */
  readonly closed: AbortSignal;
  /** What waits because it could not be delivered is tried at once: something has changed for the better. */
  retry(): void;
}

/** What a node does. Whatever it rejects with becomes an error of the node; nothing leaves it. */
export interface NodeBehaviour {
  /**
   * One message. Resolving calls `done` once, rejecting `done(error)`, which a catch node sees with its code. In a node that
   * delivers, `unreachable` and `not-found` mean that nobody has taken the message: the peer's offline policy is asked.
   */
  onMessage?(msg: NodeMessageInFlow, send: Send, signal: AbortSignal): Promise<void>;
  /** Runs while a member; aborted when the group is left or the node closes; begun anew, with back-off, when it rejects. */
  whileMember?(group: PeerGroup, signal: AbortSignal): Promise<void>;
  onClose?(): Promise<void>;
}

export interface DefineNodeOptions<C> {
  readonly credentials?: Readonly<Record<string, { readonly type: 'text' | 'password' }>>;
  /** Whether messages go out to others, so that the peer's offline policy applies. */
  readonly delivers?: boolean | ((config: C & NodeDef) => boolean);
  /** Messages in work at a time; default 64. More wait. */
  readonly inWork?: number | ((config: C & NodeDef) => number);
  /** Whether it can do nothing without a peer; default true. */
  readonly needsPeer?: boolean;
  /** Brings what an earlier version of the package saved up to date. */
  readonly migrate?: (config: C & NodeDef & { readonly version?: number }) => C & NodeDef;
}

/** Registers a type of node: its life, its status, its messages and its errors are the same as of all our nodes. */
export function defineNode<C>(
  RED: NodeAPI,
  type: string,
  make: (context: NodeContext<C>) => NodeBehaviour,
  options: DefineNodeOptions<C> = {},
): void {
  function construct(this: Node, saved: C & NodeDef & { readonly peer?: string }): void {
    RED.nodes.createNode(this, saved);
    start(RED, this, saved, make, options);
  }
  const { credentials } = options;
  RED.nodes.registerType(type, construct, credentials === undefined ? {} : { credentials: { ...credentials } });
}

function start<C>(
  RED: NodeAPI,
  node: Node,
  saved: C & NodeDef & { readonly peer?: string },
  make: (context: NodeContext<C>) => NodeBehaviour,
  options: DefineNodeOptions<C>,
): void {
  const status = nodeStatus(RED, node);
  const closing = new AbortController();
  const peer = peerOf(RED, saved.peer);
  const report = (error: PipevineError) => {
    status.failed(error);
    node.error(error);
  };

  let behaviour: NodeBehaviour;
  let unusable: PipevineError | undefined;
  try {
    const config = options.migrate?.(saved) ?? saved;
    behaviour = make({ RED, node, config, peer, status, closed: closing.signal, retry: () => work.wake() });
  } catch (error) {
    unusable = pipevineFailure(error);
    behaviour = {};
    report(unusable);
  }
  if (peer === undefined && options.needsPeer !== false && unusable === undefined) {
    unusable = new PipevineError('invalid-argument', 'No peer is chosen; open the node, and choose or add one.');
    status.set('red', 'ring', sharedStatus('no-peer'));
  }

  const delivers = typeof options.delivers === 'function' ? options.delivers(saved) : options.delivers;
  const inWork = typeof options.inWork === 'function' ? options.inWork(saved) : options.inWork;
  const work = new MessageWork({
    handle: async (msg, send, signal) => {
      if (unusable !== undefined) throw unusable;
      await behaviour.onMessage?.(msg, send, signal);
    },
    signal: closing.signal,
    ...(inWork !== undefined && { inWork }),
    ...(delivers === true && peer !== undefined && { offline: peer.offline, blocked: () => notMember(peer, unusable) }),
    onDelivered: () => status.succeeded(),
    onFailed: (error) => status.failed(error),
    onCount: ({ waiting, dropped, undelivered }) => {
      if (waiting > 0) status.backlog('waiting', waiting);
      else if (dropped > 0 && undelivered) status.backlog('dropped', dropped);
      else status.backlog(undefined);
    },
  });
  if (behaviour.onMessage !== undefined || unusable !== undefined) {
    node.on('input', (msg, send, done) => {
      // Node-RED's own type of `send` knows no readonly lists.
      work.take(msg, send as Send, done);
    });
  }

  const unsubscribe = peer?.session.subscribe((state) => {
    status.session(state);
    if (state.phase !== 'online') return;
    if (work.counters.waiting === 0) status.backlog(undefined);
    work.wake();
  });
  if (peer !== undefined) {
    status.session(peer.session.state);
    peer.register(node);
  }
  const member =
    peer === undefined || behaviour.whileMember === undefined
      ? undefined
      : whileMember({
          session: peer.session,
          work: async (group, signal) => behaviour.whileMember?.(group, signal),
          onFailed: (error) => {
            status.failed(error);
            node.warn(`${error.message} (${error.code})`);
          },
        });

  const close = async () => {
    closing.abort();
    unsubscribe?.();
    const left = work.close();
    if (left > 0) node.warn(`${left} messages still waited to be delivered, and are given up.`);
    await within(CLOSE_TIMEOUT_MS, Promise.all([member?.end(), behaviour.onClose?.()]));
    status.close();
    peer?.deregister(node);
  };
  node.on('close', (done: () => void) => {
    close()
      .catch((error: unknown) => node.warn(pipevineFailure(error).message))
      .finally(done);
  });
}

function peerOf(RED: NodeAPI, id: string | undefined): PeerConfigNode | undefined {
  // Node-RED gives null for what is not deployed, against its types.
  const found: Node | null = id === undefined || id === '' ? null : RED.nodes.getNode(id);
  // Only our config node has a session.
  return found !== null && found?.type === 'pipevine-peer' ? (found as PeerConfigNode) : undefined;
}

function notMember({ session }: PeerConfigNode, unusable: PipevineError | undefined): PipevineError | undefined {
  if (unusable !== undefined || session.group !== undefined) return undefined;
  const { phase, error } = session.state;
  const reason = error === undefined ? '' : `: ${error.message}`;
  return new PipevineError('unreachable', `This peer is in no group yet (${phase})${reason}`, { cause: error });
}

async function within(timeoutMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  try {
    await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
