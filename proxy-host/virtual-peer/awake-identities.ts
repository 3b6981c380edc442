import { type Crypto, type Identity, identityFromSeed } from '@pipevine/runtime';
import { deviceSeed } from './device-seed.ts';

/** The keys of the virtual peers that were used of late; those of the others are derived when something comes for them. */
export class AwakeIdentities {
  readonly #crypto: Crypto;
  readonly #secret: Uint8Array;
  readonly #limit: number;
  readonly #identities = new Map<string, Identity>();
  #fellAsleep = 0;

  constructor(crypto: Crypto, hostSetSecret: Uint8Array, limit: number) {
    this.#crypto = crypto;
    this.#secret = hostSetSecret;
    this.#limit = limit;
  }

  get size(): number {
    return this.#identities.size;
  }

  /** How often one had to make room. */
  get fellAsleep(): number {
    return this.#fellAsleep;
  }

  of(connector: string, key: string): Identity {
    const name = `${connector}\0${key}`;
    const identity =
      this.#identities.get(name) ??
      identityFromSeed(this.#crypto, deviceSeed(this.#crypto, this.#secret, connector, key));
    this.#identities.delete(name);
    this.#identities.set(name, identity);
    for (const oldest of this.#identities.keys()) {
      if (this.#identities.size <= this.#limit) break;
      this.#identities.delete(oldest);
      this.#fellAsleep++;
    }
    return identity;
  }
}
