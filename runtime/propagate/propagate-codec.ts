/**
 * What goes by the resolver's handlers `propagate` and `epoch`. Shapes: docs/protocol/propagate.cddl.
 *
 *     envelope     [number, key id (8), nonce (12), sealed]          propagated; nobody answers
 *     content      [name, bytes]                                     what is sealed, ChaCha20-Poly1305
 *                  [name, bytes, message (8), index, count]          one fragment of a message
 *     request      {1 static key (32), ? 2 [number, issuer], ? 3 holders only}
 *     answer       {1 statement of the epoch, 2 key sealed by Noise X to the static key}
 *
 * The sealing key is the sender's own: HKDF-SHA-256 of the epoch's key with the group's id as salt and
 * `pipevine/1 propagate` and the sender's id as info. So what one member sealed no other can pass for its own.
 */
import { PipevineError } from '../error/pipevine-error.ts';
import { type PeerId, peerIdFromBytes, peerIdToBytes } from '../id/peer-id.ts';
import { decodeStrict } from '../wire/decode.ts';
import type { CborInput } from '../wire/encode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readArray, readBytes, readInteger, readMap, readText } from '../wire/shape.ts';
import { FRAGMENT_BYTES, MAX_FRAGMENTS, MAX_NAME_BYTES } from './propagate-defaults.ts';

export const KEY_BYTES = 32;
export const KEY_ID_BYTES = 8;
export const NONCE_BYTES = 12;
export const MESSAGE_ID_BYTES = 8;

const ENVELOPE = 'A message of a propagate pipe';
const CONTENT = 'The content of a propagate pipe';
const REQUEST = 'A request for the key of an epoch';
const ANSWER = 'The key of an epoch';

export interface Envelope {
  readonly number: number;
  /** First bytes of the hash of the epoch's key. */
  readonly keyId: Uint8Array;
  readonly nonce: Uint8Array;
  readonly sealed: Uint8Array;
}

/** A message, or a fragment of one. */
export interface Content {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly fragment?: { readonly message: Uint8Array; readonly index: number; readonly count: number };
}

export interface EpochRequest {
  readonly staticKey: Uint8Array;
  /** The epoch whose key is missing; the key of a later one does too. */
  readonly wanted?: { readonly number: number; readonly issuer: PeerId };
  /** Whoever does not hold a key shall not get or make one for this. */
  readonly holdersOnly: boolean;
}

export interface EpochAnswer {
  readonly statement: Uint8Array;
  readonly sealedKey: Uint8Array;
}

export function encodeEnvelope({ number, keyId, nonce, sealed }: Envelope): Uint8Array {
  return encodeCanonical([number, keyId, nonce, sealed]);
}

/** Throws `malformed`. */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  const [number, keyId, nonce, sealed] = readArray(decodeStrict(bytes), ENVELOPE, { length: 4 });
  return {
    number: readInteger(number, `${ENVELOPE}: epoch`, { min: 1 }),
    keyId: readBytes(keyId, `${ENVELOPE}: key id`, { length: KEY_ID_BYTES }),
    nonce: readBytes(nonce, `${ENVELOPE}: nonce`, { length: NONCE_BYTES }),
    sealed: readBytes(sealed, `${ENVELOPE}: sealed`),
  };
}

export function encodeContent({ name, bytes, fragment }: Content): Uint8Array {
  const { message, index, count } = fragment ?? {};
  return encodeCanonical(
    message === undefined || index === undefined || count === undefined
      ? [name, bytes]
      : [name, bytes, message, index, count],
  );
}

/** Throws `malformed`. */
export function decodeContent(plaintext: Uint8Array): Content {
  const members = readArray(decodeStrict(plaintext), CONTENT, { minLength: 2, maxLength: 5 });
  const content = {
    name: readText(members[0], `${CONTENT}: name`, { maxBytes: MAX_NAME_BYTES }),
    bytes: readBytes(members[1], `${CONTENT}: bytes`, { maxLength: FRAGMENT_BYTES }),
  };
  if (members.length === 2) return content;
  const message = readBytes(members[2], `${CONTENT}: message`, { length: MESSAGE_ID_BYTES });
  const count = readInteger(members[4], `${CONTENT}: count`, { min: 2, max: MAX_FRAGMENTS });
  const index = readInteger(members[3], `${CONTENT}: index`, { max: count - 1 });
  if (index < count - 1 && content.bytes.length !== FRAGMENT_BYTES) {
    throw new PipevineError('malformed', `${CONTENT}: all fragments but the last have ${FRAGMENT_BYTES} bytes.`);
  }
  return { ...content, fragment: { message, index, count } };
}

export function encodeEpochRequest({ staticKey, wanted, holdersOnly }: EpochRequest): Uint8Array {
  return encodeCanonical(
    new Map<number, CborInput | undefined>([
      [1, staticKey],
      [2, wanted && [wanted.number, peerIdToBytes(wanted.issuer)]],
      [3, holdersOnly || undefined],
    ]),
  );
}

/** Throws `malformed`. */
export function decodeEpochRequest(bytes: Uint8Array): EpochRequest {
  const reader = readMap(decodeStrict(bytes), REQUEST);
  const staticKey = reader.bytes(1, 'static key', { length: 32 });
  const holdersOnly = reader.has(3) && reader.boolean(3, 'holders only');
  if (!reader.has(2)) return { staticKey, holdersOnly };
  const [number, issuer] = reader.array(2, 'wanted', { length: 2 });
  const wanted = {
    number: readInteger(number, `${REQUEST}: number`, { min: 1 }),
    issuer: peerIdFromBytes(readBytes(issuer, `${REQUEST}: issuer`, { length: 32 })),
  };
  return { staticKey, wanted, holdersOnly };
}

export function encodeEpochAnswer({ statement, sealedKey }: EpochAnswer): Uint8Array {
  return encodeCanonical(
    new Map([
      [1, statement],
      [2, sealedKey],
    ]),
  );
}

/** Throws `malformed`. */
export function decodeEpochAnswer(bytes: Uint8Array): EpochAnswer {
  const reader = readMap(decodeStrict(bytes), ANSWER);
  return { statement: reader.bytes(1, 'statement'), sealedKey: reader.bytes(2, 'key', { maxLength: 256 }) };
}
