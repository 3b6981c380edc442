import { networkInterfaces } from 'node:os';
import {
  createEdgePeer,
  type EndpointAddress,
  type Peer,
  type PeerInfoPolicy,
  type PeerPart,
  PipevineError,
  type Platform,
  type Transport,
} from '@pipevine/runtime';
import {
  nodePlatform,
  nodeRandom,
  tcpTransport,
  type UdpLocalNetworkInit,
  udpLocalNetwork,
} from '@pipevine/transports';
import type { Profile, Settings } from '../config/settings.ts';
import { ControlClient } from '../control/control-client.ts';
import { controlSocketOf } from '../home/control-socket.ts';
import { type Home, homeAt, makeHome } from '../home/home.ts';
import { createIdentitySeed, readIdentitySeed } from '../home/identity-key.ts';
import { VERSION } from '../version.ts';
import type { GatewayModule } from './devices.ts';
import { rememberedSeeds } from './remembered-seeds.ts';

/** Port of a gateway: fixed, so that `--seed` addresses and firewall rules keep. */
export const DEFAULT_PORT = 7473;

/** How a peer reaches others, besides over TCP. */
export interface Reach {
  /** What has keys of its own derives them from the seed of the identity. */
  readonly transports: (seed: Uint8Array) => readonly Transport[];
  /** Parts of an edge; a gateway has them all. */
  readonly parts: readonly PeerPart[];
  /** What is listened on where nothing is said. */
  readonly schemes: readonly string[];
}

export interface OpenedPeer {
  readonly home: Home;
  readonly platform: Platform;
  readonly peer: Peer;
  /** The secret that the identity comes from. */
  readonly seed: Uint8Array;
  /** Closes the peer, then the storage. Idempotent. */
  close(): Promise<void>;
}

/**
 * Opens the home, which locks it, and starts its peer. Rejects with `busy` when another process has the home, naming it,
 * and with what a bad identity, disk or address gives.
 */
export async function openPeer(
  settings: Settings,
  init: {
    readonly profile: Profile;
    readonly listen: readonly EndpointAddress[];
    /** Absent: TCP alone. */
    readonly reach?: Reach;
    /** Makes the peer, and shows it to others. Default: one that admits nobody, and that only peers find. */
    readonly gateway?: Pick<GatewayModule, 'createPeer' | 'dnsSdDirectory'>;
  },
): Promise<OpenedPeer> {
  const home = homeAt(settings.home);
  makeHome(home);
  const seed = readIdentitySeed(home.identityFile) ?? createIdentitySeed(home.identityFile, (n) => nodeRandom.bytes(n));
  const transports = init.reach?.transports(seed) ?? [];
  const platform = await openPlatform(settings, home, transports, init.gateway?.dnsSdDirectory);
  try {
    const create = init.gateway?.createPeer ?? ((peer) => createEdgePeer(peer, init.reach?.parts));
    const peer = await create({
      platform,
      name: settings.name,
      seed,
      listen: init.listen,
      seeds: [...new Set([...settings.seed, ...rememberedSeeds(platform.storage)])],
      roles: [init.profile],
      rendezvous: settings.rendezvous ?? (init.profile === 'gateway' ? 'auto' : 'never'),
      peerInfo: infoPolicy(settings.peerInfo),
      facts: () => ({ version: VERSION, memoryBytes: process.memoryUsage.rss() }),
    });
    let closing: Promise<void> | undefined;
    const close = async () => {
      await peer.close();
      await platform.storage.close();
    };
    return {
      home,
      platform,
      peer,
      seed,
      close: () => {
        closing ??= close();
        return closing;
      },
    };
  } catch (error) {
    await platform.storage.close();
    throw explainAddress(error);
  }
}

async function openPlatform(
  settings: Settings,
  home: Home,
  transports: readonly Transport[],
  dnsSdDirectory?: GatewayModule['dnsSdDirectory'],
): Promise<Platform> {
  try {
    return nodePlatform({
      storage: home.databaseFile,
      transports: [tcpTransport(), ...transports],
      ...(settings.multicast && {
        localNetwork: udpLocalNetwork(multicastOptions(settings)),
        ...(dnsSdDirectory && { serviceDirectory: dnsSdDirectory(multicastOptions(settings)) }),
      }),
    });
  } catch (error) {
    if (error instanceof PipevineError && error.code === 'busy') throw await busyHome(home.path, error);
    throw error;
  }
}

/** Where its neighbours are, a peer tells administrators at most. */
function infoPolicy(basics: Settings['peerInfo']): Partial<PeerInfoPolicy> {
  if (basics === undefined) return {};
  return { basics, links: basics === 'nobody' ? 'nobody' : 'administrators' };
}

function multicastOptions({ multicastPort, multicastInterface: names }: Settings): UdpLocalNetworkInit {
  const chosen = () => Object.fromEntries(Object.entries(networkInterfaces()).filter(([name]) => names.includes(name)));
  return {
    ...(multicastPort !== undefined && { port: multicastPort }),
    ...(names.length > 0 && { interfaces: chosen }),
  };
}

async function busyHome(path: string, cause: PipevineError): Promise<PipevineError> {
  const client = await ControlClient.connect(controlSocketOf(path)).catch(() => undefined);
  const status = await client?.call('status', {}, { timeoutMs: 2_000 }).catch(() => undefined);
  client?.close();
  const pid = typeof status === 'object' && status !== null && 'pid' in status ? ` (process ${status.pid})` : '';
  return new PipevineError(
    'busy',
    `another pipevine${pid} is running on ${path}; stop it, or choose another folder with --home`,
    { cause },
  );
}

function explainAddress(error: unknown): unknown {
  if (!(error instanceof PipevineError) || error.code !== 'address-in-use' || error.message.includes('--listen'))
    return error;
  const [what = ''] = error.message.split('. ');
  const message = `${what}; choose another port with --listen tcp://0.0.0.0:PORT`;
  return new PipevineError(error.code, message, { cause: error });
}
