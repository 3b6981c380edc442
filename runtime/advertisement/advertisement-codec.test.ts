import { nodeCrypto, seededRandom } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { PipevineError } from '../error/pipevine-error.ts';
import { groupIdFromBytes, WORLD_GROUP } from '../id/group-id.ts';
import { identityFromSeed } from '../id/identity.ts';
import { CborTag, type CborValue } from '../wire/cbor-value.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readTag } from '../wire/shape.ts';
import { type AdvertisementFields, signAdvertisement, verifyAdvertisement } from './advertisement-codec.ts';
import { signCose } from './cose-sign1.ts';

const identity = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(7));
const group = groupIdFromBytes(identityFromSeed(nodeCrypto, new Uint8Array(32).fill(9)).signing.publicKey);
const fields: AdvertisementFields = {
  kind: 'thing',
  group,
  key: 'k',
  sequence: 1_767_225_600_000,
  issuedAtMs: 1_767_225_600_001,
  expirationMs: 7_200_000,
  name: 'Lampe K\u00fcche',
  attributes: new Map([
    ['connector', 'mqtt'],
    ['a', ''],
  ]),
  body: new Uint8Array([1, 2, 3]),
};
const DOMAIN = 'pipevine/1 advertisement';

/** The payload of `fields` with some members replaced, signed properly. */
function signedWith(changes: readonly (readonly [number, CborValue | undefined])[]): Uint8Array {
  return signCose(identity.signing, DOMAIN, encodeCanonical(new Map([...payloadOf(fields), ...changes])));
}

function payloadOf(of: AdvertisementFields): Map<number, CborValue> {
  const members = readTag(decodeStrict(signAdvertisement(identity, of).encoded, { allowedTags: [18] }), 'it', 18);
  // The payload is the third member, a map with integer keys.
  return new Map(decodeStrict((members as CborValue[])[2] as Uint8Array) as Map<number, CborValue>);
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof PipevineError) return error.code;
    throw error;
  }
  return 'none';
}

const verify = (encoded: Uint8Array) => verifyAdvertisement(nodeCrypto, encoded);

describe('the advertisement codec', () => {
  it('reads what it signs', () => {
    const signed = signAdvertisement(identity, fields);
    expect(verify(signed.encoded)).toEqual({ ...fields, publisher: identity.id, encoded: signed.encoded });
  });

  it('leaves out what is empty, and gives it back as empty', () => {
    const empty = { ...fields, key: '', name: '', attributes: new Map<string, string>(), body: new Uint8Array(0) };
    expect([...payloadOf(empty).keys()]).toEqual([1, 2, 4, 5, 6]);
    expect(verify(signAdvertisement(identity, empty).encoded)).toMatchObject(empty);
  });

  it('matches an annotated vector', () => {
    const signed = signAdvertisement(identity, {
      kind: 'peer',
      group: WORLD_GROUP,
      key: '',
      sequence: 1,
      issuedAtMs: 2,
      expirationMs: 3,
      name: 'n',
      attributes: new Map(),
      body: new Uint8Array(0),
    });
    const hex = Array.from(signed.encoded, (byte) => byte.toString(16).padStart(2, '0')).join('');
    expect(hex).toMatch(
      new RegExp(
        [
          '^d284', // 18([
          '5826a2012704', // << {1: -8, 4: h'
          `5820${Array.from(identity.signing.publicKey, (byte) => byte.toString(16).padStart(2, '0')).join('')}`, // kid
          'a0', // {},
          '582f', // << 47 bytes
          'a60100', // {1: 0 (peer),
          `025820${'00'.repeat(32)}`, // 2: world group,
          '0401', // 4: sequence 1,
          '0502', // 5: issuedAtMs 2,
          '0603', // 6: expirationMs 3,
          '07616e', // 7: name "n"} >>,
          '5840[0-9a-f]{128}$', // signature ])
        ].join(''),
      ),
    );
  });

  it('refuses every change of any byte', () => {
    const { encoded } = signAdvertisement(identity, fields);
    for (let at = 0; at < encoded.length; at++) {
      for (const flip of [0x01, 0x80]) {
        const changed = encoded.slice();
        changed[at] = (changed[at] ?? 0) ^ flip;
        expect(['malformed', 'forged'], `byte ${at}`).toContain(codeOf(() => verify(changed)));
      }
    }
  });

  it('refuses a signature over other members, whichever they are', () => {
    const genuine = decodeStrict(signAdvertisement(identity, fields).encoded, { allowedTags: [18] });
    const signature = (readTag(genuine, 'it', 18) as CborValue[])[3];
    const forgeries: [number, CborValue][] = [
      [1, 0],
      [2, new Uint8Array(32)],
      [3, 'other'],
      [4, fields.sequence + 1],
      [5, 0],
      [6, 1],
      [7, 'other'],
      [8, new Map([['connector', 'ble']])],
      [9, new Uint8Array([9])],
      [32, 0],
    ];
    for (const change of forgeries) {
      const other = decodeStrict(signedWith([change]), { allowedTags: [18] });
      const members = [...(readTag(other, 'it', 18) as CborValue[])];
      members[3] = signature ?? null;
      expect(
        codeOf(() => verify(encodeCanonical(new CborTag(18, members)))),
        `key ${change[0]}`,
      ).toBe('forged');
    }
  });

  it('refuses the signature of another domain', () => {
    const payload = encodeCanonical(payloadOf(fields));
    expect(codeOf(() => verify(signCose(identity.signing, 'pipevine/1 credential', payload)))).toBe('forged');
  });

  it('refuses the input cut anywhere, and anything after it', () => {
    const { encoded } = signAdvertisement(identity, fields);
    for (let end = 0; end < encoded.length; end++)
      expect(codeOf(() => verify(encoded.subarray(0, end)))).toBe('malformed');
    expect(codeOf(() => verify(new Uint8Array([...encoded, 0])))).toBe('malformed');
  });

  it('refuses a second encoding of the same content', () => {
    const reversed = [...payloadOf(fields)].reverse();
    // encodeCanonical would sort; a map head and the members by hand do not.
    const members = reversed.flatMap(([key, value]) => [...encodeCanonical(key), ...encodeCanonical(value)]);
    const unsorted = new Uint8Array([0xa0 | reversed.length, ...members]);
    expect(codeOf(() => verify(signCose(identity.signing, DOMAIN, unsorted)))).toBe('malformed');
    const whole = encodeCanonical(new Map([...payloadOf(fields), [5, 1]]));
    const at = whole.findIndex((byte, i) => byte === 5 && whole[i + 1] === 1 && whole[i + 2] === 6);
    const withFloat = new Uint8Array([...whole.subarray(0, at + 1), 0xf9, 0x3c, 0x00, ...whole.subarray(at + 2)]);
    expect(codeOf(() => verify(signCose(identity.signing, DOMAIN, whole)))).toBe('none');
    expect(codeOf(() => verify(signCose(identity.signing, DOMAIN, withFloat)))).toBe('malformed');
    for (const empty of [
      [3, ''],
      [7, ''],
      [8, new Map()],
      [9, new Uint8Array(0)],
    ] as const) {
      expect(
        codeOf(() => verify(signedWith([empty]))),
        `key ${empty[0]}`,
      ).toBe('malformed');
    }
    const unprotected = decodeStrict(signAdvertisement(identity, fields).encoded, { allowedTags: [18] });
    const withHeader = [...(readTag(unprotected, 'it', 18) as CborValue[])];
    withHeader[1] = new Map([[1, 2]]);
    expect(codeOf(() => verify(encodeCanonical(new CborTag(18, withHeader))))).toBe('malformed');
  });

  it('carries members of later versions', () => {
    expect(verify(signedWith([[32, 'new']]))).toMatchObject({ name: fields.name });
  });

  it.each<[string, number, CborValue]>([
    ['an unknown kind', 1, 9],
    ['a kind that is text', 1, 'peer'],
    ['a short group', 2, new Uint8Array(31)],
    ['a key of 129 bytes', 3, 'k'.repeat(129)],
    ['a negative sequence', 4, -1],
    ['a sequence that is not safe', 4, 2n ** 53n],
    ['a fractional sequence', 4, 1.5],
    ['a name of 129 bytes', 7, `${'\u00fc'.repeat(64)}x`],
    ['33 attributes', 8, new Map(Array.from({ length: 33 }, (_, i) => [`a${i}`, 'v']))],
    ['an attribute without a name', 8, new Map([['', 'v']])],
    ['an attribute name of 65 bytes', 8, new Map([['a'.repeat(65), 'v']])],
    ['an attribute of 257 bytes', 8, new Map([['a', 'v'.repeat(257)]])],
    ['an attribute that is a number', 8, new Map([['a', 1]])],
    ['an attribute name that is a number', 8, new Map([[1, 'v']])],
    ['a body of more than 48 KiB', 9, new Uint8Array(48 * 1024 + 1)],
  ])('refuses %s, properly signed', (_, key, value) => {
    expect(codeOf(() => verify(signedWith([[key, value]])))).toBe('malformed');
  });

  it('refuses more than 56 KiB before it looks at it', () => {
    expect(codeOf(() => verify(new Uint8Array(56 * 1024 + 1)))).toBe('too-large');
  });

  it('lets only the authority sign a group advertisement', () => {
    const authority = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(9));
    const about: AdvertisementFields = { ...fields, kind: 'group' };
    expect(verify(signAdvertisement(authority, about).encoded)).toMatchObject({
      kind: 'group',
      publisher: authority.id,
    });
    expect(codeOf(() => signAdvertisement(identity, about))).toBe('forged');
    expect(codeOf(() => verify(signedWith([[1, 1]])))).toBe('forged');
  });

  it.each<[string, Partial<AdvertisementFields>, string]>([
    ['too long a key', { key: 'k'.repeat(129) }, 'invalid-argument'],
    ['too long a name', { name: 'n'.repeat(129) }, 'invalid-argument'],
    ['a lone surrogate', { name: '\ud800' }, 'invalid-argument'],
    ['an unsafe sequence', { sequence: 2 ** 53 }, 'invalid-argument'],
    ['an attribute without a name', { attributes: new Map([['', '']]) }, 'invalid-argument'],
    ['too large a body', { body: new Uint8Array(48 * 1024 + 1) }, 'too-large'],
  ])('does not sign %s', (_, change, code) => {
    expect(codeOf(() => signAdvertisement(identity, { ...fields, ...change }))).toBe(code);
  });

  it('meets random garbage with one kind of error', () => {
    const random = seededRandom(3);
    const { encoded } = signAdvertisement(identity, fields);
    for (let i = 0; i < 2_000; i++) {
      const bytes = i % 2 === 0 ? random.bytes(random.integer(300)) : encoded.slice();
      for (let flips = 0; flips < 3; flips++) bytes[random.integer(bytes.length)] = random.integer(256);
      if (bytes.every((byte, at) => byte === encoded[at])) continue;
      expect(['malformed', 'forged']).toContain(codeOf(() => verify(bytes)));
    }
  });
});
