import { PipevineError } from '../error/pipevine-error.ts';
import type { JsonValue } from '../thing/thing-description.ts';
import { MAX_BODY_BYTES } from './advertisement-defaults.ts';

/** Deepest nesting of a Thing Description; real ones need 8. */
const MAX_JSON_DEPTH = 32;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The body of a `thing` advertisement: a Thing Description 1.1 as UTF-8 JSON (RFC 8259). Throws `too-large` beyond 48
 * KiB, saying what to do.
 */
export function encodeThingBody(description: JsonValue): Uint8Array {
  const bytes = encoder.encode(JSON.stringify(description));
  if (bytes.length > MAX_BODY_BYTES) {
    throw new PipevineError(
      'too-large',
      `The Thing Description has ${bytes.length} bytes as JSON; at most ${MAX_BODY_BYTES} are allowed. Split the thing, or shorten its descriptions.`,
    );
  }
  return bytes;
}

/**
 * Reads the JSON, bounded in size and depth; that it is a Thing Description is for others to check. A key
 * `__proto__` is refused, for it would turn on whoever copies the object. Throws `malformed`.
 */
export function decodeThingBody(bytes: Uint8Array): JsonValue {
  if (bytes.length > MAX_BODY_BYTES) {
    throw new PipevineError(
      'malformed',
      `A Thing Description may have ${MAX_BODY_BYTES} bytes at most, not ${bytes.length}.`,
    );
  }
  checkDepth(bytes);
  try {
    // JSON.parse gives nothing but JSON values.
    return JSON.parse(decoder.decode(bytes), refuseProto) as JsonValue;
  } catch (cause) {
    if (cause instanceof PipevineError) throw cause;
    throw new PipevineError('malformed', 'The body of a thing advertisement is not UTF-8 JSON.', { cause });
  }
}

function refuseProto(key: string, value: unknown): unknown {
  if (key === '__proto__') throw new PipevineError('malformed', 'A Thing Description must not have a key "__proto__".');
  return value;
}

/** Before parsing, because the parser's reviver recurses. */
function checkDepth(bytes: Uint8Array): void {
  let depth = 0;
  let inText = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (inText) {
      if (byte === 0x5c) i++;
      else if (byte === 0x22) inText = false;
    } else if (byte === 0x22) inText = true;
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > MAX_JSON_DEPTH) {
        throw new PipevineError('malformed', `A Thing Description is nested deeper than ${MAX_JSON_DEPTH}.`);
      }
    } else if (byte === 0x5d || byte === 0x7d) depth--;
  }
}
