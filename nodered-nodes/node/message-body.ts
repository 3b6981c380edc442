import { PipevineError } from '@pipevine/runtime';
import { decodeCbor, encodeCbor } from './cbor.ts';

/** How a payload becomes bytes, and bytes a payload. `auto` is for sending: bytes as they are, text as UTF-8, all else as JSON. */
export const BODY_FORMATS = ['auto', 'text', 'json', 'cbor', 'buffer'] as const;
export type BodyFormat = (typeof BODY_FORMATS)[number];

/** Bytes that a body may have. */
export const MAX_BODY_BYTES = 1024 * 1024;

export function bodyFormat(value: unknown): BodyFormat {
  const found = BODY_FORMATS.find((format) => format === value);
  if (found !== undefined) return found;
  throw new PipevineError('invalid-argument', `A format is one of ${BODY_FORMATS.join(', ')}, not "${String(value)}".`);
}

/** Throws `malformed` for a payload that the format cannot express, `too-large`. */
export function encodeBody(payload: unknown, format: BodyFormat, maxBytes = MAX_BODY_BYTES): Uint8Array {
  const bytes = encoded(payload, format);
  if (bytes.length > maxBytes) throw tooLarge(bytes.length, maxBytes);
  return bytes;
}

/** A text, a value, or a Buffer. Throws `malformed` for bytes that are not of the format, `too-large`. */
export function decodeBody(bytes: Uint8Array, format: BodyFormat, maxBytes = MAX_BODY_BYTES): unknown {
  if (bytes.length > maxBytes) throw tooLarge(bytes.length, maxBytes);
  switch (format) {
    case 'buffer':
      return Buffer.from(bytes);
    case 'cbor':
      return decodeCbor(bytes);
    case 'text':
      return textFrom(bytes);
    case 'json':
      return jsonFrom(textFrom(bytes));
    case 'auto':
      try {
        return textFrom(bytes);
      } catch {
        return Buffer.from(bytes);
      }
  }
}

function encoded(payload: unknown, format: BodyFormat): Uint8Array {
  switch (format) {
    case 'auto':
      if (payload instanceof Uint8Array) return payload;
      if (payload === undefined) return new Uint8Array(0);
      return typeof payload === 'string' ? utf8(payload) : jsonBytes(payload);
    case 'buffer':
      if (payload instanceof Uint8Array) return payload;
      if (typeof payload === 'string') return utf8(payload);
      throw new PipevineError('malformed', `The format buffer takes a Buffer or a text, not ${kindOf(payload)}.`);
    case 'text':
      if (payload instanceof Uint8Array) return payload;
      if (payload === undefined || payload === null) return new Uint8Array(0);
      return typeof payload === 'object' ? jsonBytes(payload) : utf8(String(payload));
    case 'json':
      return jsonBytes(payload);
    case 'cbor':
      return encodeCbor(payload);
  }
}

function jsonBytes(payload: unknown): Uint8Array {
  let text: string | undefined;
  try {
    text = JSON.stringify(payload);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PipevineError('malformed', `The payload is no JSON value: ${reason}`, { cause });
  }
  if (text === undefined) throw new PipevineError('malformed', `JSON has no ${kindOf(payload)}.`);
  return utf8(text);
}

function textFrom(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new PipevineError('malformed', `Expected UTF-8 text; ${bytes.length} bytes came that are none.`, { cause });
  }
}

function jsonFrom(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new PipevineError('malformed', `Expected JSON; what came begins with "${text.slice(0, 40)}".`, { cause });
  }
}

const utf8 = (text: string) => new TextEncoder().encode(text);
const kindOf = (value: unknown) => (value === null ? 'null' : typeof value);

function tooLarge(bytes: number, maxBytes: number): PipevineError {
  return new PipevineError(
    'too-large',
    `A message has at most ${maxBytes} bytes here, not ${bytes}; send it in parts.`,
  );
}
