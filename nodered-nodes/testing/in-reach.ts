import { setTimeout } from 'node:timers/promises';
import type { ErrorCode, PeerGroup, PeerId } from '@pipevine/runtime';
import { pipevineFailure } from '../node/pipevine-failure.ts';
import type { PeerConfigNode } from '../peer/overlay-session.ts';
import type { FlowTest } from './flow-test.ts';
import type { TestOverlay } from './test-overlay.ts';

const WAIT_MS = 20_000;
const POLL_MS = 20;

/** What passes by itself while a peer is new: others hear of it, of its address and its lease, one after the other. */
const PASSING: readonly ErrorCode[] = ['refused', 'not-found', 'unreachable'];

/** Resolves once these config nodes are members, and the gateway knows them as such: it relays only for those. */
export async function membersInReach({ group }: TestOverlay, flow: FlowTest, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const { session } = flow.node<PeerConfigNode>(id);
    await session.ready();
    if (session.peer === undefined) throw new Error(`${id} has no peer`);
    await inReach(group, session.peer.id);
  }
}

/** Resolves once a config node's peer has heard that somebody listens under the name, and has a way there. */
export async function pipeInReach(flow: FlowTest, id: string, name: string): Promise<void> {
  const group = await flow.node<PeerConfigNode>(id).session.ready();
  const deadline = AbortSignal.timeout(WAIT_MS);
  for await (const { change, advertisement } of group.watch({ kind: 'pipe', key: name }, { signal: deadline })) {
    if (change !== 'removed') return inReach(group, advertisement.publisher);
  }
  throw new Error(`nobody listens under ${name}`);
}

async function inReach(group: PeerGroup, peer: PeerId): Promise<void> {
  const deadlineMs = performance.now() + WAIT_MS;
  for (;;) {
    const error = await group.peerInfo(peer).then(() => undefined, pipevineFailure);
    if (error === undefined) return;
    if (!PASSING.includes(error.code) || performance.now() > deadlineMs) throw error;
    await setTimeout(POLL_MS);
  }
}
