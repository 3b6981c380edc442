const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
const VALUES = new Map([...ALPHABET].map((character, value) => [character, value]));

const CODES = [...ALPHABET].map((character) => character.charCodeAt(0));

/** Arguments that a call is given at once, well below every engine's limit. */
const CHUNK = 4096;

/**
 * RFC 4648 section 6, lower case, no padding. Made of character codes at once: a text that grows by characters stays a
 * rope of 32 bytes a character for as long as it lives, and ids live long.
 */
export function base32Encode(bytes: Uint8Array): string {
  const codes = new Array<number>(Math.ceil((bytes.length * 8) / 5)).fill(0);
  let length = 0;
  let bits = 0;
  let buffer = 0;
  for (const byte of bytes) {
    buffer = (buffer << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      codes[length++] = CODES[(buffer >> bits) & 31] ?? 0;
    }
    buffer &= (1 << bits) - 1;
  }
  if (bits > 0) codes[length] = CODES[(buffer << (5 - bits)) & 31] ?? 0;
  // Not spread: that takes four times as long.
  if (codes.length <= CHUNK) return String.fromCharCode.apply(null, codes);
  let text = '';
  for (let at = 0; at < codes.length; at += CHUNK) text += String.fromCharCode.apply(null, codes.slice(at, at + CHUNK));
  return text;
}

/** Reads what `base32Encode` writes, in either case; undefined for anything else, non-zero trailing bits included. */
export function base32Decode(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(Math.floor((text.length * 5) / 8));
  let bits = 0;
  let buffer = 0;
  let length = 0;
  for (const character of text.toLowerCase()) {
    const value = VALUES.get(character);
    if (value === undefined) return undefined;
    buffer = (buffer << 5) | value;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes[length++] = buffer >> bits;
      buffer &= (1 << bits) - 1;
    }
  }
  return bits >= 5 || buffer !== 0 ? undefined : bytes;
}
