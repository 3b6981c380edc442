import type { Peer, PeerGroup, PeerId } from '@pipevine/runtime';
import { defineNode } from '../node/define-node.ts';
import { memberNamed } from '../node/member-named.ts';
import type { NodeAPI } from '../node/red.ts';
import { seconds } from '../node/seconds.ts';
import { inputText, messageText } from '../node/values.ts';
import { memberNow } from '../peer/member-now.ts';

export interface PeerInfoConfig {
  /** Id or name of a member; empty: `msg.peer`, else this peer itself. */
  readonly target?: string;
  readonly targetType?: string;
  /** Seconds. */
  readonly timeout?: unknown;
}

const DEFAULT_TIMEOUT_SECONDS = 5;
const MAX_TIMEOUT_SECONDS = 60;

export default function pipevinePeerInfo(RED: NodeAPI): void {
  defineNode<PeerInfoConfig>(RED, 'pipevine-peer-info', (context) => {
    const { config, peer } = context;
    const timeoutMs = seconds(config.timeout, DEFAULT_TIMEOUT_SECONDS, MAX_TIMEOUT_SECONDS) * 1_000;
    return {
      onMessage: async (msg, send, signal) => {
        const given = await inputText(context, config.target ?? '', config.targetType, msg, 'A peer');
        const wanted = given ?? messageText(msg.peer);
        const { peer: self, group } = memberNow(peer);
        const id = wanted === undefined ? self.id : await memberNamed(group, wanted, { signal });
        const payload = id === self.id ? ownInfo(self) : await infoOf(group, id, { signal, timeoutMs });
        send(Object.assign(msg, { payload, peer: id, topic: payload.name }));
      },
    };
  });
}

async function infoOf(
  group: PeerGroup,
  id: PeerId,
  options: { readonly signal: AbortSignal; readonly timeoutMs: number },
) {
  const { uptimeMs, links, ...info } = await group.peerInfo(id, options);
  return { id, self: false, ...info, uptimeSeconds: Math.round(uptimeMs / 1_000), ...(links && { links: [...links] }) };
}

/** The same of this peer, which need not ask. */
function ownInfo(peer: Peer) {
  const { name, roles, uptimeMs, groups, links } = peer.status();
  const sum = (of: (link: (typeof links)[number]) => number) => links.reduce((total, link) => total + of(link), 0);
  return {
    id: peer.id,
    self: true,
    name,
    roles,
    uptimeSeconds: Math.round(uptimeMs / 1_000),
    bytesIn: sum((link) => link.bytesIn),
    bytesOut: sum((link) => link.bytesOut),
    memoryBytes: process.memoryUsage.rss(),
    linkCount: links.length,
    groups: groups.map(({ id }) => id),
    links: links.map(({ peer: other, transport, address, rttMs }) => ({ peer: other, transport, address, rttMs })),
  };
}
