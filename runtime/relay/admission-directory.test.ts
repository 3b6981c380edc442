import { readFileSync } from 'node:fs';
import { nodeCrypto, VirtualClock } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { Cddl } from '../../test/vectors/cddl.ts';
import type { Advertisement } from '../advertisement/advertisement.ts';
import type { Credential } from '../group/group-access.ts';
import { groupIdFromBytes } from '../id/group-id.ts';
import { type PeerId, peerIdFromBytes } from '../id/peer-id.ts';
import { groupFingerprint } from '../membership/group-fingerprint.ts';
import { decodeAdministrators, directoryName } from '../membership/who-admits.ts';
import type { GroupNeighbour } from '../resolver/resolver.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { AdmissionDirectory } from './admission-directory.ts';

const cddl = new Cddl(readFileSync(new URL('../../docs/protocol/membership.cddl', import.meta.url), 'utf8'));
const GROUP = groupIdFromBytes(new Uint8Array(32).fill(7));
const QUESTION = encodeCanonical(new Map());
const peer = (byte: number): PeerId => peerIdFromBytes(new Uint8Array(32).fill(byte));
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

interface Scene {
  /** Linked members with a lease here: their roles. */
  readonly linked: readonly (readonly [PeerId, string])[];
  /** Members that are not linked, and where they lease. */
  readonly beyond?: readonly (readonly [PeerId, string, PeerId])[];
  readonly approvers?: readonly PeerId[];
  readonly serving?: boolean;
}

function scene({ linked, beyond = [], approvers = [], serving = true }: Scene) {
  const clock = new VirtualClock();
  // A directory looks at no more of a neighbour, a credential or an advertisement than this.
  const neighbours = linked.map(
    ([id, role]) => ({ peer: id, credential: { roles: [role], capabilities: [] } }) as unknown as GroupNeighbour,
  );
  const advertisements = beyond.map(([publisher]) => ({ publisher }) as Advertisement);
  const found = (id: PeerId) => beyond.find(([one]) => one === id);
  return {
    clock,
    directory: new AdmissionDirectory({
      resolver: {
        group: GROUP,
        localPeer: peer(0),
        neighbours: () => neighbours,
        neighbour: (id) => neighbours.find((one) => one.peer === id),
      },
      pipes: { serve: () => ({ close: () => undefined }) },
      store: { find: () => advertisements },
      credentialOf: ({ publisher }) =>
        ({ roles: [found(publisher)?.[1] ?? ''], capabilities: [] }) as unknown as Credential,
      approvers: () => approvers,
      isClient: (id) => id !== peer(99),
      relaysOf: (id) => [found(id)?.[2] ?? peer(0)],
      mayServe: () => serving,
      crypto: nodeCrypto,
      clock,
    }),
  };
}

const directory = (administrators: readonly PeerId[], serving = true) =>
  scene({ linked: administrators.map((id) => [id, 'administrator'] as const), serving });

describe('who admits to a group, as a relay tells', () => {
  it('is told under a name that only who knows the group or a code can ask for', () => {
    expect(directoryName(Uint8Array.from({ length: 16 }, (_, i) => i))).toBe('admission.aaaqeayeaudaocajbifqydiob4');
    expect(directoryName(groupFingerprint(nodeCrypto, GROUP))).not.toContain(GROUP.slice(-20));
  });

  it('is an array of at most four peer ids, and not of who asks', () => {
    const { directory: one } = directory([peer(9), peer(1), peer(2)]);
    const answer = one.answer(QUESTION, peer(9));
    expect(hex(answer)).toBe(`825820${'01'.repeat(32)}5820${'02'.repeat(32)}`);
    expect(cddl.matches('who-admits-answer', decodeStrict(answer))).toBe(true);
    expect(cddl.matches('who-admits', decodeStrict(QUESTION))).toBe(true);
    const { directory: many } = directory([1, 2, 3, 4, 5, 6].map(peer));
    expect(decodeAdministrators(many.answer(QUESTION, peer(9)))).toEqual([1, 2, 3, 4].map(peer));
  });

  it('are linked administrators and approvers, and none that the relay cannot pass on to', () => {
    const linked = [
      [peer(1), 'member'],
      [peer(2), 'administrator'],
      [peer(3), 'member'],
      [peer(99), 'administrator'],
    ] as const;
    const { directory: one } = scene({ linked, approvers: [peer(3)] });
    expect(decodeAdministrators(one.answer(QUESTION, peer(9)))).toEqual([peer(2), peer(3)]);
  });

  it('are those behind the next relay where none is linked', async () => {
    const linked = [[peer(7), 'relay']] as const;
    const beyond = [
      [peer(1), 'administrator', peer(7)],
      [peer(2), 'administrator', peer(8)],
      [peer(3), 'member', peer(7)],
    ] as const;
    const { directory: one } = scene({ linked, beyond });
    expect(decodeAdministrators(one.answer(QUESTION, peer(9)))).toEqual([peer(1)]);
  });

  it('is not told by who does not relay', () => {
    const { directory: one } = directory([peer(1)], false);
    expect(() => one.answer(QUESTION, peer(9))).toThrow(expect.objectContaining({ code: 'not-found' }));
  });

  it('is told no faster than some times a second, to each and to all', () => {
    const { clock, directory: one } = directory([peer(1)]);
    const asks = (who: PeerId, times: number): number => {
      let answered = 0;
      for (let i = 0; i < times; i++) {
        try {
          one.answer(QUESTION, who);
          answered++;
        } catch (error) {
          expect(error).toMatchObject({ code: 'overloaded' });
        }
      }
      return answered;
    };
    expect(asks(peer(9), 100)).toBe(16);
    const strangers = Array.from({ length: 100 }, (_, i) => asks(peer(100 + i), 1));
    expect(strangers.filter((answered) => answered === 1)).toHaveLength(64 - 16);
    expect(one.status()['admission questions']?.dropped).toBe(84 + 100 - 48);
    clock.setTimer(1_000, () => undefined);
    return clock.runFor(1_000).then(() => expect(asks(peer(200), 1)).toBe(1));
  });

  it.each([
    ['no CBOR', Uint8Array.of(0xff)],
    ['a map', encodeCanonical(new Map())],
    ['five', encodeCanonical([1, 2, 3, 4, 5].map((byte) => new Uint8Array(32).fill(byte)))],
    ['short ids', encodeCanonical([new Uint8Array(31)])],
    ['numbers', encodeCanonical([1])],
    ['too much', new Uint8Array(10_000)],
  ])('is not believed when it is %s', (_, bytes) => {
    expect(() => decodeAdministrators(bytes)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/malformed|too-large/) }),
    );
  });
});
