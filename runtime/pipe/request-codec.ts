/**
 * The messages of a request pipe, each a CBOR array. `id` is chosen by the client and used once.
 *
 * | array                    | direction        | meaning                                          |
 * |--------------------------|------------------|--------------------------------------------------|
 * | [0, id, body]            | client to server | request                                          |
 * | [1, id, body]            | server to client | the one reply                                    |
 * | [2, id, body]            | server to client | one item of a sequence                           |
 * | [3, id]                  | server to client | end of the sequence                              |
 * | [4, id, code, message]   | server to client | failure                                          |
 * | [5, id]                  | client to server | cancel: nothing more is wanted for this request  |
 */
import { PipevineError } from '../error/pipevine-error.ts';
import { writeHead } from '../wire/byte-writer.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readArray, readBytes, readInteger, readText } from '../wire/shape.ts';
import { MAX_CODE_CHARACTERS } from '../wire/wire-defaults.ts';

export const RequestMessageType = { request: 0, reply: 1, item: 2, end: 3, failure: 4, cancel: 5 } as const;

export type RequestMessage =
  | { readonly type: 0 | 1 | 2; readonly id: number; readonly body: Uint8Array }
  | { readonly type: 3 | 5; readonly id: number }
  | { readonly type: 4; readonly id: number; readonly code: string; readonly message: string };

/** Longest message of a failure, in characters. */
export const MAX_FAILURE_CHARACTERS = 2_000;

/** Encodes what carries a body: request, reply or item. */
export function encodeBody(type: 0 | 1 | 2, id: number, body: Uint8Array): Uint8Array {
  const head = new Uint8Array(20);
  head[0] = 0x83;
  head[1] = type;
  const length = writeHead(head, writeHead(head, 2, 0, id), 2, body.length);
  const bytes = new Uint8Array(length + body.length);
  bytes.set(head.subarray(0, length));
  bytes.set(body, length);
  return bytes;
}

export function encodeRequestMessage(message: RequestMessage): Uint8Array {
  switch (message.type) {
    case 0:
    case 1:
    case 2:
      return encodeBody(message.type, message.id, message.body);
    case 3:
    case 5:
      return encodeCanonical([message.type, message.id]);
    case 4: {
      const text = message.message.toWellFormed().slice(0, MAX_FAILURE_CHARACTERS).toWellFormed();
      return encodeCanonical([message.type, message.id, message.code, text]);
    }
  }
}

/** Throws `malformed` or `too-large`. The body is a copy. */
export function decodeRequestMessage(bytes: Uint8Array): RequestMessage {
  const members = readArray(decodeStrict(bytes, { maxBytes: bytes.length, maxDepth: 1 }), 'A request message', {
    minLength: 2,
    maxLength: 4,
  });
  const type = readInteger(members[0], 'The type of a request message');
  const id = readInteger(members[1], 'The id of a request');
  switch (type) {
    case 0:
    case 1:
    case 2:
      readArray(members, 'A request message with a body', { length: 3 });
      return { type, id, body: readBytes(members[2], 'The body of a request message') };
    case 3:
    case 5:
      readArray(members, 'A request message without a body', { length: 2 });
      return { type, id };
    case 4:
      readArray(members, 'A failure', { length: 4 });
      return {
        type,
        id,
        code: readText(members[2], 'The code of a failure', { maxLength: MAX_CODE_CHARACTERS }),
        message: readText(members[3], 'The message of a failure', { maxLength: MAX_FAILURE_CHARACTERS }),
      };
    default:
      throw new PipevineError('malformed', `A request message has type ${type}; types 0 to 5 are known.`);
  }
}
