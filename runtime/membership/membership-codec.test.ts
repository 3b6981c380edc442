import { readFileSync } from 'node:fs';
import { seededRandom } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { Cddl } from '../../test/vectors/cddl.ts';
import { groupIdFromBytes } from '../id/group-id.ts';
import { peerIdFromBytes } from '../id/peer-id.ts';
import { decodeStrict } from '../wire/decode.ts';
import {
  type Application,
  type Approval,
  decodeApplication,
  decodeApproval,
  encodeApplication,
  encodeApproval,
} from './application-codec.ts';
import * as codec from './membership-codec.ts';

const cddl = new Cddl(readFileSync(new URL('../../docs/protocol/membership.cddl', import.meta.url), 'utf8'));
const random = seededRandom(4);
const group = groupIdFromBytes(random.bytes(32));
const nonce = random.bytes(16);
const share = random.bytes(32);
const tag = random.bytes(64);
const credential = random.bytes(40);

const requests: [string, codec.MembershipRequest][] = [
  ['find', { type: 'find', name: 'H*' }],
  ['apply', { type: 'apply', fingerprint: nonce }],
  ['apply', { type: 'apply', group }],
  ['join-open', { type: 'join-open', group, name: '' }],
  ['join-code', { type: 'join-code', group, name: 'edge', secret: random.bytes(10) }],
  ['password-begin', { type: 'password-begin', group, nonce, share }],
  ['password-finish', { type: 'password-finish', group, name: 'edge', tag }],
  ['join-approval', { type: 'join-approval', group, name: 'edge', nonce, askedAtMs: 5 }],
  ['renew', { type: 'renew', group, credential }],
  ['resign', { type: 'resign', group, credential }],
];

describe('membership messages', () => {
  it.each(requests)('%s is what docs/protocol says, and nothing else', (rule, request) => {
    const bytes = codec.encodeMembershipRequest(request);
    expect(codec.decodeMembershipRequest(bytes)).toEqual(request);
    const item = decodeStrict(bytes);
    expect(cddl.matches('request', item)).toBe(true);
    for (const [other] of requests) expect(cddl.matches(other, item)).toBe(other === rule);
  });

  it('are refused when they are cut off anywhere', () => {
    for (const [, request] of requests) {
      const bytes = codec.encodeMembershipRequest(request);
      for (let end = 0; end < bytes.length; end++) {
        expect(() => codec.decodeMembershipRequest(bytes.subarray(0, end))).toThrow(
          expect.objectContaining({ code: 'malformed' }),
        );
      }
    }
  });

  it('reads its own answers, which are what docs/protocol says', () => {
    const password = { salt: nonce, nonce };
    const checks: [string, Uint8Array, unknown, (bytes: Uint8Array) => unknown][] = [];
    const check = <T>(rule: string, value: T, encode: (value: T) => Uint8Array, decode: (bytes: Uint8Array) => T) =>
      checks.push([rule, encode(value), value, decode]);
    check('find-answer', [credential], codec.encodeFindAnswer, (bytes) => codec.decodeFindAnswer(bytes));
    const applied = { charter: credential, proof: credential, nowMs: 3 };
    for (const each of [undefined, password]) {
      check('apply-answer', { ...applied, password: each }, codec.encodeApplyAnswer, codec.decodeApplyAnswer);
    }
    check('password-answer', { share, tag }, codec.encodePasswordAnswer, codec.decodePasswordAnswer);
    const joined: codec.MembershipAnswer = { state: 'joined', credential, statements: [credential, credential] };
    check('membership-answer', joined, codec.encodeMembershipAnswer, codec.decodeMembershipAnswer);
    const pending: codec.MembershipAnswer = { state: 'pending', have: 1, needed: 2 };
    check('membership-answer', pending, codec.encodeMembershipAnswer, codec.decodeMembershipAnswer);
    for (const [rule, bytes, value, decode] of checks) {
      expect(cddl.matches(rule, decodeStrict(bytes))).toBe(true);
      expect(decode(bytes)).toEqual(value);
    }
    expect(cddl.matches('resign-answer', decodeStrict(codec.encodeResignAnswer()))).toBe(true);
  });

  it('has applications and approvals as docs/protocol says', () => {
    const subject = peerIdFromBytes(share);
    const applications: Application[] = [
      { subject, name: 'edge', askedAtMs: 1, for: { type: 'membership', nonce } },
      { subject, name: '', askedAtMs: 1, for: { type: 'renewal', credential } },
    ];
    for (const application of applications) {
      const bytes = encodeApplication(application);
      expect(decodeApplication(bytes)).toEqual(application);
      expect(cddl.matches('application', decodeStrict(bytes))).toBe(true);
    }
    const approvals: Approval[] = [
      { type: 'granted', credential },
      { type: 'vote', signature: tag },
      { type: 'rejected' },
    ];
    for (const approval of approvals) {
      const bytes = encodeApproval(approval);
      expect(decodeApproval(bytes)).toEqual(approval);
      expect(cddl.matches('approval', decodeStrict(bytes))).toBe(true);
    }
    expect(() => decodeApproval(new Uint8Array([0xa0]))).toThrow(expect.objectContaining({ code: 'malformed' }));
  });
});
