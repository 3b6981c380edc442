/**
 * The messages of a byte stream over a pipe, each a CBOR array. One stream begins when the one before has ended.
 *
 * | array               | meaning                                                    |
 * |---------------------|------------------------------------------------------------|
 * | [0, chunk]          | the next bytes                                             |
 * | [1, total]          | the end; how many bytes there were                         |
 * | [2, code, message]  | the sender has given up: what came is not the whole stream |
 */
import { PipevineError } from '../error/pipevine-error.ts';
import { writeHead } from '../wire/byte-writer.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readArray, readBytes, readInteger, readText } from '../wire/shape.ts';
import { MAX_CODE_CHARACTERS } from '../wire/wire-defaults.ts';

/** Longest message of a failure, in characters. */
const MAX_FAILURE_CHARACTERS = 2_000;

export type StreamMessage =
  | { readonly type: 'chunk'; readonly bytes: Uint8Array }
  | { readonly type: 'end'; readonly totalBytes: number }
  | { readonly type: 'failure'; readonly code: string; readonly message: string };

export function encodeStreamMessage(message: StreamMessage): Uint8Array {
  switch (message.type) {
    case 'chunk':
      return encodeChunk(message.bytes);
    case 'end':
      return encodeCanonical([1, message.totalBytes]);
    case 'failure': {
      const text = message.message.toWellFormed().slice(0, MAX_FAILURE_CHARACTERS).toWellFormed();
      return encodeCanonical([2, message.code, text]);
    }
  }
}

/** Throws `malformed` or `too-large`. The bytes of a chunk are a copy. */
export function decodeStreamMessage(encoded: Uint8Array): StreamMessage {
  const what = 'A message of a stream';
  const limits = { minLength: 2, maxLength: 3 };
  const members = readArray(decodeStrict(encoded, { maxBytes: encoded.length, maxDepth: 1 }), what, limits);
  const type = readInteger(members[0], `${what}: type`);
  if (type === 2 && members.length === 3) {
    const code = readText(members[1], `${what}: code`, { maxLength: MAX_CODE_CHARACTERS });
    return { type: 'failure', code, message: readText(members[2], `${what}: message`, { maxBytes: 6_000 }) };
  }
  if (members.length === 2 && type === 0) return { type: 'chunk', bytes: readBytes(members[1], `${what}: chunk`) };
  if (members.length === 2 && type === 1) return { type: 'end', totalBytes: readInteger(members[1], `${what}: total`) };
  throw new PipevineError('malformed', `${what} has type ${type} and ${members.length} members, which is none known.`);
}

function encodeChunk(chunk: Uint8Array): Uint8Array {
  const head = new Uint8Array(12);
  head[0] = 0x82;
  head[1] = 0;
  const length = writeHead(head, 2, 2, chunk.length);
  const bytes = new Uint8Array(length + chunk.length);
  bytes.set(head.subarray(0, length));
  bytes.set(chunk, length);
  return bytes;
}
