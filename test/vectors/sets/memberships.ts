import assert from 'node:assert/strict';
import { formatJoinCode, type PeerId, parseJoinCode, peerIdToBytes } from '@pipevine/runtime';
import { decodeStrict, encodeCanonical } from '@pipevine/runtime/protocol';
import * as applications from '../../../runtime/membership/application-codec.ts';
import { formatJoinLink } from '../../../runtime/membership/join-code.ts';
import * as codec from '../../../runtime/membership/membership-codec.ts';
import { decodeAdministrators, directoryName } from '../../../runtime/membership/who-admits.ts';
import { asJson } from '../as-json.ts';
import { ALICE, ALICE_CREDENTIAL, AUTHORITY, BOB, BOB_CREDENTIAL, filled, GROUP, NOW_MS } from '../cast.ts';
import { codecVector } from '../codec-vector.ts';
import { fromHex, toHex } from '../hex.ts';
import type { VectorSet } from '../vector-set.ts';
import { CHARTER } from './groups.ts';

const ascending = (length: number, from: number) => Uint8Array.from({ length }, (_, i) => from + i);
const code = { fingerprint: ascending(16, 0), secret: ascending(10, 0x80) };
const seeds = ['tcp://192.0.2.1:7473', 'udp://[2001:db8::1]:7473'];
const nonce = filled(16, 0x0e);
const share = filled(32, 0x5a);
const tag = filled(64, 0x7a);
const group = GROUP;
const credential = BOB_CREDENTIAL.encoded;
const REQUESTS: readonly codec.MembershipRequest[] = [
  { type: 'find', name: 'H*' },
  { type: 'apply', fingerprint: code.fingerprint },
  { type: 'apply', group },
  { type: 'join-open', group, name: 'edge' },
  { type: 'join-code', group, name: 'edge', secret: code.secret },
  { type: 'password-begin', group, nonce, share },
  { type: 'password-finish', group, name: 'edge', tag },
  { type: 'join-approval', group, name: 'edge', nonce, askedAtMs: NOW_MS },
  { type: 'renew', group, credential },
  { type: 'resign', group, credential },
];
const ANSWER = {
  encode: codec.encodeMembershipAnswer,
  decode: codec.decodeMembershipAnswer,
  cddl: 'membership-answer',
};
const APPLY = { encode: codec.encodeApplyAnswer, decode: codec.decodeApplyAnswer, cddl: 'apply-answer' };
const APPLICATION = {
  encode: applications.encodeApplication,
  decode: applications.decodeApplication,
  cddl: 'application',
};
const APPROVAL = { encode: applications.encodeApproval, decode: applications.decodeApproval, cddl: 'approval' };
const WHO_ADMITS = {
  encode: (peers: readonly PeerId[]) => encodeCanonical(peers.map(peerIdToBytes)),
  decode: decodeAdministrators,
  cddl: 'who-admits-answer',
};
const applied = { charter: CHARTER.encoded, proof: ALICE_CREDENTIAL.encoded, nowMs: NOW_MS };

export const MEMBERSHIPS: VectorSet = {
  name: 'memberships',
  description:
    'Join codes, and the messages of the membership protocol. Signatures, shares and tags in them are made up.',
  document: 'docs/protocol/membership.md',
  cddl: 'membership.cddl',
  vectors: [
    {
      data: {
        name: 'a join code, as it is written and as it may be typed; and as a link',
        fingerprint: toHex(code.fingerprint),
        secret: toHex(code.secret),
        code: formatJoinCode(code),
        typed: formatJoinCode(code).toLowerCase().replaceAll('-', ' ').replaceAll('o', '0'),
        seeds,
        link: formatJoinLink({ ...code, seeds }),
      },
      check: (data) => {
        const { fingerprint, secret } = { fingerprint: fromHex(data.fingerprint), secret: fromHex(data.secret) };
        for (const text of [data.code, data.typed])
          assert.deepEqual(asJson(parseJoinCode(String(text))), asJson({ fingerprint, secret, seeds: [] }));
        assert.deepEqual(asJson(parseJoinCode(String(data.link))), asJson({ fingerprint, secret, seeds: data.seeds }));
      },
    },
    ...REQUESTS.map((value) =>
      codecVector({
        name: `request: ${value.type}${'fingerprint' in value ? ' by fingerprint' : ''}`,
        value,
        encode: codec.encodeMembershipRequest,
        decode: codec.decodeMembershipRequest,
        cddl: 'request',
      }),
    ),
    codecVector({
      name: 'answer to find',
      value: [CHARTER.encoded],
      encode: codec.encodeFindAnswer,
      decode: codec.decodeFindAnswer,
      cddl: 'find-answer',
    }),
    {
      data: {
        name: 'the service of a relay that tells who admits',
        fingerprint: toHex(code.fingerprint),
        service: directoryName(code.fingerprint),
      },
      check: (data) => assert.equal(directoryName(fromHex(data.fingerprint)), data.service),
    },
    {
      data: { name: 'question who admits', cddl: 'who-admits', bytes: toHex(encodeCanonical(new Map())) },
      check: ({ bytes }) => assert.deepEqual(decodeStrict(fromHex(bytes)), new Map()),
    },
    codecVector({ name: 'answer who admits', value: [ALICE.id, AUTHORITY.id], ...WHO_ADMITS }),
    codecVector({ name: 'answer who admits: nobody that this relay knows', value: [], ...WHO_ADMITS }),
    codecVector({ name: 'answer to apply', value: applied, ...APPLY }),
    codecVector({
      name: 'answer to apply, for a password',
      value: { ...applied, password: { salt: filled(16, 0x5c), nonce } },
      ...APPLY,
    }),
    codecVector({
      name: 'answer to password-begin',
      value: { share, tag },
      encode: codec.encodePasswordAnswer,
      decode: codec.decodePasswordAnswer,
      cddl: 'password-answer',
    }),
    codecVector({
      name: 'a membership',
      value: { state: 'joined' as const, credential, statements: [CHARTER.encoded] },
      ...ANSWER,
    }),
    codecVector({
      name: 'a membership that waits',
      value: { state: 'pending' as const, have: 1, needed: 2 },
      ...ANSWER,
    }),
    codecVector({
      name: 'an application',
      value: { subject: BOB.id, name: 'edge', askedAtMs: NOW_MS, for: { type: 'membership' as const, nonce } },
      ...APPLICATION,
    }),
    codecVector({
      name: 'an application for a renewal',
      value: { subject: BOB.id, name: 'edge', askedAtMs: NOW_MS, for: { type: 'renewal' as const, credential } },
      ...APPLICATION,
    }),
    codecVector({ name: 'an approval', value: { type: 'granted' as const, credential }, ...APPROVAL }),
    codecVector({ name: 'a vote', value: { type: 'vote' as const, signature: tag }, ...APPROVAL }),
    codecVector({ name: 'a rejection', value: { type: 'rejected' as const }, ...APPROVAL }),
  ],
};
