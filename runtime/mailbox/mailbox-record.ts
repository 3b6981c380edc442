import { type PeerId, peerIdFromBytes, peerIdToBytes } from '../id/peer-id.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readArray, readBoolean, readBytes, readInteger } from '../wire/shape.ts';
import { MESSAGE_ID_BYTES } from './mailbox-defaults.ts';
import type { HeldMessage } from './mailbox-table.ts';

const WHAT = 'A stored mailbox entry';
const POSITION_DIGITS = 16;

/** The row's key: rows sort as positions do. */
export const positionKey = (position: number): string => String(position).padStart(POSITION_DIGITS, '0');

/** `[recipient, sender, id, sealed bytes, expires at by the age clock, whether a receipt is wanted]`. */
export function encodeHeld(held: HeldMessage): Uint8Array {
  return encodeCanonical([
    peerIdToBytes(held.recipient),
    peerIdToBytes(held.sender),
    held.id,
    held.sealedBytes,
    held.expiresAtMs,
    held.wantsReceipt,
  ]);
}

/** Throws `malformed`. */
export function decodeHeld(key: string, value: Uint8Array): Omit<HeldMessage, 'state' | 'wakeAtMs'> {
  const [recipient, sender, id, sealedBytes, expiresAtMs, wantsReceipt] = readArray(decodeStrict(value), WHAT, {
    length: 6,
  });
  const readPeer = (bytes: typeof sender): PeerId => peerIdFromBytes(readBytes(bytes, WHAT, { length: 32 }));
  return {
    position: readInteger(Number.parseInt(key, 10), `${WHAT}: position`),
    recipient: readPeer(recipient),
    sender: readPeer(sender),
    id: readBytes(id, WHAT, { length: MESSAGE_ID_BYTES }),
    sealedBytes: readInteger(sealedBytes, WHAT),
    expiresAtMs: readInteger(expiresAtMs, WHAT),
    wantsReceipt: readBoolean(wantsReceipt, WHAT),
  };
}

/** What a relay must not forget besides its messages: `[mark of the age clock, next position]`. */
export function encodeMark(mark: Uint8Array, nextPosition: number): Uint8Array {
  return encodeCanonical([mark, nextPosition]);
}

/** Throws `malformed`. */
export function decodeMark(value: Uint8Array): { readonly mark: Uint8Array; readonly nextPosition: number } {
  const [mark, nextPosition] = readArray(decodeStrict(value), `${WHAT}: mark`, { length: 2 });
  return { mark: readBytes(mark, WHAT), nextPosition: readInteger(nextPosition, WHAT) };
}
