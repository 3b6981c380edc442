import { networkInterfaces } from 'node:os';
import {
  createPeer,
  type EndpointAddress,
  type Peer,
  PipevineError,
  type Platform,
  type Transport,
} from '@pipevine/runtime';
import {
  httpTransport,
  nodeCrypto,
  nodePlatform,
  nodeRandom,
  proxySettingsFrom,
  tcpTransport,
  udpLocalNetwork,
  udpTransport,
  webSocketTransport,
} from '@pipevine/transports';
import { type IdentityFolder, identitySeed } from './identity-folder.ts';
import type { SessionSettings } from './session-settings.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface OpenedPeer {
  readonly peer: Peer;
  readonly platform: Platform;
  /** The peer, then its storage. */
  close(): Promise<void>;
}

/** What listeners at brokers derive their keys from, besides the identity (RFC 5869, info). */
const LISTENER_LABEL = new TextEncoder().encode('pipevine/1 mqtt listeners');

/**
 * Opens the folder, which locks it, and starts its peer. Rejects with `busy` when another process has the folder, with what a
 * damaged identity, the disk or an address gives.
 */
export async function openPeer(
  folder: IdentityFolder,
  settings: SessionSettings,
  seeds: (platform: Platform) => Promise<readonly EndpointAddress[]>,
  env: Environment,
): Promise<OpenedPeer> {
  const seed = identitySeed(folder, (length) => nodeRandom.bytes(length));
  const platform = lockedPlatform(folder, settings, await transports(seed, settings, env), env);
  try {
    const { name, profile, listen } = settings;
    const peer = await createPeer({
      platform,
      name,
      seed,
      listen,
      seeds: await seeds(platform),
      roles: [profile],
      rendezvous: profile === 'gateway' ? 'auto' : 'never',
      facts: () => ({ memoryBytes: process.memoryUsage.rss() }),
    });
    const close = async () => {
      await peer.close();
      await platform.storage.close();
    };
    return { peer, platform, close };
  } catch (error) {
    await platform.storage.close();
    throw error;
  }
}

function lockedPlatform(
  folder: IdentityFolder,
  settings: SessionSettings,
  carried: readonly Transport[],
  env: Environment,
): Platform {
  try {
    const localNetwork = settings.multicast ? udpLocalNetwork(multicastOptions(env)) : undefined;
    return nodePlatform({
      storage: folder.databaseFile,
      transports: carried,
      ...(localNetwork !== undefined && { localNetwork }),
    });
  } catch (cause) {
    if (!(cause instanceof PipevineError) || cause.code !== 'busy') throw cause;
    const message = `Another Node-RED runs this peer already, on ${folder.path}: stop it, or add a peer of its own here.`;
    throw new PipevineError('busy', message, { cause });
  }
}

async function transports(seed: Uint8Array, settings: SessionSettings, env: Environment): Promise<Transport[]> {
  const proxy = proxySettingsFrom(env);
  const carried: Transport[] = [
    tcpTransport(),
    udpTransport(),
    webSocketTransport({ proxy }),
    httpTransport({ proxy }),
  ];
  if ([...settings.seeds, ...settings.listen].some((address) => /^mqtts?:/.test(address))) {
    const { mqttTransport } = await import('./mqtt-carrier.ts');
    carried.push(mqttTransport({ listenerSeed: nodeCrypto.hkdfSha256(seed, new Uint8Array(0), LISTENER_LABEL, 32) }));
  }
  return carried;
}

/** As the command line takes them: networks that carry several overlays keep them apart by these. */
export function multicastOptions({ PIPEVINE_MULTICAST_PORT: port, PIPEVINE_MULTICAST_INTERFACE: names }: Environment) {
  const wanted = (names ?? '').split(/[\s,]+/).filter((name) => name !== '');
  const chosen = () =>
    Object.fromEntries(Object.entries(networkInterfaces()).filter(([name]) => wanted.includes(name)));
  return {
    ...(port !== undefined && /^\d+$/.test(port) && { port: Number(port) }),
    ...(wanted.length > 0 && { interfaces: chosen }),
  };
}
