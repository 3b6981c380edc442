import { createPeer, type Peer, parseGroupId, parseJoinCode } from '@pipevine/runtime';
import {
  MemoryStorage,
  nodeClock,
  nodePlatform,
  nodeRandom,
  tcpTransport,
  udpLocalNetwork,
} from '@pipevine/transports';
import { pipevineFailure } from '../node/pipevine-failure.ts';
import { defaultGatewayHome, gatewayAddresses } from '../peer/local-gateway.ts';
import { multicastOptions } from '../peer/open-peer.ts';
import {
  type SavedCredentials,
  type SavedPeer,
  type SessionSettings,
  sessionSettings,
} from '../peer/session-settings.ts';
import { wayInName } from '../peer/way-in.ts';
import type { AdminRequest } from './admin-route.ts';
import { deployedPeer } from './chosen-session.ts';

const READY_TIMEOUT_MS = 8_000;
const REACH_TIMEOUT_MS = 4_000;

/** What the test button says. `found`: the settings are sound and somebody is in reach; it joins when deployed. */
export interface PeerTest {
  readonly result: 'member' | 'found' | 'nobody' | 'failed';
  readonly message: string;
  readonly code: string | null;
  readonly links: number;
}

/**
 * Tests what is deployed, or with `{config, credentials}` what the dialog shows. A credential that the dialog did not touch is not
 * in the browser: the saved one is taken. Joins nothing: a code may be good for one peer only.
 */
export async function testPeer(request: AdminRequest): Promise<PeerTest> {
  const { config, credentials } = (request.body ?? {}) as {
    readonly config?: SavedPeer;
    readonly credentials?: SavedCredentials;
  };
  try {
    const result = config === undefined ? await testDeployed(request) : undefined;
    return result ?? (await testSettings(request, settingsOf(request, config ?? {}, credentials ?? {})));
  } catch (cause) {
    const { code, message } = pipevineFailure(cause);
    return { result: 'failed', message, code, links: 0 };
  }
}

async function testDeployed(request: AdminRequest): Promise<PeerTest | undefined> {
  const session = deployedPeer(request)?.session;
  if (session === undefined) return undefined;
  const group = await session.ready({ timeoutMs: READY_TIMEOUT_MS, signal: request.signal });
  return { result: 'member', message: group.name, code: null, links: session.state.links };
}

function settingsOf({ RED, params }: AdminRequest, config: SavedPeer, given: SavedCredentials): SessionSettings {
  const saved = (RED.nodes.getCredentials(params.peer ?? '') ?? {}) as SavedCredentials;
  return sessionSettings(config, { ...saved, ...given });
}

/** A peer of no identity, that looks who is there and goes. */
async function testSettings({ signal }: AdminRequest, settings: SessionSettings): Promise<PeerTest> {
  const { env } = process;
  const { wayIn } = settings;
  wayInName(wayIn, env);
  const local = wayIn.type === 'local' ? await gatewayAddresses(wayIn.home || defaultGatewayHome(env), signal) : [];
  const platform = nodePlatform({
    storage: new MemoryStorage({ clock: nodeClock }),
    transports: [tcpTransport()],
    ...(settings.multicast && { localNetwork: udpLocalNetwork(multicastOptions(env)) }),
  });
  const linked = wayIn.type === 'code' ? parseJoinCode(wayIn.code).seeds : [];
  const seeds = [...new Set([...settings.seeds, ...linked, ...local])];
  const peer = await createPeer({ platform, seed: nodeRandom.bytes(32), name: 'test', seeds, rendezvous: 'never' });
  try {
    const wanted = wayIn.type === 'group' ? parseGroupId(wayIn.group) : undefined;
    const name = await firstReached(peer, wanted, signal);
    const links = peer.status().links.length;
    if (name === undefined && links === 0) return { result: 'nobody', message: '', code: 'unreachable', links };
    return { result: 'found', message: name ?? '', code: null, links };
  } finally {
    await peer.close();
    await platform.storage.close();
  }
}

/** The name of the wanted group once it answers; else undefined when there is a link, or time is up. */
async function firstReached(peer: Peer, wanted: string | undefined, signal: AbortSignal): Promise<string | undefined> {
  const enough = new AbortController();
  const unsubscribe = peer.subscribe((notice) => {
    if (notice.type === 'neighbour-up' && wanted === undefined) enough.abort();
  });
  try {
    if (peer.status().links.length > 0 && wanted === undefined) return undefined;
    const wait = { timeoutMs: REACH_TIMEOUT_MS, signal: AbortSignal.any([signal, enough.signal]) };
    for await (const group of peer.findGroups(wait)) if (group.id === wanted) return group.name;
  } catch (error) {
    if (!enough.signal.aborted) throw error;
  } finally {
    unsubscribe();
  }
  return undefined;
}
