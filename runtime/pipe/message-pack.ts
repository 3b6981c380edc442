/**
 * The plaintext of a sealed payload: whole messages, each a CBOR byte string, one after the other (RFC 8742). At least one.
 */
import { PipevineError } from '../error/pipevine-error.ts';
import { writeHead } from '../wire/byte-writer.ts';

/** Longest head of a byte string: lengths below 2^32. */
const MAX_HEAD_BYTES = 5;

/** Encoded length of a message. */
export function packedBytes(messageBytes: number): number {
  if (messageBytes < 24) return messageBytes + 1;
  if (messageBytes < 0x100) return messageBytes + 2;
  return messageBytes + (messageBytes < 0x1_0000 ? 3 : MAX_HEAD_BYTES);
}

/** Writes a message at `offset`, where there is room; returns the offset after it. */
export function packMessage(target: Uint8Array, offset: number, message: Uint8Array): number {
  const at = writeHead(target, offset, 2, message.length);
  target.set(message, at);
  return at + message.length;
}

/** One message alone. */
export function packedMessage(message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(packedBytes(message.length));
  packMessage(bytes, 0, message);
  return bytes;
}

/** Checks that `plaintext` is such a sequence, of messages of at most `maxBytes`. Throws `malformed` or `too-large`. */
export function checkPack(plaintext: Uint8Array, maxBytes: number): void {
  if (plaintext.length === 0) malformed('it is empty');
  for (let at = 0; at < plaintext.length; ) {
    const initial = plaintext[at] ?? 0;
    const info = initial & 31;
    if (initial >> 5 !== 2 || info > 26) malformed(`a byte string was expected at ${at}, byte ${initial} came`);
    const head = headBytes(info);
    if (at + head > plaintext.length) malformed('it is cut short');
    const length = lengthAt(plaintext, at);
    if (head > 1 && length < (head === 2 ? 24 : head === 3 ? 0x100 : 0x1_0000))
      malformed('a length is not in its shortest form');
    if (length > maxBytes) {
      throw new PipevineError('too-large', `A message has ${length} bytes; at most ${maxBytes} are taken.`);
    }
    at += head + length;
    if (at > plaintext.length) malformed('a message is cut short');
  }
}

/** Offset of the first byte of the message whose head is at `at`, in a checked pack. */
export function messageStart(plaintext: Uint8Array, at: number): number {
  return at + headBytes((plaintext[at] ?? 0) & 31);
}

/** Offset after the message whose head is at `at`, in a checked pack. */
export function messageEnd(plaintext: Uint8Array, at: number): number {
  return messageStart(plaintext, at) + lengthAt(plaintext, at);
}

function headBytes(info: number): number {
  return info < 24 ? 1 : info === 24 ? 2 : info === 25 ? 3 : MAX_HEAD_BYTES;
}

function lengthAt(plaintext: Uint8Array, at: number): number {
  const info = (plaintext[at] ?? 0) & 31;
  if (info < 24) return info;
  let length = 0;
  for (let i = 1; i < headBytes(info); i++) length = length * 0x100 + (plaintext[at + i] ?? 0);
  return length;
}

function malformed(what: string): never {
  throw new PipevineError('malformed', `A sealed payload is malformed: ${what}.`);
}
