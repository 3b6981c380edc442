/**
 * The cipher suite CPACE-X25519-SHA512 of draft-irtf-cfrg-cpace-21, in initiator-responder mode, by the draft's names:
 *
 *     g       = elligator2(SHA-512(lv(DSI, PRS, zeros, CI, sid))[0..32])      sections 7.1 and 8.2
 *     Y       = X25519(y, g)                                                  8.2
 *     ISK     = SHA-512(lv(DSI_ISK, sid, K) | lv(Ya, ADa) | lv(Yb, ADb))      7.2
 *     mac_key = SHA-512("CPaceMac" | sid | ISK)                               10.4
 *     T       = HMAC-SHA-512(mac_key, lv(Y, AD))
 *
 * `lv` puts the length before each part, as LEB128.
 */
import { PipevineError } from '../error/pipevine-error.ts';
import type { AgreementKey, Crypto } from '../platform/crypto.ts';
import { joinBytes } from '../wire/join-bytes.ts';
import { elligator2 } from './elligator.ts';

/** SHA-512's input block, bytes: the padding keeps the password in a block of its own. */
const HASH_BLOCK_BYTES = 128;
const SHARE_BYTES = 32;

const encoder = new TextEncoder();
const DSI = encoder.encode('CPace255');
const DSI_ISK = encoder.encode('CPace255_ISK');
const DSI_MAC = encoder.encode('CPaceMac');

/** What one side sends: its share and its associated data. */
export interface CpaceMessage {
  readonly share: Uint8Array;
  readonly associatedData: Uint8Array;
}

/** Each part with its length before it. */
export function lengthValue(...parts: readonly Uint8Array[]): Uint8Array {
  return joinBytes(parts.flatMap((part) => [leb128(part.length), part]));
}

/** The generator, 32 bytes: a secret until the exchange is over. */
export function calculateGenerator(
  crypto: Crypto,
  password: Uint8Array,
  channelIdentifier: Uint8Array,
  sessionId: Uint8Array,
): Uint8Array {
  const padding = HASH_BLOCK_BYTES - 1 - lengthValue(DSI, password).length;
  const zeros = new Uint8Array(Math.max(0, padding));
  return elligator2(crypto.sha512(lengthValue(DSI, password, zeros, channelIdentifier, sessionId)).subarray(0, 32));
}

/**
 * The intermediate session key, 64 bytes, from the own scalar and what the other side sent. Throws `malformed` when the
 * share has not 32 bytes, and `refused` for a point of small order, whose product anybody knows.
 */
export function sessionKey(
  crypto: Crypto,
  scalar: AgreementKey,
  remoteShare: Uint8Array,
  sessionId: Uint8Array,
  initiator: CpaceMessage,
  responder: CpaceMessage,
): Uint8Array {
  if (remoteShare.length !== SHARE_BYTES) {
    throw new PipevineError('malformed', `A CPace share has ${SHARE_BYTES} bytes, not ${remoteShare.length}.`);
  }
  const point = scalar.agree(remoteShare);
  if (point === undefined) {
    throw new PipevineError('refused', 'The CPace share is a point of small order: no honest peer sends one.');
  }
  return crypto.sha512(joinBytes([lengthValue(DSI_ISK, sessionId, point), message(initiator), message(responder)]));
}

/** The tag, 64 bytes, by which the sender of `sent` shows that it has the key. */
export function confirmationTag(
  crypto: Crypto,
  key: Uint8Array,
  sessionId: Uint8Array,
  sent: CpaceMessage,
): Uint8Array {
  return crypto.hmacSha512(crypto.sha512(joinBytes([DSI_MAC, sessionId, key])), message(sent));
}

function message(sent: CpaceMessage): Uint8Array {
  return lengthValue(sent.share, sent.associatedData);
}

function leb128(length: number): Uint8Array {
  const bytes: number[] = [];
  let rest = length;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  return Uint8Array.of(...bytes, rest);
}
