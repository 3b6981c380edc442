import type { Clock } from './clock.ts';
import type { Crypto } from './crypto.ts';
import type { LocalNetwork } from './local-network.ts';
import type { Random } from './random.ts';
import type { ServiceDirectory } from './service-directory.ts';
import type { Storage } from './storage.ts';
import type { Transport } from './transport.ts';

/** All that the runtime needs from the machine it runs on. */
export interface Platform {
  readonly clock: Clock;
  readonly random: Random;
  readonly crypto: Crypto;
  readonly storage: Storage;
  readonly transports: readonly Transport[];
  /** Absent where there is no multicast, or where it is switched off. */
  readonly localNetwork?: LocalNetwork;
  /** Absent where nobody is to be told by DNS-SD. */
  readonly serviceDirectory?: ServiceDirectory;
}
