import { PipevineError } from '../error/pipevine-error.ts';
import type { Identity } from '../id/identity.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { HostedPeers } from '../pipe/pipes.ts';

const MAX_SOURCES = 64;

/** All the hosted peers of a process, wherever they come from. */
export class HostedPeerSources implements HostedPeers {
  readonly #sources = new Set<HostedPeers>();

  /** Throws `overloaded`. */
  add(source: HostedPeers): { release(): void } {
    if (this.#sources.size >= MAX_SOURCES) {
      throw new PipevineError('overloaded', `${MAX_SOURCES} sources of hosted peers are the most; merge some.`);
    }
    this.#sources.add(source);
    return { release: () => void this.#sources.delete(source) };
  }

  find(peer: PeerId): Identity | undefined {
    for (const source of this.#sources) {
      const identity = source.find(peer);
      if (identity !== undefined) return identity;
    }
    return undefined;
  }
}
