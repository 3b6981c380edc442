/**
 * The `session` member of BIND and BOUND:
 *
 * | first byte | rest                                          | meaning                                         |
 * |------------|-----------------------------------------------|-------------------------------------------------|
 * | (empty)    |                                               | a new pipe under the protection of the link     |
 * | 00         | Noise message                                 | a new pipe with a session of its own            |
 * | 01         | counter, 8 bytes big-endian; 32 bytes of HMAC | a pipe with a session of its own goes on        |
 * | 01         |                                               | a pipe under the protection of the link goes on |
 *
 * CONFIRM carries the third Noise message alone.
 */
import { PipevineError } from '../error/pipevine-error.ts';

const NEW = 0;
const RESUME = 1;
const PROOF_BYTES = 32;

export type SessionField =
  | { readonly type: 'link' }
  | { readonly type: 'new'; readonly message: Uint8Array }
  | { readonly type: 'resume'; readonly proof: { readonly counter: number; readonly mac: Uint8Array } | undefined };

export function encodeSessionField(field: SessionField): Uint8Array {
  if (field.type === 'link') return new Uint8Array(0);
  if (field.type === 'new') {
    const bytes = new Uint8Array(1 + field.message.length);
    bytes[0] = NEW;
    bytes.set(field.message, 1);
    return bytes;
  }
  if (field.proof === undefined) return new Uint8Array([RESUME]);
  const bytes = new Uint8Array(9 + PROOF_BYTES);
  bytes[0] = RESUME;
  new DataView(bytes.buffer).setBigUint64(1, BigInt(field.proof.counter));
  bytes.set(field.proof.mac, 9);
  return bytes;
}

/** Throws `malformed`. */
export function decodeSessionField(bytes: Uint8Array): SessionField {
  if (bytes.length === 0) return { type: 'link' };
  if (bytes[0] === NEW) return { type: 'new', message: bytes.subarray(1) };
  if (bytes[0] === RESUME && bytes.length === 1) return { type: 'resume', proof: undefined };
  if (bytes[0] === RESUME && bytes.length === 9 + PROOF_BYTES) {
    const counter = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(1));
    if (Number.isSafeInteger(counter)) return { type: 'resume', proof: { counter, mac: bytes.subarray(9) } };
  }
  throw new PipevineError(
    'malformed',
    `The session of a BIND or BOUND begins with ${bytes[0]} and has ${bytes.length} bytes.`,
  );
}
