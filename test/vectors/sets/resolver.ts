import { nodeCrypto } from '@pipevine/transports';
import { verifyCose } from '../../../runtime/advertisement/cose-sign1.ts';
import * as codec from '../../../runtime/resolver/resolver-codec.ts';
import { ALICE, ALICE_CREDENTIAL, BOB, BOB_CREDENTIAL, filled, GROUP, NOW_MS } from '../cast.ts';
import { codecVector } from '../codec-vector.ts';
import { signedVector } from '../signed-vector.ts';
import type { VectorSet } from '../vector-set.ts';

const id = filled(16, 0x1d);
const query = {
  id,
  group: GROUP,
  handler: 'discovery',
  isQuery: true,
  timeoutMs: 2_000,
  issuedAtMs: NOW_MS,
  credential: ALICE_CREDENTIAL.encoded,
  body: Uint8Array.of(1, 2, 3),
};
const message = codec.signMessage(ALICE.signing, query);
const readMessage = (bytes: Uint8Array) => {
  const { cose, ...members } = codec.decodeMessage(bytes);
  verifyCose(nodeCrypto, codec.MESSAGE_DOMAIN, cose, codec.MESSAGE);
  return members;
};
const readAnswer = (bytes: Uint8Array) => {
  const { cose, ...members } = codec.decodeAnswer(bytes);
  verifyCose(nodeCrypto, codec.ANSWER_DOMAIN, cose, codec.ANSWER);
  return members;
};
const answer = (number: number, credential: Uint8Array | undefined) =>
  codec.signAnswer(BOB.signing, { queryId: id, number, body: Uint8Array.of(4, 5), credential });
const REQUEST = { encode: codec.encodeRequest, decode: codec.decodeRequest, cddl: 'request' };
const ANSWER = { signer: 'bob', domain: codec.ANSWER_DOMAIN, payloadCddl: 'answer', decode: readAnswer } as const;

export const RESOLVER: VectorSet = {
  name: 'resolver',
  description: "Requests on the resolver's pipe, propagated messages, and answers to them.",
  document: 'docs/protocol/resolver.md',
  cddl: 'resolver.cddl',
  vectors: [
    codecVector({
      name: 'a directed query',
      value: { type: 'directed' as const, handler: 'peerinfo', body: Uint8Array.of(0xa0) },
      ...REQUEST,
    }),
    codecVector({
      name: 'a propagated message on its way',
      value: { type: 'propagated' as const, ttlHops: 3, path: [ALICE.id, BOB.id], signed: message },
      ...REQUEST,
    }),
    signedVector({
      name: 'a propagated query',
      signer: 'alice',
      domain: codec.MESSAGE_DOMAIN,
      payloadCddl: 'message',
      encoded: message,
      decode: readMessage,
    }),
    signedVector({
      name: 'a propagated message that is no query',
      signer: 'alice',
      domain: codec.MESSAGE_DOMAIN,
      payloadCddl: 'message',
      encoded: codec.signMessage(ALICE.signing, { ...query, isQuery: false, timeoutMs: 0, handler: 'propagate' }),
      decode: readMessage,
    }),
    signedVector({ name: 'the first answer of a member', encoded: answer(0, BOB_CREDENTIAL.encoded), ...ANSWER }),
    signedVector({ name: 'its second answer', encoded: answer(1, undefined), ...ANSWER }),
  ],
};
