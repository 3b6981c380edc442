import { nodeCrypto } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import {
  type CpaceMessage,
  calculateGenerator,
  confirmationTag,
  lengthValue,
  sessionKey,
} from '../../runtime/pake/cpace-suite.ts';
import { elligator2 } from '../../runtime/pake/elligator.ts';

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, 'hex'));
const hex = (data: Uint8Array | undefined) => (data === undefined ? 'none' : Buffer.from(data).toString('hex'));
const text = (value: string) => new TextEncoder().encode(value);

/** draft-irtf-cfrg-cpace-21, appendix B.1. */
const PASSWORD = text('Password');
const CHANNEL = text('\x0bA_initiator\x0bB_responder');
const SESSION = bytes('7e4b4791d6a8ef019b936c79fb7f2c57');
const GENERATOR = 'd04bf6d41f6a289632a2e929fa29bebd51092512a7829fdde7d314b62f05a73f';
const SCALAR_A = bytes('21b4f4bd9e64ed355c3eb676a28ebedaf6d8f17bdc365995b319097153044080');
const SCALAR_B = bytes('848b0779ff415f0af4ea14df9dd1d3c29ac41d836c7808896c4eba19c51ac40a');
const A: CpaceMessage = {
  share: bytes('1d13c89278cdadd826f6d8d7f887701430f8380ddc17611cdd6dc989ce0c9f32'),
  associatedData: text('ADa'),
};
const B: CpaceMessage = {
  share: bytes('248cccf6d5cdc3646f0ad593f9e6cef4e69d4945f8372e623512ecea32185623'),
  associatedData: text('ADb'),
};
const POINT = '5b067effbdc0b2a0e1d907b21ebb25cfedb96a852179a847c37e43ee71322c6b';
const KEY =
  '6e19b875f7a561d6b3ca3dbb9ef42ac55de3e717881018204b8922b4d5e53bb2aa82c300bea7b65d2b671da71922ddf6472301b79bc270adfa8bf413285f2263';

describe('CPACE-X25519-SHA512 as the draft computes it', () => {
  it('puts lengths before parts as the draft does', () => {
    expect(hex(lengthValue(text('1234')))).toBe('0431323334');
    expect(hex(lengthValue())).toBe('');
    expect(hex(lengthValue(new Uint8Array(0)))).toBe('00');
    expect(hex(lengthValue(new Uint8Array(127)).subarray(0, 2))).toBe('7f00');
    expect(hex(lengthValue(new Uint8Array(128)).subarray(0, 3))).toBe('800100');
    expect(hex(lengthValue(new Uint8Array(16_384)).subarray(0, 4))).toBe('80800100');
  });

  it('maps the field element of the draft to its generator', () => {
    expect(hex(elligator2(bytes('03998087bdb1a2617bbe25ef5a7c18cd4f84f902328701790958755ee4aed1d3')))).toBe(GENERATOR);
    expect(hex(calculateGenerator(nodeCrypto, PASSWORD, CHANNEL, SESSION))).toBe(GENERATOR);
  });

  it('takes a password that is longer than a block of the hash', () => {
    const long = calculateGenerator(nodeCrypto, new Uint8Array(300).fill(1), CHANNEL, SESSION);
    expect(hex(long)).toBe(hex(elligator2(hashOf(new Uint8Array(300).fill(1), 0))));
    expect(hex(calculateGenerator(nodeCrypto, new Uint8Array(117).fill(1), CHANNEL, SESSION))).toBe(
      hex(elligator2(hashOf(new Uint8Array(117).fill(1), 0))),
    );
    expect(hex(calculateGenerator(nodeCrypto, new Uint8Array(116).fill(1), CHANNEL, SESSION))).toBe(
      hex(elligator2(hashOf(new Uint8Array(116).fill(1), 1))),
    );
  });

  it('makes the shares of the draft', () => {
    expect(hex(nodeCrypto.agreementKey(SCALAR_A).agree(bytes(GENERATOR)))).toBe(hex(A.share));
    expect(hex(nodeCrypto.agreementKey(SCALAR_B).agree(bytes(GENERATOR)))).toBe(hex(B.share));
    expect(hex(nodeCrypto.agreementKey(SCALAR_A).agree(B.share))).toBe(POINT);
  });

  it('comes to the key of the draft on both sides', () => {
    expect(hex(sessionKey(nodeCrypto, nodeCrypto.agreementKey(SCALAR_A), B.share, SESSION, A, B))).toBe(KEY);
    expect(hex(sessionKey(nodeCrypto, nodeCrypto.agreementKey(SCALAR_B), A.share, SESSION, A, B))).toBe(KEY);
  });

  it('confirms with the tags that others compute from the same figures', () => {
    expect(hex(confirmationTag(nodeCrypto, bytes(KEY), SESSION, A))).toBe(
      '214b05fed53d47d1ac815b42eae64cc68f93f2013db81db04cc9a4f12a1a5ca513cb2458c9071bbecf720556872de984260fdc2b576c8f5331c455de81bd22dd',
    );
    expect(hex(confirmationTag(nodeCrypto, bytes(KEY), SESSION, B))).toBe(
      'b792827dc20f93390415cba5f17cbdbb00556053ce74d334e16ffd52258c132036f933ece5527ca39ccd6d25ac7030c15b15ae6ee45b7665e5df9dc651ad9362',
    );
  });

  // Appendix B.1.10: the u-coordinate, and what it comes to; none is the neutral element.
  const products: [string, string | undefined][] = [
    ['0000000000000000000000000000000000000000000000000000000000000000', undefined],
    ['0100000000000000000000000000000000000000000000000000000000000000', undefined],
    ['ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', undefined],
    ['e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800', undefined],
    ['5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157', undefined],
    ['edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', undefined],
    [
      'daffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
      'd8e2c776bbacd510d09fd9278b7edcd25fc5ae9adfba3b6e040e8d3b71b21806',
    ],
    ['eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', undefined],
    [
      'dbffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
      'c85c655ebe8be44ba9c0ffde69f2fe10194458d137f09bbff725ce58803cdb38',
    ],
    [
      'd9ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
      'db64dafa9b8fdd136914e61461935fe92aa372cb056314e1231bc4ec12417456',
    ],
    [
      'cdeb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b880',
      'e062dcd5376d58297be2618c7498f55baa07d7e03184e8aada20bca28888bf7a',
    ],
    [
      '4c9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f11d7',
      '993c6ad11c4c29da9a56f7691fd0ff8d732e49de6250b6c2e80003ff4629a175',
    ],
  ];

  it.each(products)('multiplies %s as the draft does', (u, product) => {
    const scalar = nodeCrypto.agreementKey(bytes('af46e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449aff'));
    expect(hex(scalar.agree(bytes(u)))).toBe(product ?? 'none');
    const key = () => sessionKey(nodeCrypto, scalar, bytes(u), SESSION, A, B);
    if (product === undefined) expect(key).toThrow(expect.objectContaining({ code: 'refused' }));
    else expect(key()).toHaveLength(64);
  });
});

describe('beside an implementation of the standards in plain integers', () => {
  it('maps as RFC 9380 section 6.7.1 says, at the edges of the field and at random', () => {
    const inputs = [0n, 1n, 2n, P - 1n, P, P + 1n, 2n ** 255n - 1n, 2n ** 256n - 1n];
    for (let i = 0; i < 200; i++) inputs.push(fromBytes(nodeCrypto.sha256(Uint8Array.of(i))));
    let flipped = 0;
    for (const input of inputs) {
      const u = fromBytes(elligator2(toBytes(input)));
      const expected = referenceMap(input & (2n ** 255n - 1n));
      expect(u).toBe(expected.u);
      if (!expected.first) flipped++;
    }
    // Both halves of the map were seen.
    expect(flipped).toBeGreaterThan(50);
    expect(flipped).toBeLessThan(150);
  });

  it('gives points of the curve itself, not of its twist', () => {
    for (let i = 0; i < 50; i++) {
      const u = fromBytes(elligator2(nodeCrypto.sha256(Uint8Array.of(i, 1))));
      expect(power(u * u * u + 486662n * u * u + u, (P - 1n) / 2n)).toBe(1n);
    }
  });

  it('multiplies as the ladder of RFC 7748 does', () => {
    const scalar = bytes('a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4');
    const u = bytes('e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c');
    const product = 'c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552';
    expect(hex(referenceLadder(scalar, u))).toBe(product);
    expect(hex(nodeCrypto.agreementKey(scalar).agree(u))).toBe(product);
    for (let i = 0; i < 20; i++) {
      const seed = nodeCrypto.sha256(Uint8Array.of(i, 2));
      const generator = calculateGenerator(nodeCrypto, seed, CHANNEL, SESSION);
      expect(hex(nodeCrypto.agreementKey(seed).agree(generator))).toBe(hex(referenceLadder(seed, generator)));
    }
  });
});

/** The hash of the generator string, put together by hand. */
function hashOf(password: Uint8Array, zeros: number): Uint8Array {
  const length = password.length > 127 ? [(password.length & 127) | 128, password.length >> 7] : [password.length];
  const parts = [[8], text('CPace255'), length, password, [zeros], new Uint8Array(zeros)];
  const all = [...parts, [CHANNEL.length], CHANNEL, [SESSION.length], SESSION].flatMap((part) => [...part]);
  return nodeCrypto.sha512(Uint8Array.from(all)).subarray(0, 32);
}

const P = 2n ** 255n - 19n;

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (const bit of exponent.toString(2)) {
    result = (result * result) % P;
    if (bit === '1') result = (result * (((base % P) + P) % P)) % P;
  }
  return result;
}

function fromBytes(data: Uint8Array): bigint {
  return BigInt(`0x${hex(Uint8Array.from(data).reverse())}`);
}

function toBytes(value: bigint): Uint8Array {
  return bytes(value.toString(16).padStart(64, '0')).reverse();
}

/** RFC 9380, section 6.7.1, by its definition: two candidates, the first one that lies on the curve. */
function referenceMap(r: bigint): { u: bigint; first: boolean } {
  const J = 486662n;
  const x1 = ((P - J) * power(1n + 2n * r * r, P - 2n)) % P;
  const x2 = (((-x1 - J) % P) + P) % P;
  const first = power(x1 ** 3n + J * x1 * x1 + x1, (P - 1n) / 2n) <= 1n;
  return { u: first ? x1 : x2, first };
}

/** X25519 (RFC 7748, section 5). */
function referenceLadder(scalarBytes: Uint8Array, uBytes: Uint8Array): Uint8Array {
  const k = (fromBytes(scalarBytes) & (2n ** 254n - 8n)) | (2n ** 254n);
  const x1 = (fromBytes(uBytes) & (2n ** 255n - 1n)) % P;
  const mod = (value: bigint) => ((value % P) + P) % P;
  let [x2, z2, x3, z3] = [1n, 0n, x1, 1n];
  for (let t = 254n; t >= 0n; t--) {
    const swap = ((k >> t) & 1n) === 1n;
    if (swap) [x2, z2, x3, z3] = [x3, z3, x2, z2];
    const sum = mod((x3 - z3) * (x2 + z2));
    const cross = mod((x3 + z3) * (x2 - z2));
    const [aa, bb] = [mod((x2 + z2) ** 2n), mod((x2 - z2) ** 2n)];
    [x2, z2, x3, z3] = [
      mod(aa * bb),
      mod((aa - bb) * (aa + 121665n * (aa - bb))),
      mod((sum + cross) ** 2n),
      mod(x1 * (sum - cross) ** 2n),
    ];
    if (swap) [x2, z2, x3, z3] = [x3, z3, x2, z2];
  }
  return toBytes(mod(x2 * power(z2, P - 2n)));
}
