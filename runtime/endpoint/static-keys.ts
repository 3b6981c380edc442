import type { PeerId } from '../id/peer-id.ts';

/** The Noise static keys of the neighbours met last: with one a dial needs a round trip less. */
export class StaticKeys {
  readonly #keys = new Map<PeerId, Uint8Array>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get(peer: PeerId): Uint8Array | undefined {
    return this.#keys.get(peer);
  }

  set(peer: PeerId, key: Uint8Array): void {
    this.#keys.delete(peer);
    this.#keys.set(peer, key);
    if (this.#keys.size <= this.#max) return;
    for (const oldest of this.#keys.keys()) {
      this.#keys.delete(oldest);
      break;
    }
  }

  delete(peer: PeerId): void {
    this.#keys.delete(peer);
  }
}
