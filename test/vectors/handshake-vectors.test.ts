import { identityFromSeed, type Random } from '@pipevine/runtime';
import { LinkHandshake } from '@pipevine/runtime/protocol';
import { nodeCrypto } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { annotatedHex } from './frame-vectors.ts';
import { HANDSHAKE_VECTORS, STATIC_KEYS } from './handshake-vectors.ts';

const ALICE = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(0xa1));
const BOB = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(0xb2));
const always = (value: number): Random => ({
  bytes: (length) => new Uint8Array(length).fill(value),
  fraction: () => 0,
});
const HELLO = annotatedHex('83 00 05 45 68656c6c6f');
const PING = annotatedHex('82 07 01');

describe.each(HANDSHAKE_VECTORS)('the handshake vector of $name', (vector) => {
  const common = { crypto: nodeCrypto, pattern: vector.pattern, maxRecordBytes: 65_519 };
  const known = vector.name === 'IK' ? { remoteStaticKey: STATIC_KEYS.bob } : {};
  const alice = new LinkHandshake({ ...common, ...known, role: 'initiator', identity: ALICE, random: always(0xe1) });
  const bob = new LinkHandshake({ ...common, role: 'responder', identity: BOB, random: always(0xe2) });

  it('is what both sides say', () => {
    for (const [index, message] of vector.messages.entries()) {
      const [from, to] = index % 2 === 0 ? [alice, bob] : [bob, alice];
      expect(from.write()).toEqual(message);
      expect(to.read(message)).toBe(true);
    }
    expect([alice.finished, bob.finished]).toEqual([true, true]);
  });

  it('leads to the records that it lists', () => {
    const [atAlice, atBob] = [alice.session(), bob.session()];
    expect(atAlice.remoteStaticKey).toEqual(STATIC_KEYS.bob);
    expect(atBob.remoteStaticKey).toEqual(STATIC_KEYS.alice);
    expect(atAlice.send.seal(HELLO)).toEqual(vector.firstFromAlice);
    expect(atBob.send.seal(PING)).toEqual(vector.firstFromBob);
    atAlice.send.rekey();
    expect(atAlice.send.seal(PING)).toEqual(vector.rekeyedFromAlice);
    expect(atBob.receive.open(vector.firstFromAlice)).toEqual(HELLO);
    atBob.receive.rekey();
    expect(atBob.receive.open(vector.rekeyedFromAlice)).toEqual(PING);
  });
});
