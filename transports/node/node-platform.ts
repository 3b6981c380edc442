import type { LocalNetwork, Platform, ServiceDirectory, Storage, Transport } from '@pipevine/runtime';
import { tcpTransport } from '../tcp/tcp-transport.ts';
import { nodeClock } from './node-clock.ts';
import { nodeCrypto } from './node-crypto.ts';
import { nodeRandom } from './node-random.ts';
import { openSqliteStorage } from './sqlite-storage.ts';

export interface NodePlatformInit {
  /** Storage, or the path of a SQLite file, which is opened; whoever closes the peer closes `platform.storage`. */
  readonly storage: Storage | string;
  /** Default: TCP alone. */
  readonly transports?: readonly Transport[];
  /** For example `udpLocalNetwork()`. Default: none, so peers are found by address alone. */
  readonly localNetwork?: LocalNetwork;
  /** For example `dnsSdDirectory()`. Default: none, so Zeroconf browsers do not see the peer. */
  readonly serviceDirectory?: ServiceDirectory;
}

/** The platform of a peer on Node. Throws what `openSqliteStorage` throws. */
export function nodePlatform(init: NodePlatformInit): Platform {
  const storage = typeof init.storage === 'string' ? openSqliteStorage({ file: init.storage }) : init.storage;
  return {
    clock: nodeClock,
    random: nodeRandom,
    crypto: nodeCrypto,
    storage,
    transports: init.transports ?? [tcpTransport()],
    ...(init.localNetwork && { localNetwork: init.localNetwork }),
    ...(init.serviceDirectory && { serviceDirectory: init.serviceDirectory }),
  };
}
