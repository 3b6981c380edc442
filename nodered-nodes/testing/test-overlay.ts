import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CreateGroupInit, createPeer, type Peer, type PeerGroup } from '@pipevine/runtime';
import { MemoryStorage, nodeClock, nodePlatform, nodeRandom } from '@pipevine/transports';

import type { FlowNode } from './flow-test.ts';

/** A gateway peer with a group, on loopback and a port of its own, and other members besides. */
export interface TestOverlay extends AsyncDisposable {
  readonly gateway: Peer;
  readonly group: PeerGroup;
  /** A join link that says where the gateway is. */
  code(options?: { readonly uses?: number; readonly roles?: readonly string[] }): Promise<string>;
  /** Another peer that is a member, closed with the overlay. */
  member(name: string): Promise<{ readonly peer: Peer; readonly group: PeerGroup }>;
  /** A `pipevine-peer` config node that joins here: its part of the flow, and its credentials. */
  peerConfig(
    id: string,
    more?: Readonly<Record<string, unknown>>,
  ): Promise<{ readonly node: FlowNode; readonly credentials: Record<string, Record<string, string>> }>;
  /** A folder that goes with the overlay, for `userDir`. */
  folder(name: string): string;
}

export async function startTestOverlay(init: Partial<CreateGroupInit> = {}): Promise<TestOverlay> {
  const closing: (() => Promise<void>)[] = [];
  const home = mkdtempSync(join(tmpdir(), 'pipevine-nodes-'));
  const start = async (name: string, listen: readonly string[]) => {
    const platform = nodePlatform({ storage: new MemoryStorage({ clock: nodeClock }) });
    const peer = await createPeer({
      platform,
      name,
      seed: nodeRandom.bytes(32),
      listen,
      roles: name === 'gateway' ? ['gateway'] : ['edge'],
      rendezvous: name === 'gateway' ? 'always' : 'never',
    });
    closing.unshift(async () => {
      await peer.close();
      await platform.storage.close();
    });
    return peer;
  };
  const gateway = await start('gateway', ['tcp://127.0.0.1:0']);
  const group = await gateway.createGroup({ name: 'home', ...init });
  const code: TestOverlay['code'] = async (options = {}) => {
    const plain = await gateway.invite(group.id, { uses: 8, ...options });
    return `pipevine://join/${plain}?${gateway.addresses.map((a) => `seed=${encodeURIComponent(a)}`).join('&')}`;
  };
  return {
    gateway,
    group,
    code,
    member: async (name) => {
      const peer = await start(name, ['tcp://127.0.0.1:0']);
      return { peer, group: await peer.join(await gateway.invite(group.id), { addresses: gateway.addresses }) };
    },
    peerConfig: async (id, more = {}) => ({
      node: { id, type: 'pipevine-peer', name: `peer ${id}`, join: 'code', multicast: false, ...more },
      credentials: { [id]: { code: await code() } },
    }),
    folder: (name) => join(home, name),
    [Symbol.asyncDispose]: async () => {
      for (const close of closing) await close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}
