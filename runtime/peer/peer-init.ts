import type { AdvertisementBounds } from '../advertisement/advertisement-defaults.ts';
import type { EndpointLimitsInit } from '../endpoint/endpoint-defaults.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { LinkLimitsInit } from '../link/link-limits.ts';
import type { PeerInfoPolicy } from '../peerinfo/peer-info.ts';
import type { PipeLimitsInit } from '../pipe/pipe-defaults.ts';
import type { Platform } from '../platform/platform.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import type { RendezvousMode } from '../rendezvous/rendezvous.ts';

export interface PeerInit {
  readonly platform: Platform;
  /** 32 secret bytes: whoever has them is this peer. */
  readonly seed: Uint8Array;
  /** For people, 1 to 128 bytes of UTF-8. Default: the short form of the id. */
  readonly name?: string;
  /** What this peer is to others, for example `gateway`, of which neighbours prefer to be near. Default: `edge`. */
  readonly roles?: readonly string[];
  /** Addresses to listen at, for example `tcp://0.0.0.0:7473`. Default: none, so this peer dials and is not dialled. */
  readonly listen?: readonly EndpointAddress[];
  /** Addresses that lead to the overlay where the local network does not. Kept linked. */
  readonly seeds?: readonly EndpointAddress[];
  /** Whether to use the platform's local network to find peers and be found. Default: true where there is one. */
  readonly localDiscovery?: boolean;
  /** Whether to serve as a rendezvous where the credential allows it. Default: `auto`; `never` without the part that serves. */
  readonly rendezvous?: RendezvousMode;
  /** Who is told what of this peer. Default: members the basics, administrators the links, too. */
  readonly peerInfo?: Partial<PeerInfoPolicy>;
  /** What this program says of itself to members that ask. */
  readonly facts?: () => { readonly version?: string; readonly memoryBytes?: number };
  readonly limits?: {
    readonly endpoint?: EndpointLimitsInit;
    readonly link?: LinkLimitsInit;
    readonly pipe?: PipeLimitsInit;
    readonly advertisements?: Partial<AdvertisementBounds>;
    /** Members asked and answered in a group at a time; default 256. A rendezvous needs one for each lease, too. */
    readonly neighbours?: number;
  };
}

const MAX_NAME_BYTES = 128;
const MAX_ROLES = 8;
const MAX_SEEDS = 64;

/** Throws `invalid-argument`, naming what is out of range. */
export function checkPeerInit(init: PeerInit): void {
  if (init.seed.length !== 32) {
    throw new PipevineError('invalid-argument', `The seed of a peer has 32 bytes, not ${init.seed.length}.`);
  }
  const { name, roles = [], seeds = [] } = init;
  if (name !== undefined) {
    const length = name.isWellFormed() ? new TextEncoder().encode(name).length : 0;
    if (length < 1 || length > MAX_NAME_BYTES) {
      throw new PipevineError('invalid-argument', `A peer's name has 1 to ${MAX_NAME_BYTES} bytes of UTF-8.`);
    }
  }
  if (roles.length > MAX_ROLES || !roles.every((role) => /^[a-z][a-z0-9-]{0,31}$/.test(role))) {
    throw new PipevineError(
      'invalid-argument',
      `Roles are at most ${MAX_ROLES} words of lower-case letters, digits and dashes, like gateway; got "${roles.join(', ').slice(0, 80)}".`,
    );
  }
  if (seeds.length > MAX_SEEDS) {
    throw new PipevineError(
      'invalid-argument',
      `A peer takes ${MAX_SEEDS} seed addresses at most, not ${seeds.length}.`,
    );
  }
}
