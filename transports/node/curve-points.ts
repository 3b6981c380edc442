/**
 * Encodings of the points of small order on edwards25519, sign bit cleared: y = 0, 1, the two of order 8, -1, and the
 * non-canonical p and p + 1. Any message verifies under such a key for some signature.
 */
const SMALL_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].map((hex) => Uint8Array.from(Buffer.from(hex, 'hex')));

/**
 * Whether 32 bytes encode a point that RFC 8032 lets a verifier use: y below p (section 5.1.3, step 1), and not of
 * small order. Whether the point is on the curve at all is left to the verifier.
 */
export function isUsablePoint(encoded: Uint8Array): boolean {
  return !SMALL_ORDER.some((point) => sameBesidesSign(encoded, point)) && !isBeyondField(encoded);
}

function sameBesidesSign(encoded: Uint8Array, point: Uint8Array): boolean {
  for (let i = 0; i < 31; i++) if (encoded[i] !== point[i]) return false;
  return ((encoded[31] ?? 0) & 0x7f) === point[31];
}

function isBeyondField(encoded: Uint8Array): boolean {
  if (((encoded[31] ?? 0) & 0x7f) !== 0x7f || (encoded[0] ?? 0) < 0xed) return false;
  for (let i = 1; i < 31; i++) if (encoded[i] !== 0xff) return false;
  return true;
}
