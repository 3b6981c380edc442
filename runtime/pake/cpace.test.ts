import { nodeCrypto, seededRandom } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { groupIdFromBytes } from '../id/group-id.ts';
import { peerIdFromBytes } from '../id/peer-id.ts';
import type { AgreementKey, Crypto } from '../platform/crypto.ts';
import { type CpaceInit, CpaceInitiator, CpaceResponder } from './cpace.ts';

const peer = (fill: number) => peerIdFromBytes(new Uint8Array(32).fill(fill));
const hex = (data: Uint8Array) => Buffer.from(data).toString('hex');
const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'));
const random = seededRandom(7);

const init: CpaceInit = {
  crypto: nodeCrypto,
  random,
  password: new Uint8Array(32).fill(9),
  initiator: peer(1),
  responder: peer(2),
  group: groupIdFromBytes(new Uint8Array(32).fill(3)),
  sessionId: new Uint8Array(32).fill(4),
};

/** Both sides of one exchange; `theirs` is what the responder believes otherwise. */
function exchange(theirs: Partial<CpaceInit> = {}) {
  const initiator = new CpaceInitiator(init);
  const responder = new CpaceResponder({ ...init, ...theirs }, initiator.share);
  return { initiator, responder };
}

const refused = expect.objectContaining({ code: 'refused' });
const closed = expect.objectContaining({ code: 'closed' });
const malformed = expect.objectContaining({ code: 'malformed' });

/** u-coordinates of small order, among them ones that are not reduced (draft-irtf-cfrg-cpace-21, appendix B.1.10). */
const SMALL_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000080',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
];

describe('two who know the password', () => {
  it('get one key, another in each exchange', () => {
    const keys = new Set<string>();
    for (let i = 0; i < 5; i++) {
      const { initiator, responder } = exchange();
      const { tag, key } = initiator.finish(responder.share, responder.tag);
      expect(hex(responder.confirm(tag).key)).toBe(hex(key));
      expect(key).toHaveLength(32);
      keys.add(hex(key));
    }
    expect(keys.size).toBe(5);
  });

  it('send different shares for the same password and session id', () => {
    expect(hex(new CpaceInitiator(init).share)).not.toBe(hex(new CpaceInitiator(init).share));
  });
});

describe('what the two must agree on', () => {
  const disagreements: [string, Partial<CpaceInit>][] = [
    ['password', { password: new Uint8Array(32).fill(8) }],
    ['group', { group: groupIdFromBytes(new Uint8Array(32).fill(5)) }],
    ['initiator', { initiator: peer(6) }],
    ['responder', { responder: peer(6) }],
    ['session', { sessionId: new Uint8Array(32).fill(5) }],
    ['roles', { initiator: peer(2), responder: peer(1) }],
  ];

  it.each(disagreements)('another %s fails at both sides', (_, theirs) => {
    const { initiator, responder } = exchange(theirs);
    expect(() => initiator.finish(responder.share, responder.tag)).toThrow(refused);
    // An initiator that goes on regardless has a tag of its own belief.
    const liar = new CpaceInitiator(init);
    const honest = new CpaceResponder({ ...init, ...theirs }, liar.share);
    const belief = new CpaceResponder(init, liar.share);
    expect(() => honest.confirm(liar.finish(belief.share, belief.tag).tag)).toThrow(refused);
  });

  it('does not confuse ids and session ids whose bytes are shifted', () => {
    const long = new CpaceInitiator({ ...init, sessionId: new Uint8Array(33).fill(4) });
    const responder = new CpaceResponder(init, long.share);
    expect(() => long.finish(responder.share, responder.tag)).toThrow(refused);
  });
});

describe('an attacker', () => {
  it('who answered wrongly gets no second guess at the same share', () => {
    const { initiator, responder } = exchange();
    const wrong = new CpaceResponder({ ...init, password: new Uint8Array(32) }, initiator.share);
    expect(() => initiator.finish(wrong.share, wrong.tag)).toThrow(refused);
    expect(() => initiator.finish(responder.share, responder.tag)).toThrow(closed);
  });

  it('who confirmed wrongly gets no second guess either', () => {
    const { initiator, responder } = exchange();
    const { tag } = initiator.finish(responder.share, responder.tag);
    expect(() => responder.confirm(new Uint8Array(64))).toThrow(refused);
    expect(() => responder.confirm(tag)).toThrow(closed);
  });

  it('who replays a recorded answer is refused', () => {
    const recorded = exchange();
    recorded.initiator.finish(recorded.responder.share, recorded.responder.tag);
    expect(() => new CpaceInitiator(init).finish(recorded.responder.share, recorded.responder.tag)).toThrow(refused);
  });

  it('who replays a recorded initiator is refused', () => {
    const recorded = exchange();
    const { tag } = recorded.initiator.finish(recorded.responder.share, recorded.responder.tag);
    expect(() => new CpaceResponder(init, recorded.initiator.share).confirm(tag)).toThrow(refused);
  });

  it('who reflects a share and a tag is refused', () => {
    const { initiator, responder } = exchange();
    expect(() => initiator.finish(initiator.share, responder.tag)).toThrow(refused);
    expect(() => responder.confirm(responder.tag)).toThrow(refused);
  });

  it('who relays to a responder that shares the password under another name is refused', () => {
    const initiator = new CpaceInitiator(init);
    const other = new CpaceResponder({ ...init, responder: peer(6) }, initiator.share);
    expect(() => initiator.finish(other.share, other.tag)).toThrow(refused);
  });

  it.each(SMALL_ORDER)('who sends the point %s of small order is refused', (point) => {
    const { initiator, responder } = exchange();
    expect(() => new CpaceResponder(init, bytes(point))).toThrow(refused);
    expect(() => initiator.finish(bytes(point), responder.tag)).toThrow(refused);
  });

  it('who writes a share in a second way is refused', () => {
    const { initiator, responder } = exchange();
    const respelled = Uint8Array.from(responder.share);
    respelled[31] = (respelled[31] ?? 0) ^ 0x80;
    expect(() => initiator.finish(respelled, responder.tag)).toThrow(refused);
  });

  it('who sends shares and tags of other lengths gets one clear error', () => {
    const { responder } = exchange();
    for (const length of [0, 31, 33, 4096]) {
      expect(() => new CpaceResponder(init, new Uint8Array(length))).toThrow(malformed);
      expect(() => new CpaceInitiator(init).finish(new Uint8Array(length), responder.tag)).toThrow(malformed);
    }
    for (const length of [0, 63, 65, 4096]) {
      const { initiator, responder: honest } = exchange();
      expect(() => initiator.finish(honest.share, new Uint8Array(length))).toThrow(refused);
      expect(() => honest.confirm(new Uint8Array(length))).toThrow(refused);
    }
  });

  it('who changes a bit of what is sent is refused', () => {
    for (let bit = 0; bit < 64 * 8; bit += 37) {
      const { initiator, responder } = exchange();
      const tag = Uint8Array.from(responder.tag);
      tag[bit >> 3] = (tag[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => initiator.finish(responder.share, tag)).toThrow(refused);
    }
  });

  it('who guesses learns of one guess alone: the transcript of a wrong one fits no other password', () => {
    // The attacker chooses its scalar under the guess 0, and later has all that was sent to test other guesses with.
    const scalar = nodeCrypto.agreementKey(new Uint8Array(32).fill(77));
    const guess = new CpaceInitiator({ ...init, ...withScalar(scalar), password: new Uint8Array(32) });
    const honest = new CpaceResponder(init, guess.share);
    // Under the true password its share is another point's multiple, whose scalar it does not know: the tag does not fit.
    const late = new CpaceInitiator({ ...init, ...withScalar(scalar) });
    expect(hex(late.share)).not.toBe(hex(guess.share));
    expect(() => late.finish(honest.share, honest.tag)).toThrow(refused);
  });
});

it('refuses a session id that could repeat', () => {
  const short = { ...init, sessionId: new Uint8Array(15) };
  const invalid = expect.objectContaining({ code: 'invalid-argument' });
  expect(() => new CpaceInitiator(short)).toThrow(invalid);
  expect(() => new CpaceResponder(short, new Uint8Array(32).fill(9))).toThrow(invalid);
});

function withScalar(scalar: AgreementKey): { crypto: Crypto } {
  return { crypto: { ...nodeCrypto, agreementKey: () => scalar } };
}
