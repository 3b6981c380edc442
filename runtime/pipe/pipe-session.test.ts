import { nodeCrypto, seededRandom } from '@pipevine/transports';
import { describe, expect, test } from 'vitest';
import { identityFromSeed } from '../id/identity.ts';
import { peerIdToBytes } from '../id/peer-id.ts';
import type { BindParameters } from '../wire/frame.ts';
import { PipeHandshake } from './pipe-handshake.ts';
import { decodeSessionField, encodeSessionField, type SessionField } from './session-field.ts';

const ALICE = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(1));
const BOB = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(2));
const CAROL = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(3));

const PARAMETERS: BindParameters = {
  pipe: new Uint8Array(16).fill(5),
  target: peerIdToBytes(BOB.id),
  source: peerIdToBytes(ALICE.id),
  group: new Uint8Array(32),
  name: 'things',
  kind: 2,
  security: 1,
};

function handshake(atAlice: Partial<BindParameters> = {}, responder = BOB, initiator = ALICE) {
  const common = { crypto: nodeCrypto, random: seededRandom('handshake'), credential: new Uint8Array([1, 2, 3]) };
  const a = new PipeHandshake({
    ...common,
    role: 'initiator',
    identity: initiator,
    expectedPeer: BOB.id,
    parameters: { ...PARAMETERS, ...atAlice },
  });
  const b = new PipeHandshake({
    ...common,
    role: 'responder',
    identity: responder,
    expectedPeer: ALICE.id,
    parameters: PARAMETERS,
  });
  b.readBegin(a.begin());
  const shown = a.readIdentity(b.writeIdentity());
  const answered = b.readIdentity(a.writeIdentity());
  return { shown, answered, a: a.session(), b: b.session() };
}

describe('a pipe of its own session', () => {
  test('shows credentials inside, and carries payloads both ways', () => {
    const { shown, answered, a, b } = handshake();
    expect([shown, answered]).toEqual([new Uint8Array([1, 2, 3]), new Uint8Array([1, 2, 3])]);
    for (let i = 0; i < 5; i++) {
      expect(b.open(a.seal(new Uint8Array([i])))).toEqual(new Uint8Array([i]));
      expect(a.open(b.seal(new Uint8Array([i, i])))).toEqual(new Uint8Array([i, i]));
    }
  });

  test('opens each acknowledgement once, none after a newer one, and none that another wrote', () => {
    const { a, b } = handshake();
    const reports = [1, 2, 3].map((i) => a.sealReport(new Uint8Array([i])));
    const [first, second, third] = reports;
    if (first === undefined || second === undefined || third === undefined) throw new Error('three were sealed');
    expect(b.openReport(second)).toEqual(new Uint8Array([2]));
    for (const old of [first, second]) expect(b.openReport(old)).toBeUndefined();
    const changed = third.map((byte, i) => (i === third.length - 1 ? byte ^ 1 : byte));
    const renumbered = third.map((byte, i) => (i === 7 ? byte + 1 : byte));
    for (const forged of [changed, renumbered, new Uint8Array(0), new Uint8Array(8), new Uint8Array(40).fill(255)]) {
      expect(b.openReport(forged)).toBeUndefined();
    }
    expect(b.openReport(third)).toEqual(new Uint8Array([3]));
    expect(a.openReport(a.sealReport(new Uint8Array([4])))).toBeUndefined();
  });

  test('is with the peer that was wanted, and nobody else', () => {
    expect(() => handshake({}, CAROL)).toThrow(expect.objectContaining({ code: 'wrong-peer' }));
    expect(() => handshake({}, BOB, CAROL)).toThrow(expect.objectContaining({ code: 'wrong-peer' }));
  });

  test.each<Partial<BindParameters>>([
    { name: 'other' },
    { kind: 3 },
    { group: new Uint8Array(32).fill(1) },
    { pipe: new Uint8Array(16) },
    { source: peerIdToBytes(CAROL.id) },
  ])('is bound to what was asked for: %o', (changed) => {
    expect(() => handshake(changed)).toThrow(expect.objectContaining({ code: 'forged' }));
  });

  test('refuses what was changed, repeated or left out', () => {
    const { a, b } = handshake();
    const [first, second] = [a.seal(new Uint8Array([1])), a.seal(new Uint8Array([2]))];
    expect(b.open(second)).toBeUndefined();
    const changed = first.slice();
    changed[0] = (changed[0] ?? 0) ^ 1;
    expect(b.open(changed)).toBeUndefined();
    expect(b.open(first)).toEqual(new Uint8Array([1]));
    expect(b.open(first)).toBeUndefined();
    expect(b.open(second)).toEqual(new Uint8Array([2]));
  });

  test('takes numbered payloads in any order, each once', () => {
    const { a, b } = handshake();
    const sealed = Array.from({ length: 10 }, (_, i) => a.seal(new Uint8Array([i])));
    for (const number of [3, 0, 9, 1]) {
      expect(b.openNumbered(number, sealed[number] ?? new Uint8Array(0))).toEqual(new Uint8Array([number]));
      expect(b.openNumbered(number, sealed[number] ?? new Uint8Array(0))).toBeUndefined();
    }
    expect(b.openNumbered(5, sealed[4] ?? new Uint8Array(0))).toBeUndefined();
  });

  test('proves itself on resumption, to the other side only, and for these numbers only', () => {
    const { a, b } = handshake();
    const claim = { pipe: PARAMETERS.pipe, counter: 1, next: 5, limit: 100 };
    const proof = a.proof(claim);
    expect(b.isProof(claim, proof)).toBe(true);
    expect(a.isProof(claim, proof)).toBe(false);
    expect(b.isProof({ ...claim, next: 6 }, proof)).toBe(false);
    expect(b.isProof({ ...claim, counter: 2 }, proof)).toBe(false);
    expect(handshake().b.isProof({ ...claim, pipe: new Uint8Array(16) }, proof)).toBe(false);
  });
});

describe('the session field', () => {
  test.each<[string, SessionField]>([
    ['', { type: 'link' }],
    ['000102', { type: 'new', message: new Uint8Array([1, 2]) }],
    ['01', { type: 'resume', proof: undefined }],
    [
      `010000000000000102${'ab'.repeat(32)}`,
      { type: 'resume', proof: { counter: 258, mac: new Uint8Array(32).fill(0xab) } },
    ],
  ])('%s is read and written', (hex, field) => {
    expect(Buffer.from(encodeSessionField(field)).toString('hex')).toBe(hex);
    expect(decodeSessionField(new Uint8Array(Buffer.from(hex, 'hex')))).toEqual(field);
  });

  test.each(['02', '0100', `01ffffffffffffffff${'00'.repeat(32)}`, `010000000000000001${'00'.repeat(31)}`])(
    '%s is refused',
    (hex) => {
      expect(() => decodeSessionField(new Uint8Array(Buffer.from(hex, 'hex')))).toThrow(
        expect.objectContaining({ code: 'malformed' }),
      );
    },
  );
});
