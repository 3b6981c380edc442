import { nodeCrypto, seededRandom } from '@pipevine/transports';
import { beforeAll, describe, expect, it } from 'vitest';
import type { CborValue } from '../wire/cbor-value.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import type { Charter } from './charter.ts';
import { encodeCredentialFields, verifyCredential } from './credential-codec.ts';
import { type Approval, approve, assemble, isApproved, proposalFor, readProposal } from './quorum.ts';
import { GroupOfPeers, type TestPeer, testPeer } from './testing/group-of-peers.ts';

const DAY = 86_400_000;
let of: GroupOfPeers;
let approvers: TestPeer[];
let applicant: TestPeer;
let charter: Charter;
let payload: Uint8Array;

beforeAll(async () => {
  of = await GroupOfPeers.make();
  approvers = await of.members(['a', 'b', 'c']);
  const policy = { type: 'quorum', needed: 2, approvers: approvers.map(({ identity }) => identity.id) } as const;
  await of.clock.run(of.home.administration.setCharter(of.group, { policy }));
  charter = of.home.groups.charter(of.group) ?? expect.fail();
  applicant = testPeer(of.clock, 'applicant');
  payload = proposalFor(charter, {
    subject: applicant.identity.id,
    nowMs: of.clock.wallMs(),
    random: seededRandom(1),
  });
});

const voice = ({ identity }: TestPeer, of = payload): Approval => ({
  approver: identity.id,
  signature: approve(identity.signing, of),
});
const some = (...which: number[]) => which.map((i) => voice(approvers[i] ?? expect.fail()));
const codeOf = (action: () => unknown): string => {
  try {
    action();
    return 'none';
  } catch (error) {
    return (error as { code: string }).code; // Nothing but PipevineErrors.
  }
};
const verify = (encoded: Uint8Array) => verifyCredential(nodeCrypto, encoded);

/** A credential whose members are changed after it was assembled. */
function altered(change: (members: Map<number, CborValue>) => void): Uint8Array {
  const members = new Map(decodeStrict(assemble(charter, payload, some(0, 1))) as Map<number, CborValue>); // It is a map.
  change(members);
  return encodeCanonical(members);
}

describe('a quorum', () => {
  it('admits a member by any two of three, without an administrator', async () => {
    expect(readProposal(nodeCrypto, payload)).toMatchObject({
      credential: { subject: applicant.identity.id, roles: ['member'], version: 0 },
      charter: { sequence: charter.sequence },
    });
    for (const voices of [some(0, 1), some(2, 0), some(0, 1, 2)]) {
      const encoded = assemble(charter, payload, voices);
      expect(verify(encoded)).toMatchObject([{ subject: applicant.identity.id, charterSequence: charter.sequence }]);
      const peer = testPeer(of.clock, 'applicant');
      await of.clock.run(peer.groups.admit(encoded, { name: 'x', statements: [charter.encoded] }));
      expect(peer.groups.membership(of.group)).toMatchObject({ name: 'Home', policy: charter.policy });
      expect(of.verdict(of.home, peer)).toBe('none');
      expect(peer.again().membership(of.group)).toEqual(peer.groups.membership(of.group));
    }
  });

  it('is not there with one voice, one counted twice, or that of somebody else', async () => {
    const stranger = await of.member('stranger');
    for (const voices of [[], some(0), some(0, 0), [...some(0), voice(stranger)]]) {
      expect(codeOf(() => assemble(charter, payload, voices))).toBe('refused');
    }
    expect(isApproved(nodeCrypto, charter, payload, voice(stranger))).toBe(false);
    expect(some(0).every((one) => isApproved(nodeCrypto, charter, payload, one))).toBe(true);
    const [first] = some(0);
    const swapped = { approver: approvers[1]?.identity.id ?? expect.fail(), signature: first?.signature ?? payload };
    expect(isApproved(nodeCrypto, charter, payload, swapped)).toBe(false);
  });

  it('cannot be made up by whoever assembles', async () => {
    const entries = (map: Map<number, CborValue>) => map.get(10) as [Uint8Array, Uint8Array][]; // As assembled.
    const stranger = (await of.member('stranger')).identity;
    const cases: [string, (map: Map<number, CborValue>) => void, string][] = [
      ['one voice', (map) => map.set(10, entries(map).slice(1)), 'malformed'],
      ['none', (map) => map.set(10, []), 'malformed'],
      ['without approvals', (map) => map.delete(10), 'malformed'],
      ['the same voice twice', (map) => map.set(10, [entries(map)[0] ?? null, entries(map)[0] ?? null]), 'malformed'],
      ['in another order', (map) => map.set(10, entries(map).reverse()), 'malformed'],
      ['another subject', (map) => map.set(2, stranger.signing.publicKey), 'forged'],
      ['other roles', (map) => map.set(3, ['administrator']), 'refused'],
      ['more capabilities', (map) => map.set(8, ['administer']), 'refused'],
      ['another version', (map) => map.set(9, 1), 'refused'],
      ['a longer life', (map) => map.set(5, of.clock.wallMs() + 46 * DAY), 'refused'],
      ['later', (map) => map.set(4, of.clock.wallMs() + DAY), 'forged'],
      ['no charter', (map) => map.delete(7), 'malformed'],
      ['a credential for a charter', (map) => map.set(7, of.credential(approvers[0] ?? expect.fail())), 'malformed'],
      ['a broken signature', (map) => entries(map)[1]?.[1].fill(0), 'forged'],
    ];
    expect(codeOf(() => verify(altered(() => {})))).toBe('none');
    for (const [what, change, code] of cases)
      expect(
        codeOf(() => verify(altered(change))),
        what,
      ).toBe(code);
    const voices = [...some(0), voice({ ...applicant, identity: stranger })];
    const outsider = altered((map) => {
      const sorted = voices.sort((a, b) => (a.approver < b.approver ? -1 : 1));
      map.set(
        10,
        sorted.map(({ approver, signature }) => [keyOf(approver), signature]),
      );
    });
    expect(codeOf(() => verify(outsider))).toBe('refused');
    function keyOf(peer: string): Uint8Array {
      return (peer === stranger.id ? stranger : (approvers[0]?.identity ?? expect.fail())).signing.publicKey;
    }
  });

  it('gives no more than the charter does, whatever is proposed', () => {
    const { credential } = readProposal(nodeCrypto, payload);
    const asked = [{ roles: ['administrator'] }, { capabilities: ['relay'] }, { version: 1 }, { notAfterMs: 2 ** 50 }];
    for (const change of asked) {
      const proposal = encodeCredentialFields({ ...credential, ...change }, charter.encoded);
      expect(codeOf(() => readProposal(nodeCrypto, proposal))).toBe('refused');
    }
    expect(codeOf(() => readProposal(nodeCrypto, new Uint8Array(5_000)))).toBe('too-large');
    const code = { ...charter, policy: { type: 'code' } } as const;
    expect(codeOf(() => assemble(code, payload, some(0, 1)))).toBe('invalid-argument');
  });

  it('of 16 approvers still fits where credentials are shown', async () => {
    const large = await GroupOfPeers.make({ name: 'n'.repeat(128), roles: Array(8).fill('r'.repeat(32)) });
    const all = Array.from({ length: 16 }, (_, i) => testPeer(large.clock, `large ${i}`));
    const policy = { type: 'quorum', needed: 16, approvers: all.map(({ identity }) => identity.id) } as const;
    await large.clock.run(large.home.administration.setCharter(large.group, { policy }));
    const of16 = large.home.groups.charter(large.group) ?? expect.fail();
    const init = { subject: applicant.identity.id, nowMs: large.clock.wallMs(), random: seededRandom(2) };
    const proposal = proposalFor(of16, init);
    const encoded = assemble(
      of16,
      proposal,
      all.map((one) => voice(one, proposal)),
    );
    expect(encoded.length).toBeLessThan(4_096);
    expect(verify(encoded)).toHaveLength(1);
  });

  it('has its approvals taken from its approvers, who need not administer, and from nobody else', async () => {
    const [a] = approvers;
    if (a === undefined) expect.fail();
    await of.tell(of.home, a);
    const other = await of.member('other');
    const approval = { type: 'approval', key: 'k', content: new Uint8Array(1), lifetimeMs: DAY } as const;
    await of.clock.run(a.groups.publish(of.group, approval));
    await expect(other.groups.publish(of.group, approval)).rejects.toMatchObject({ code: 'refused' });
    expect(await of.tell(a, other)).toEqual([]);
    expect(other.groups.statements(of.group).map(({ type }) => type)).toEqual(['charter', 'approval']);
  });

  it('whose member is revoked has admitted nobody', async () => {
    const { serial } = readProposal(nodeCrypto, payload).credential;
    const watcher = await of.member('watcher');
    await of.tell(of.home, watcher);
    const encoded = assemble(charter, payload, some(0, 1));
    expect(of.verdict(watcher, applicant, encoded)).toBe('none');
    await of.clock.run(of.home.administration.revoke(of.group, { serial }));
    await of.tell(of.home, watcher);
    expect(of.verdict(watcher, applicant, encoded)).toBe('revoked');
  });

  it('that the charter no longer names admits nobody any more; whom it has admitted stays', async () => {
    const [, b, c] = approvers;
    const early = proposal(of.clock.wallMs());
    of.clock.stepWall(1_000);
    const policy = { type: 'quorum', needed: 1, approvers: [c?.identity.id ?? expect.fail()] } as const;
    await of.clock.run(of.home.administration.setCharter(of.group, { policy }));
    of.clock.stepWall(1_000);
    const late = proposal(of.clock.wallMs());
    const by = (bytes: Uint8Array) =>
      assemble(
        charter,
        bytes,
        [approvers[0] ?? expect.fail(), b ?? expect.fail()].map((one) => voice(one, bytes)),
      );
    expect(of.verdict(of.home, applicant, by(early))).toBe('none');
    expect(of.verdict(of.home, applicant, by(late))).toBe('refused');
    function proposal(nowMs: number): Uint8Array {
      return proposalFor(charter, { subject: applicant.identity.id, nowMs, random: seededRandom(nowMs) });
    }
  });
});
