import type { Crypto } from '@pipevine/runtime';

const encoder = new TextEncoder();
const SALT = encoder.encode('pipevine/1 virtual peer');

/**
 * The identity secret of a device's virtual peer: HKDF-SHA-256 (RFC 5869) over the secret of the host set, with connector
 * and device key as info. Every host of the set derives the same peer for the same device. 32 bytes.
 */
export function deviceSeed(crypto: Crypto, hostSetSecret: Uint8Array, connector: string, key: string): Uint8Array {
  // A NUL ends the connector's name, so that no two pairs give one info.
  return crypto.hkdfSha256(hostSetSecret, SALT, encoder.encode(`${connector}\0${key}`), 32);
}
