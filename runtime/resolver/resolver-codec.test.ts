import { readFileSync } from 'node:fs';
import { nodeCrypto, seededRandom } from '@pipevine/transports';
import { decode } from 'cborg';
import { describe, expect, test } from 'vitest';
import { Cddl } from '../../test/vectors/cddl.ts';
import { decodeCose } from '../advertisement/cose-sign1.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { groupIdFromBytes } from '../id/group-id.ts';
import { identityFromSeed } from '../id/identity.ts';
import { encodeCanonical } from '../wire/encode.ts';
import {
  decodeAnswer,
  decodeMessage,
  decodeRequest,
  encodeRequest,
  type ResolverRequest,
  signAnswer,
  signMessage,
} from './resolver-codec.ts';
import { MAX_ANSWER_BYTES, MAX_MESSAGE_BYTES, MAX_QUERY_BYTES, MAX_TTL_HOPS } from './resolver-defaults.ts';

const cddl = new Cddl(readFileSync(new URL('../../docs/protocol/resolver.cddl', import.meta.url), 'utf8'));
/** An independent decoder, so that what is written here is CBOR for others too. */
const independently = (bytes: Uint8Array) => decode(bytes, { useMaps: true, strict: true });
const { id: peer, signing } = identityFromSeed(nodeCrypto, seededRandom('codec').bytes(32));
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

const message = {
  id: new Uint8Array(16).fill(1),
  group: groupIdFromBytes(new Uint8Array(32).fill(2)),
  handler: 'chat',
  isQuery: true,
  timeoutMs: 2_000,
  issuedAtMs: 1_767_225_600_000,
  credential: new Uint8Array([3]),
  body: new Uint8Array([4]),
};
const answer = { queryId: message.id, number: 0, body: new Uint8Array([5]), credential: new Uint8Array([6]) };
const directed: ResolverRequest = { type: 'directed', handler: 'chat', body: new Uint8Array([1, 2]) };
const propagated: ResolverRequest = {
  type: 'propagated',
  ttlHops: 3,
  path: [peer],
  signed: signMessage(signing, message),
};

test.each([
  ['directed', directed],
  ['propagated', propagated],
])('the CDDL describes a %s request, and it is read back', (rule, request) => {
  const encoded = encodeRequest(request);
  expect(cddl.matches(rule, independently(encoded))).toBe(true);
  expect(cddl.matches('request', independently(encoded))).toBe(true);
  expect(decodeRequest(encoded)).toEqual(request);
});

test('the CDDL describes a message and an answer, and they are read back', () => {
  const signed = signMessage(signing, message);
  expect(cddl.matches('message', independently(decodeCose(signed, 'x', 9_999).payload))).toBe(true);
  expect(decodeMessage(signed)).toMatchObject({ ...message, origin: peer });
  for (const one of [answer, { ...answer, number: 7, credential: undefined }]) {
    const encoded = signAnswer(signing, one);
    expect(cddl.matches('answer', independently(decodeCose(encoded, 'x', 9_999).payload))).toBe(true);
    expect(decodeAnswer(encoded)).toMatchObject(one);
  }
});

test('vectors', () => {
  // [0, "chat", h'0102']
  expect(hex(encodeRequest(directed))).toBe('83 00 64 63686174 42 0102'.replaceAll(' ', ''));
  const path = [groupless(0xaa), groupless(0xbb)];
  // [1, 2, [h'aa..', h'bb..'], h'07']
  expect(hex(encodeRequest({ type: 'propagated', ttlHops: 2, path, signed: new Uint8Array([7]) }))).toBe(
    `84 01 02 82 5820${'aa'.repeat(32)} 5820${'bb'.repeat(32)} 41 07`.replaceAll(' ', ''),
  );
});

describe('what does not follow the shape', () => {
  const big = (length: number) => new Uint8Array(length);
  test.each<[string, Uint8Array]>([
    ['no array', encodeCanonical(1)],
    ['an unknown type', encodeCanonical([2, 'chat', big(1)])],
    ['a handler that is no text', encodeCanonical([0, 1, big(1)])],
    ['a long handler', encodeCanonical([0, 'x'.repeat(65), big(1)])],
    ['a body that is no bytes', encodeCanonical([0, 'x', 'y'])],
    ['no hops left', encodeCanonical([1, 0, [big(32)], big(1)])],
    ['too many hops', encodeCanonical([1, MAX_TTL_HOPS + 1, [big(32)], big(1)])],
    ['an empty path', encodeCanonical([1, 1, [], big(1)])],
    ['a long path', encodeCanonical([1, 1, Array(MAX_TTL_HOPS + 1).fill(big(32)), big(1)])],
    ['a path of no peers', encodeCanonical([1, 1, [big(31)], big(1)])],
    ['a message that is too long', encodeCanonical([1, 1, [big(32)], big(MAX_MESSAGE_BYTES + 1)])],
    ['a request that is too long', encodeCanonical([0, 'x', big(MAX_QUERY_BYTES)])],
  ])('%s is refused', (_, bytes) => {
    expect(() => decodeRequest(bytes)).toThrow(PipevineError);
  });

  test('every cut and many changes of a request give one kind of error or a request', () => {
    const random = seededRandom('fuzz');
    for (const request of [directed, propagated]) {
      const good = encodeRequest(request);
      for (let length = 0; length < good.length; length++) {
        expect(() => decodeRequest(good.subarray(0, length))).toThrow(PipevineError);
      }
      for (let i = 0; i < 2_000; i++) {
        const bad = good.slice();
        for (let changes = 1 + random.integer(3); changes > 0; changes--) {
          bad[random.integer(bad.length)] = random.integer(256);
        }
        try {
          const read = decodeRequest(bad);
          if (read.type === 'propagated') decodeMessage(read.signed);
        } catch (error) {
          expect(error).toBeInstanceOf(PipevineError);
        }
      }
    }
  });

  test('a message or an answer that is too long is not looked at', () => {
    const tooLarge = expect.objectContaining({ code: 'too-large' });
    expect(() => decodeMessage(big(MAX_MESSAGE_BYTES + 1))).toThrow(tooLarge);
    expect(() => decodeAnswer(big(MAX_ANSWER_BYTES + 1))).toThrow(tooLarge);
  });
});

function groupless(byte: number) {
  const request = decodeRequest(encodeCanonical([1, 1, [new Uint8Array(32).fill(byte)], new Uint8Array(1)]));
  if (request.type !== 'propagated' || request.path[0] === undefined) throw new Error('no path');
  return request.path[0];
}
