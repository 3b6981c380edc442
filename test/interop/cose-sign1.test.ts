/**
 * Signed objects, read by others: here everything is decoded by cborg and verified by node:crypto over bytes that are put
 * together as docs/protocol/advertisement.md says, without a line of the runtime's decoders.
 */
import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { nodeCrypto } from '@pipevine/transports';
import { decode, encode, rfc8949EncodeOptions, Tagged } from 'cborg';
import { describe, expect, it } from 'vitest';
import { signAdvertisement, verifyAdvertisement } from '../../runtime/advertisement/advertisement-codec.ts';
import { signCredential, verifyCredential } from '../../runtime/group/credential-codec.ts';
import { encodeRevocationList } from '../../runtime/group/revocation-list.ts';
import { signStatement } from '../../runtime/group/statement-codec.ts';
import { base32Encode } from '../../runtime/id/base32.ts';
import { groupIdFromBytes } from '../../runtime/id/group-id.ts';
import { identityFromSeed } from '../../runtime/id/identity.ts';
import { peerIdFromBytes } from '../../runtime/id/peer-id.ts';

const seed = new Uint8Array(32).fill(0x42);
const identity = identityFromSeed(nodeCrypto, seed);
const groupBytes = identity.signing.publicKey;
const group = groupIdFromBytes(groupBytes);

/** As the page has it: takes the object apart, verifies it, and gives key id and payload. */
function openCose(encoded: Uint8Array, externalAad: string): { keyId: Uint8Array; payload: Uint8Array } {
  const item = decode(encoded, { useMaps: true, strict: true, tags: Tagged.preserve(18) }) as Tagged;
  expect(item.tag).toBe(18);
  const [protectedHeader, unprotectedHeader, payload, signature] = item.value as [
    Uint8Array,
    Map<number, unknown>,
    Uint8Array,
    Uint8Array,
  ];
  expect(unprotectedHeader.size).toBe(0);
  const header = decode(protectedHeader, { useMaps: true, strict: true }) as Map<number, unknown>;
  expect([...header.keys()]).toEqual([1, 4]);
  expect(header.get(1)).toBe(-8);
  const keyId = header.get(4) as Uint8Array;
  const structure = ['Signature1', protectedHeader, new TextEncoder().encode(externalAad), payload];
  const key = createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(keyId).toString('base64url') },
    format: 'jwk',
  });
  expect(verify(null, encode(structure), key, signature)).toBe(true);
  return { keyId, payload };
}

describe('an advertisement', () => {
  const fields = {
    kind: 'thing',
    group,
    key: 'lamp',
    sequence: 1_767_225_600_000,
    issuedAtMs: 1_767_225_600_001,
    expirationMs: 7_200_000,
    name: 'K\u00fcchenlampe',
    attributes: new Map([
      ['room', 'hall'],
      ['connector', 'mqtt'],
    ]),
    body: new Uint8Array([1, 2, 3]),
  } as const;

  it('verifies with node:crypto over the documented bytes, and is read by another decoder', () => {
    const { encoded } = signAdvertisement(identity, fields);
    const { keyId, payload } = openCose(encoded, 'pipevine/1 advertisement');
    expect(Buffer.from(keyId).equals(identity.signing.publicKey)).toBe(true);
    const members = decode(payload, { useMaps: true, strict: true }) as Map<number, unknown>;
    expect([...members.keys()]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(members.get(1)).toBe(3);
    expect(Buffer.from(members.get(2) as Uint8Array).equals(groupBytes)).toBe(true);
    expect(members.get(3)).toBe('lamp');
    expect(members.get(4)).toBe(fields.sequence);
    expect(members.get(5)).toBe(fields.issuedAtMs);
    expect(members.get(6)).toBe(fields.expirationMs);
    expect(members.get(7)).toBe(fields.name);
    // Bytewise order of the encoded keys: the shorter comes first.
    expect([...(members.get(8) as Map<string, string>)]).toEqual([
      ['room', 'hall'],
      ['connector', 'mqtt'],
    ]);
    expect(members.get(9)).toEqual(fields.body);
  });

  it('that another implementation signs is taken', () => {
    const privateKey = createPrivateKey({
      key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]),
      format: 'der',
      type: 'pkcs8',
    });
    const deterministic = (value: unknown): Uint8Array => encode(value, rfc8949EncodeOptions);
    const protectedHeader = deterministic(
      new Map<number, unknown>([
        [1, -8],
        [4, identity.signing.publicKey],
      ]),
    );
    const payload = deterministic(
      new Map<number, unknown>([
        [1, 0],
        [2, groupBytes],
        [4, 7],
        [5, 8],
        [6, 9],
        [8, new Map([['room', 'hall']])],
      ]),
    );
    const aad = Buffer.from('pipevine/1 advertisement');
    const signature = sign(null, deterministic(['Signature1', protectedHeader, aad, payload]), privateKey);
    // 18([...]): the tag's head and the array's, then the four members.
    const parts = [protectedHeader, new Map(), payload, new Uint8Array(signature)].map(deterministic);
    const encoded = new Uint8Array(Buffer.concat([Buffer.from([0xd2, 0x84]), ...parts]));
    expect(verifyAdvertisement(nodeCrypto, encoded)).toMatchObject({
      kind: 'peer',
      group,
      publisher: identity.id,
      key: '',
      sequence: 7,
      issuedAtMs: 8,
      expirationMs: 9,
      attributes: new Map([['room', 'hall']]),
    });
  });
});

describe('a credential', () => {
  const subject = peerIdFromBytes(new Uint8Array(32).fill(5));
  const serial = base32Encode(new Uint8Array(16).fill(6));

  it('verifies with node:crypto over the documented bytes, with its issuer inside', () => {
    const administrator = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(0x43));
    const times = { notBeforeMs: 1_767_225_600_000, notAfterMs: 1_769_817_600_000 };
    const issuer = signCredential(identity.signing, {
      group,
      subject: administrator.id,
      roles: ['member', 'administrator'],
      serial,
      ...times,
    });
    const fields = { group, subject, roles: ['member'], serial, ...times };
    const { encoded } = signCredential(administrator.signing, fields, issuer.encoded);
    expect(verifyCredential(nodeCrypto, encoded)).toHaveLength(2);
    const { keyId, payload } = openCose(encoded, 'pipevine/1 credential');
    expect(Buffer.from(keyId).equals(administrator.signing.publicKey)).toBe(true);
    const members = decode(payload, { useMaps: true, strict: true }) as Map<number, unknown>;
    expect([...members.keys()]).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(members.get(2)).toEqual(new Uint8Array(32).fill(5));
    expect(members.get(3)).toEqual(['member']);
    expect(members.get(4)).toBe(times.notBeforeMs);
    expect(members.get(5)).toBe(times.notAfterMs);
    expect(members.get(6)).toEqual(new Uint8Array(16).fill(6));
    const above = openCose(members.get(7) as Uint8Array, 'pipevine/1 credential');
    expect(Buffer.from(above.keyId).equals(groupBytes)).toBe(true);
    const aboveMembers = decode(above.payload, { useMaps: true, strict: true }) as Map<number, unknown>;
    expect(Buffer.from(aboveMembers.get(2) as Uint8Array).equals(administrator.signing.publicKey)).toBe(true);
  });

  it('is revoked by a statement that verifies the same way', () => {
    const content = encodeRevocationList([{ serial, untilMs: 99, below: Infinity, depth: 0 }]);
    const fields = { group, type: 'revocations', key: '', sequence: 4, untilMs: 98, content } as const;
    const { encoded } = signStatement(identity.signing, { ...fields, credential: undefined });
    const { keyId, payload } = openCose(encoded, 'pipevine/1 statement');
    expect(Buffer.from(keyId).equals(groupBytes)).toBe(true);
    const members = decode(payload, { useMaps: true, strict: true }) as Map<number, unknown>;
    expect([...members.keys()]).toEqual([1, 2, 3, 4, 5, 7]);
    expect(Buffer.from(members.get(1) as Uint8Array).equals(groupBytes)).toBe(true);
    expect([2, 3, 4, 5].map((key) => members.get(key))).toEqual([1, '', 4, 98]);
    const entries = decode(members.get(7) as Uint8Array, { useMaps: true, strict: true });
    expect(entries).toEqual([[new Uint8Array(16).fill(6), 99]]);
  });
});
