/**
 * A probe: one UDP packet that proves to whoever made the token that packets get through to it, and shows from where. It
 * begins as no packet of a link does (`runtime/link/datagram-packet.ts`).
 *
 * | byte | member                                           |
 * |------|--------------------------------------------------|
 * | 0    | 05                                               |
 * | 1-16 | the token that its receiver has told the sender  |
 */
import { TOKEN_BYTES } from './punch-defaults.ts';

export const PROBE_MARK = 0x05;
export const PROBE_BYTES = 1 + TOKEN_BYTES;

export function encodeProbe(token: Uint8Array): Uint8Array {
  const packet = new Uint8Array(PROBE_BYTES);
  packet[0] = PROBE_MARK;
  packet.set(token, 1);
  return packet;
}

/** The token; undefined for anything else. */
export function decodeProbe(packet: Uint8Array): Uint8Array | undefined {
  return packet.length === PROBE_BYTES && packet[0] === PROBE_MARK ? packet.slice(1) : undefined;
}
