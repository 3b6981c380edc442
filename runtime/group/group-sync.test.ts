import { nodeCrypto, seededRandom } from '@pipevine/transports';
import { describe, expect, it, vi } from 'vitest';
import { type FakeResolver, FakeResolvers } from '../resolver/testing/fake-resolvers.ts';
import { GroupSync } from './group-sync.ts';
import { decodeStatementQuery, encodeStatementQuery } from './group-sync-codec.ts';
import { GroupOfPeers, type TestPeer } from './testing/group-of-peers.ts';

interface Member extends TestPeer {
  readonly resolver: FakeResolver;
  readonly sync: GroupSync;
}

/** Members that follow each other where they are linked. */
async function network(names: readonly string[]) {
  const of = await GroupOfPeers.make();
  const { clock, group } = of;
  const resolvers = new FakeResolvers(clock, { group });
  const join = (peer: TestPeer): Member => {
    const credential = peer.groups.membership(group)?.credential ?? expect.fail();
    const resolver = resolvers.peer(peer.identity.id, { identity: peer.identity, credential });
    const random = seededRandom(peer.identity.id);
    return {
      ...peer,
      resolver,
      sync: new GroupSync({ groups: peer.groups, resolver, clock, random, crypto: nodeCrypto }),
    };
  };
  const home = join(of.home);
  const members = (await of.members(names)).map(join);
  const link = (a: Member, b: Member) => resolvers.link(a.resolver, b.resolver);
  const unlink = (a: Member, b: Member) => resolvers.unlink(a.resolver, b.resolver);
  const run = (ms: number) => clock.runFor(ms);
  return { of, clock, group, home, members, resolvers, link, unlink, run };
}

const types = (at: Network, { groups }: TestPeer) => groups.statements(at.group).map(({ type }) => type);
type Network = Awaited<ReturnType<typeof network>>;

const apply = (at: Network, by: TestPeer, key: string) =>
  at.clock.run(
    by.groups.publish(at.group, { type: 'application', key, content: new Uint8Array(10), lifetimeMs: 86_400_000 }),
  );

describe('GroupSync', () => {
  it('brings what there was before, and what is new, to members at any distance within a second', async () => {
    const at = await network(['a', 'b', 'c', 'thief']);
    const [a, b, c, thief] = at.members as [Member, Member, Member, Member]; // As many as there are names.
    await apply(at, c, 'early');
    at.link(at.home, a);
    at.link(a, b);
    at.link(b, c);
    await at.run(500);
    expect(types(at, at.home)).toEqual(['charter', 'application']);
    await at.clock.run(at.home.administration.revoke(at.group, { serial: at.of.serial(thief) }));
    await at.run(500);
    for (const peer of [a, b, c]) {
      expect(types(at, peer)).toEqual(['charter', 'revocations', 'application']);
      expect(at.of.verdict(peer, thief)).toBe('revoked');
    }
  });

  it('sends over a link once what both sides know now', async () => {
    const at = await network(['a', 'b', 'c']);
    const [a, b, c] = at.members as [Member, Member, Member]; // As many as there are names.
    at.link(a, b);
    at.link(b, c);
    at.link(c, a);
    await at.run(100);
    const received = [a, b, c].map(({ groups }) => vi.spyOn(groups, 'receive'));
    await apply(at, a, 'one');
    await at.run(1_000);
    // Over a to b and a to c, and between b and c at most both ways at once.
    expect(received.reduce((sum, { mock }) => sum + mock.calls.length, 0)).toBeLessThanOrEqual(4);
    for (const peer of [a, b, c]) expect(types(at, peer)).toContain('application');
  });

  it('heals a partition: both sides learn what the other did meanwhile', async () => {
    const at = await network(['a', 'b', 'c']);
    const [a, b, c] = at.members as [Member, Member, Member]; // As many as there are names.
    at.link(at.home, a);
    at.link(a, b);
    at.link(b, c);
    await at.run(1_000);
    at.unlink(a, b);
    await at.run(1_000);
    await apply(at, c, 'there');
    await at.clock.run(at.home.administration.revoke(at.group, { serial: at.of.serial(b) }));
    await at.run(300_000);
    expect(types(at, c)).toEqual(['charter', 'application']);
    expect(types(at, at.home)).toEqual(['charter', 'revocations']);
    at.link(a, b);
    await at.run(2_000);
    for (const peer of [at.home, a, b, c]) expect(types(at, peer)).toEqual(['charter', 'revocations', 'application']);
  });

  it('distrusts a neighbour that passes on a forgery, and takes nothing of it', async () => {
    const at = await network(['a', 'b']);
    const [a, b] = at.members as [Member, Member]; // As many as there are names.
    const { encoded } = await apply(at, b, 'one');
    const forged = encoded.slice();
    forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
    b.sync.close();
    b.resolver.handle('group', async function* () {
      yield forged;
      yield encoded;
    });
    at.link(a, b);
    await at.run(1_000);
    expect(a.resolver.distrusted).toEqual([b.identity.id]);
    expect(types(at, a)).toEqual(['charter']);
  });

  it('goes on past what it declines, and compares anew every few minutes', async () => {
    const at = await network(['a', 'b']);
    const [a, b] = at.members as [Member, Member]; // As many as there are names.
    const statements: Uint8Array[] = [];
    for (let i = 0; i < 66; i++) {
      const one = await at.clock.run(
        b.groups
          .publish(at.group, { type: 'application', key: `${i}`, content: new Uint8Array(1), lifetimeMs: 1_000 })
          .catch(() => undefined),
      );
      if (one !== undefined) statements.push(one.encoded);
    }
    expect(statements).toHaveLength(64);
    b.sync.close();
    await at.run(2_000);
    let asked = 0;
    b.resolver.handle('group', async function* (_, { signal }) {
      asked++;
      yield* statements;
      yield at.of.home.groups.statements(at.group)[0]?.encoded ?? expect.fail();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
    });
    at.link(a, b);
    await at.run(30_000);
    expect(a.sync.status()['statements declined']?.dropped).toBe(64);
    expect(asked).toBe(1);
    expect(a.resolver.distrusted).toEqual([]);
    await at.run(900_000);
    expect(asked).toBeGreaterThan(2);
    expect(asked).toBeLessThan(10);
  });

  it('soon asks again for what came faster than it is taken', async () => {
    const at = await network(['a', 'b']);
    const [a, b] = at.members as [Member, Member]; // As many as there are names.
    at.link(a, b);
    for (let i = 0; i < 3; i++) {
      for (let key = 0; key < 60; key++) await apply(at, b, `${key}`);
      await at.run(100);
    }
    const sequences = ({ groups }: TestPeer) =>
      groups.statements(at.group).map(({ key, sequence }) => `${key} ${sequence}`);
    expect(a.sync.status()['statements declined']?.dropped).toBeGreaterThan(20);
    await at.run(60_000);
    expect(sequences(a).sort()).toEqual(sequences(b).sort());
  });

  it('waits longer each time when a neighbour has no such handler, and stops when it is gone', async () => {
    const at = await network(['a', 'b']);
    const [a, b] = at.members as [Member, Member]; // As many as there are names.
    b.sync.close();
    at.link(a, b);
    await at.run(600_000);
    expect(b.resolver.requests.get('group')).toBeGreaterThan(5);
    expect(b.resolver.requests.get('group')).toBeLessThan(30);
    at.unlink(a, b);
    const asked = b.resolver.requests.get('group');
    await at.run(600_000);
    expect(b.resolver.requests.get('group')).toBe(asked);
  });

  it('serves each member once, and none after it is closed', async () => {
    const at = await network(['a', 'b']);
    const [a, b] = at.members as [Member, Member]; // As many as there are names.
    at.link(a, b);
    await at.run(100);
    const neighbour = b.resolver.neighbour(a.identity.id) ?? expect.fail();
    const more = neighbour.stream('group', encodeStatementQuery(new Map()))[Symbol.asyncIterator]();
    await at.clock.run(more.next());
    expect(a.sync.status()['statement followers']?.used).toBe(1);
    a.sync.close();
    a.sync.close();
    expect(a.sync.status()['statement followers']?.used).toBe(0);
    await at.run(100);
    await expect(at.clock.run(neighbour.request('group', new Uint8Array(0)))).rejects.toMatchObject({
      code: 'not-found',
    });
  });

  it.each([[[]], [[0xff]], [[0xa0]], [[0xa1, 1, 0x81, 0]], [[0xa1, 1, 0x81, 0x82, 0x41, 0, 0]]])(
    'refuses the query %j',
    async (bytes) => {
      const malformed = expect.objectContaining({ code: 'malformed' });
      expect(() => decodeStatementQuery(new Uint8Array(bytes))).toThrow(malformed);
    },
  );
});
