import { createPrivateKey, sign as nodeSign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { nodeCrypto } from './node-crypto.ts';

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replace(/\s/g, ''), 'hex'));
const hex = (data: Uint8Array | undefined): string => (data === undefined ? 'none' : Buffer.from(data).toString('hex'));
const utf8 = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));

describe('hashes', () => {
  it('hashes as FIPS 180-4 says', () => {
    expect(hex(nodeCrypto.sha256(utf8('abc')))).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
  });

  it('hashes to 64 bytes as FIPS 180-4 says', () => {
    expect(hex(nodeCrypto.sha512(utf8('abc')))).toBe(
      'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
    );
  });

  it('authenticates with 64 bytes as RFC 4231 says', () => {
    expect(hex(nodeCrypto.hmacSha512(utf8('Jefe'), utf8('what do ya want for nothing?')))).toBe(
      '164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737',
    );
  });

  it('authenticates as RFC 4231 says, with a short key, a key of a block and a long key', () => {
    expect(hex(nodeCrypto.hmacSha256(new Uint8Array(20).fill(0x0b), utf8('Hi There')))).toBe(
      'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
    );
    expect(
      hex(
        nodeCrypto.hmacSha256(
          new Uint8Array(131).fill(0xaa),
          utf8('Test Using Larger Than Block-Size Key - Hash Key First'),
        ),
      ),
    ).toBe('60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54');
  });

  it('takes an empty HMAC key', () => {
    expect(hex(nodeCrypto.hmacSha256(new Uint8Array(0), new Uint8Array(0)))).toBe(
      'b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad',
    );
  });

  it('derives keys as RFC 5869 appendix A says', () => {
    const derived = nodeCrypto.hkdfSha256(
      new Uint8Array(22).fill(0x0b),
      bytes('000102030405060708090a0b0c'),
      bytes('f0f1f2f3f4f5f6f7f8f9'),
      42,
    );
    expect(hex(derived)).toBe('3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865');
    const noSalt = nodeCrypto.hkdfSha256(new Uint8Array(22).fill(0x0b), new Uint8Array(0), new Uint8Array(0), 42);
    expect(hex(noSalt)).toBe('8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8');
  });

  it('derives at most 8,160 bytes', () => {
    const nothing = new Uint8Array(0);
    expect(nodeCrypto.hkdfSha256(nothing, nothing, nothing, 8160)).toHaveLength(8160);
    expect(() => nodeCrypto.hkdfSha256(nothing, nothing, nothing, 8161)).toThrow(
      expect.objectContaining({ code: 'invalid-argument' }),
    );
  });
});

describe('Ed25519', () => {
  // RFC 8032, section 7.1, tests 1 to 3.
  const vectors = [
    {
      seed: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
      publicKey: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
      message: '',
      signature:
        'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    },
    {
      seed: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
      publicKey: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
      message: '72',
      signature:
        '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    },
    {
      seed: 'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
      publicKey: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
      message: 'af82',
      signature:
        '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    },
  ];

  it.each(vectors)('signs and verifies RFC 8032 message "$message"', ({ seed, publicKey, message, signature }) => {
    const key = nodeCrypto.signingKey(bytes(seed));
    expect(hex(key.publicKey)).toBe(publicKey);
    expect(hex(key.sign(bytes(message)))).toBe(signature);
    expect(nodeCrypto.verify(bytes(publicKey), bytes(message), bytes(signature))).toBe(true);
    expect(nodeCrypto.verify(bytes(publicKey), utf8('another message'), bytes(signature))).toBe(false);
  });

  it('refuses an S that is not below the order of the group', () => {
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const key = nodeCrypto.signingKey(new Uint8Array(32).fill(7));
    const message = utf8('malleable');
    const signature = key.sign(message);
    let s = 0n;
    for (let i = 63; i >= 32; i--) s = (s << 8n) | BigInt(signature[i] ?? 0);
    s += order;
    const forged = Uint8Array.from(signature);
    for (let i = 32; i < 64; i++, s >>= 8n) forged[i] = Number(s & 0xffn);
    expect(nodeCrypto.verify(key.publicKey, message, signature)).toBe(true);
    expect(nodeCrypto.verify(key.publicKey, message, forged)).toBe(false);
  });

  const smallOrder = [
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0000000000000000000000000000000000000000000000000000000000000080',
    '0100000000000000000000000000000000000000000000000000000000000000',
    '0100000000000000000000000000000000000000000000000000000000000080',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  ];

  it.each(smallOrder)('refuses the key %s of small order, whatever the signature', (point) => {
    // Under the identity key (and for some messages under the others) R = s·B verifies; s = 0 gives R = identity.
    for (const r of smallOrder) {
      const signature = new Uint8Array(64);
      signature.set(bytes(r));
      for (let message = 0; message < 16; message++) {
        expect(nodeCrypto.verify(bytes(point), Uint8Array.of(message), signature)).toBe(false);
      }
    }
  });

  it('refuses an identity key with an honest-looking R', () => {
    const identity = bytes(smallOrder[2] ?? '');
    // s = 1, R = B: valid under the identity key for every message where the verifier does not look.
    const signature = bytes(`5866666666666666666666666666666666666666666666666666666666666666 01${'00'.repeat(31)}`);
    expect(nodeCrypto.verify(identity, utf8('any'), signature)).toBe(false);
  });

  it('returns false for wrong lengths and for bytes that are no point', () => {
    const key = nodeCrypto.signingKey(new Uint8Array(32).fill(1));
    const signature = key.sign(utf8('x'));
    expect(nodeCrypto.verify(key.publicKey.subarray(1), utf8('x'), signature)).toBe(false);
    expect(nodeCrypto.verify(key.publicKey, utf8('x'), signature.subarray(1))).toBe(false);
    expect(nodeCrypto.verify(new Uint8Array(0), utf8('x'), new Uint8Array(0))).toBe(false);
    for (let first = 0; first < 64; first++) {
      expect(nodeCrypto.verify(new Uint8Array(32).fill(first), utf8('x'), signature)).toBe(false);
    }
  });

  it('refuses a public key whose y is not below the prime', () => {
    // p + 3: the same point as y = 3, written in a second way.
    const nonCanonical = bytes('f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f');
    expect(nodeCrypto.verify(nonCanonical, utf8('x'), new Uint8Array(64).fill(3))).toBe(false);
  });

  it('signs as node:crypto does with a key of its own making', () => {
    const seed = new Uint8Array(32).fill(9);
    const jwkFree = createPrivateKey({
      key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]),
      format: 'der',
      type: 'pkcs8',
    });
    expect(hex(nodeCrypto.signingKey(seed).sign(utf8('m')))).toBe(hex(nodeSign(null, utf8('m'), jwkFree)));
  });

  it('verifies for more keys than it caches', () => {
    const message = utf8('many');
    for (let i = 0; i < 300; i++) {
      const seed = new Uint8Array(32);
      seed[0] = i & 0xff;
      seed[1] = i >> 8;
      const key = nodeCrypto.signingKey(seed);
      expect(nodeCrypto.verify(key.publicKey, message, key.sign(message))).toBe(true);
    }
  });

  it('refuses a seed of another length', () => {
    expect(() => nodeCrypto.signingKey(new Uint8Array(31))).toThrow('32 bytes, not 31');
  });
});

describe('X25519', () => {
  it('agrees as RFC 7748 section 6.1 says', () => {
    const alice = nodeCrypto.agreementKey(bytes('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a'));
    const bob = nodeCrypto.agreementKey(bytes('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb'));
    expect(hex(alice.publicKey)).toBe('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a');
    expect(hex(bob.publicKey)).toBe('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f');
    const secret = '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742';
    expect(hex(alice.agree(bob.publicKey))).toBe(secret);
    expect(hex(bob.agree(alice.publicKey))).toBe(secret);
  });

  it('gives no secret for public keys of small order', () => {
    const key = nodeCrypto.agreementKey(new Uint8Array(32).fill(5));
    const smallOrder = [
      '00'.repeat(32),
      `01${'00'.repeat(31)}`,
      'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
      '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
      'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
      'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
      'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    ];
    for (const point of smallOrder) expect(key.agree(bytes(point))).toBeUndefined();
  });

  it('refuses a public key of another length', () => {
    const key = nodeCrypto.agreementKey(new Uint8Array(32).fill(5));
    expect(() => key.agree(new Uint8Array(33))).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
  });
});

describe('ChaCha20-Poly1305', () => {
  const key = bytes('808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f');
  const nonce = bytes('070000004041424344454647');
  const associatedData = bytes('50515253c0c1c2c3c4c5c6c7');
  const plaintext = utf8(
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
  );
  const sealed =
    'd31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691';

  it('seals and opens as RFC 8439 section 2.8.2 says', () => {
    const aead = nodeCrypto.aeadKey(key);
    expect(hex(aead.seal(nonce, plaintext, associatedData))).toBe(sealed);
    expect(hex(aead.open(nonce, bytes(sealed), associatedData))).toBe(hex(plaintext));
  });

  it('opens nothing that was changed, cut or moved', () => {
    const aead = nodeCrypto.aeadKey(key);
    const good = bytes(sealed);
    for (let i = 0; i < good.length; i++) {
      const bad = Uint8Array.from(good);
      bad[i] = (bad[i] ?? 0) ^ 1;
      expect(aead.open(nonce, bad, associatedData)).toBeUndefined();
      expect(aead.open(nonce, good.subarray(0, i), associatedData)).toBeUndefined();
    }
    expect(aead.open(nonce, good)).toBeUndefined();
    expect(aead.open(new Uint8Array(12), good, associatedData)).toBeUndefined();
  });

  it('seals nothing to a tag alone, and a large record whole', () => {
    const aead = nodeCrypto.aeadKey(key);
    expect(aead.seal(nonce, new Uint8Array(0))).toHaveLength(16);
    expect(aead.open(nonce, aead.seal(nonce, new Uint8Array(0)))).toEqual(new Uint8Array(0));
    const large = new Uint8Array(65_000).map((_, i) => i % 251);
    expect(aead.open(nonce, aead.seal(nonce, large))).toEqual(large);
  });

  it('gives arrays that own their memory and are no Buffers', () => {
    const aead = nodeCrypto.aeadKey(key);
    const record = aead.seal(nonce, plaintext);
    for (const result of [record, aead.open(nonce, record), nodeCrypto.sha256(plaintext)]) {
      expect(Buffer.isBuffer(result)).toBe(false);
      expect(result?.buffer.byteLength).toBe(result?.length);
    }
  });
});

describe('stretching', () => {
  // Computed by Python's hashlib.scrypt(n=32768, r=8, p=1, dklen=32).
  it('gives the scrypt of a password and a salt', async () => {
    expect(hex(await nodeCrypto.stretch(utf8('pw'), utf8('salt')))).toBe(
      '88477da782dac92578702c73f87b3638a19106acb8ac8c0613ecdde7dcb625be',
    );
  });

  it('gives another key for another password and for another salt', async () => {
    const keys = await Promise.all([
      nodeCrypto.stretch(utf8('pw'), utf8('salt')),
      nodeCrypto.stretch(utf8('pw2'), utf8('salt')),
      nodeCrypto.stretch(utf8('pw'), utf8('salt2')),
    ]);
    expect(new Set(keys.map(hex)).size).toBe(3);
    expect(Buffer.isBuffer(keys[0])).toBe(false);
  });

  it('leaves the event loop to others meanwhile', async () => {
    let turns = 0;
    const turning = setInterval(() => turns++, 1);
    await nodeCrypto.stretch(utf8('pw'), utf8('salt'));
    clearInterval(turning);
    expect(turns).toBeGreaterThan(3);
  });
});

it('compares in constant time without failing on different lengths', () => {
  expect(nodeCrypto.equalConstantTime(bytes('0102'), bytes('0102'))).toBe(true);
  expect(nodeCrypto.equalConstantTime(bytes('0102'), bytes('0103'))).toBe(false);
  expect(nodeCrypto.equalConstantTime(bytes('0102'), bytes('010203'))).toBe(false);
});
