import assert from 'node:assert/strict';
import { identityFromSeed, parseGroupId, parsePeerId, parseThingId, thingId, WORLD_GROUP } from '@pipevine/runtime';
import { nodeCrypto } from '@pipevine/transports';
import { groupTag } from '../../../runtime/discovery/group-tag.ts';
import { slotDigest } from '../../../runtime/group/group-sync-codec.ts';
import type { Statement } from '../../../runtime/group/statement.ts';
import { base32Decode } from '../../../runtime/id/base32.ts';
import { groupIdToBytes } from '../../../runtime/id/group-id.ts';
import { peerIdToBytes } from '../../../runtime/id/peer-id.ts';
import { applicationSerial } from '../../../runtime/membership/application-codec.ts';
import { groupFingerprint } from '../../../runtime/membership/group-fingerprint.ts';
import { affinity, Ring } from '../../../runtime/rendezvous/ring.ts';
import { listenerId } from '../../../transports/mqtt/session-keys.ts';
import { ALICE, ALICE_SEED, AUTHORITY, AUTHORITY_SEED, BOB, BOB_SEED, filled, GROUP, SERIAL } from '../cast.ts';
import { fromHex, toHex } from '../hex.ts';
import type { Json, Vector, VectorSet } from '../vector-set.ts';

function identity(name: string, seed: Uint8Array): Vector {
  const made = identityFromSeed(nodeCrypto, seed);
  return {
    data: {
      name,
      seed: toHex(seed),
      publicKey: toHex(made.signing.publicKey),
      staticPublicKey: toHex(made.agreement.publicKey),
      peer: made.id,
    },
    check: ({ peer, publicKey, seed: again, staticPublicKey }) => {
      assert.deepEqual(peerIdToBytes(parsePeerId(String(peer))), fromHex(publicKey));
      const { agreement } = identityFromSeed(nodeCrypto, fromHex(again));
      assert.equal(toHex(agreement.publicKey), staticPublicKey);
    },
  };
}

/** Something that is worked out of ids in one direction only. */
function derived(
  name: string,
  inputs: { readonly [name: string]: Json },
  derive: () => Uint8Array | string | number,
): Vector {
  const result = derive();
  return {
    data: { name, ...inputs, result: result instanceof Uint8Array ? toHex(result) : result },
    check: ({ result: expected }) => {
      const again = derive();
      assert.equal(again instanceof Uint8Array ? toHex(again) : again, expected);
    },
  };
}

const name = { group: GROUP, kind: 'thing', publisher: ALICE.id, key: 'lamp' } as const;
const ring = new Ring(nodeCrypto, GROUP, [ALICE.id]);

export const IDS: VectorSet = {
  name: 'ids',
  description:
    'Keys and ids of seeds, texts of ids, and what is derived from ids. Alice, Bob and the authority of the group appear in all files under these ids.',
  document: 'docs/protocol/link.md',
  vectors: [
    identity('Alice', ALICE_SEED),
    identity('Bob', BOB_SEED),
    identity('the authority', AUTHORITY_SEED),
    {
      data: { name: 'the group', publicKey: toHex(AUTHORITY.signing.publicKey), group: GROUP },
      check: ({ group, publicKey }) =>
        assert.deepEqual(groupIdToBytes(parseGroupId(String(group))), fromHex(publicKey)),
    },
    {
      data: { name: 'the world group', publicKey: toHex(filled(32, 0)), group: WORLD_GROUP },
      check: ({ group, publicKey }) =>
        assert.deepEqual(groupIdToBytes(parseGroupId(String(group))), fromHex(publicKey)),
    },
    {
      data: {
        name: 'a thing of Alice (thing.md)',
        peer: ALICE.id,
        key: 'Hall lamp/1',
        thing: thingId({ peer: ALICE.id, key: 'Hall lamp/1' }),
      },
      check: ({ peer, key, thing }) => assert.deepEqual({ ...parseThingId(String(thing)) }, { peer, key }),
    },
    derived('tag of the group in packets of Alice (discovery.md)', { group: GROUP, peer: ALICE.id }, () =>
      groupTag(nodeCrypto, GROUP, ALICE.id),
    ),
    derived('fingerprint of the group (membership.md)', { group: GROUP }, () => groupFingerprint(nodeCrypto, GROUP)),
    derived(
      'serial of an application (membership.md)',
      { group: GROUP, subject: BOB.id, nonce: toHex(filled(16, 0x0e)) },
      () => applicationSerial(nodeCrypto, GROUP, BOB.id, filled(16, 0x0e)),
    ),
    derived('slot of a statement (group.md)', { type: 'revocations', issuer: ALICE.id, key: '' }, () => slotBytes()),
    derived('point of an advertisement on the ring (rendezvous.md), as 48 bits', name, () => ring.pointOf(name)),
    derived(
      'order of Bob among the candidates of Alice (rendezvous.md), as 48 bits',
      { peer: ALICE.id, candidate: BOB.id },
      () => affinity(nodeCrypto, ALICE.id, BOB.id),
    ),
    derived('id of an MQTT listener (mqtt-transport.md)', { publicKey: toHex(BOB.agreement.publicKey) }, () =>
      listenerId(BOB.agreement.publicKey),
    ),
    {
      data: { name: 'base32', bytes: toHex(filled(16, 0x01)), text: SERIAL },
      check: ({ bytes, text }) => assert.deepEqual(base32Decode(String(text)), fromHex(bytes)),
    },
  ],
};

function slotBytes(): Uint8Array {
  const named = { type: 'revocations', issuer: ALICE.id, key: '' } as Statement; // A slot is of these three alone.
  return base32Decode(slotDigest(nodeCrypto, named)) ?? new Uint8Array(0);
}
