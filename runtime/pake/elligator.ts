/** The field of Curve25519 and the curve's coefficient: v^2 = u^3 + A u^2 + u (RFC 7748, section 4.1). */
const P = 2n ** 255n - 19n;
const A = 486662n;

/**
 * Elligator 2 for Curve25519 (RFC 9380, section 6.7.1; Z = 2), the u-coordinate alone: 32 little-endian bytes to 32.
 * The top bit of the input counts for nothing. No branch and no exponent depends on the input; BigInt arithmetic itself
 * takes a time that depends on it a little.
 */
export function elligator2(encoded: Uint8Array): Uint8Array {
  const r = encoded.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n) & (2n ** 255n - 1n);
  const v = (P - A) * power(1n + 2n * r * r, P - 2n);
  // Euler's criterion: 1, or P - 1 when v is no u-coordinate of the curve; then -v - A is one. Never 0.
  const square = power(v * (v * v + A * v + 1n), (P - 1n) / 2n);
  const u = modulo(square * v - (1n - square) * A * INVERSE_OF_2);
  return Uint8Array.from({ length: 32 }, (_, at) => Number((u >> BigInt(8 * at)) & 255n));
}

const INVERSE_OF_2 = (P + 1n) / 2n;

function modulo(value: bigint): bigint {
  return ((value % P) + P) % P;
}

/** base^exponent; the exponents are public constants. */
function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let factor = modulo(base), rest = exponent; rest > 0n; rest >>= 1n, factor = (factor * factor) % P) {
    if (rest & 1n) result = (result * factor) % P;
  }
  return result;
}
