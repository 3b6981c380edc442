import type { EndpointAddress } from '../platform/transport.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readMap, readText } from '../wire/shape.ts';
import { MAX_BODY_BYTES } from './advertisement-defaults.ts';

const WHAT = 'The body of a peer advertisement';
const MAX_ADDRESSES = 16;
const MAX_ADDRESS_BYTES = 256;
const MAX_ROLES = 16;
const MAX_ROLE_BYTES = 64;
const MAX_PROFILE_BYTES = 64;
/** With room for credentials of later versions; today's have 8 KiB at most. */
const MAX_CREDENTIAL_BYTES = 16 * 1024;

/** The body of a `peer` advertisement, which a peer says of itself. All hints: the handshake proves who answers. */
export interface PeerBody {
  /** Where it listens, best first; at most 16 of 256 bytes. */
  readonly addresses: readonly EndpointAddress[];
  /** For example `gateway`; at most 16 of 64 bytes. */
  readonly roles: readonly string[];
  /** For example `edge`; empty when it says none. */
  readonly profile: string;
  /** The X25519 static key of its Noise handshakes, 32 bytes: lets others seal to it, and use the IK pattern. */
  readonly staticKey: Uint8Array;
  /** The peer's own of the group, encoded: what shows others that its advertisements count. Not verified here. */
  readonly credential?: Uint8Array;
}

/** `{1: [* address], 2: [* role], ? 3: profile, 4: static key, ? 5: credential}`. Throws `invalid-argument` when out of bounds. */
export function encodePeerBody(body: PeerBody): Uint8Array {
  const encoded = encodeCanonical(
    new Map<number, readonly string[] | string | Uint8Array | undefined>([
      [1, body.addresses.slice(0, MAX_ADDRESSES)],
      [2, body.roles],
      [3, body.profile === '' ? undefined : body.profile],
      [4, body.staticKey],
      [5, body.credential],
    ]),
  );
  decodePeerBody(encoded);
  return encoded;
}

/** Throws `malformed`. */
export function decodePeerBody(bytes: Uint8Array): PeerBody {
  const reader = readMap(decodeStrict(bytes, { maxBytes: MAX_BODY_BYTES }), WHAT);
  const credential = reader.optionalBytes(5, 'credential', { maxLength: MAX_CREDENTIAL_BYTES });
  return {
    addresses: reader
      .array(1, 'addresses', { maxLength: MAX_ADDRESSES })
      .map((address) => readText(address, `${WHAT}: address`, { maxBytes: MAX_ADDRESS_BYTES })),
    roles: reader
      .array(2, 'roles', { maxLength: MAX_ROLES })
      .map((role) => readText(role, `${WHAT}: role`, { maxBytes: MAX_ROLE_BYTES })),
    profile: reader.optionalText(3, 'profile', { maxBytes: MAX_PROFILE_BYTES }) ?? '',
    staticKey: reader.bytes(4, 'static key', { length: 32 }),
    ...(credential && { credential }),
  };
}
