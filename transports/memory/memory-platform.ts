import type { Crypto, Platform, Random, Storage } from '@pipevine/runtime';
import { nodeCrypto } from '../node/node-crypto.ts';
import type { MemoryProcess } from './memory-process.ts';

export interface MemoryPlatformInit {
  readonly process: MemoryProcess;
  readonly random: Random;
  readonly storage: Storage;
  /** Default: node:crypto, whose results depend on nothing but the arguments. */
  readonly crypto?: Crypto;
}

/** The platform of a simulated peer. */
export function memoryPlatform(init: MemoryPlatformInit): Platform {
  const { clock, transports, localNetwork } = init.process;
  const { random, storage, crypto = nodeCrypto } = init;
  return { clock, random, crypto, storage, transports, localNetwork, serviceDirectory: localNetwork };
}
