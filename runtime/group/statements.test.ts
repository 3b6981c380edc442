import { describe, expect, it } from 'vitest';
import { encodeCharterContent } from './charter.ts';
import type { Credential } from './group-access.ts';
import { encodeRevocationList } from './revocation-list.ts';
import type { Statement } from './statement.ts';
import { type StatementFields, signStatement } from './statement-codec.ts';
import { GroupOfPeers, type TestPeer, testPeer } from './testing/group-of-peers.ts';

const DAY = 86_400_000;
const bytes = new Uint8Array([1]);

function sign(of: GroupOfPeers, by: TestPeer, change: Partial<StatementFields> = {}): Uint8Array {
  const nowMs = of.clock.wallMs();
  return signStatement(by.identity.signing, {
    group: of.group,
    type: 'application',
    key: 'k',
    sequence: nowMs,
    untilMs: nowMs + DAY,
    credential: 'credential' in change ? change.credential : of.credential(by),
    content: bytes,
    ...change,
  }).encoded;
}

const take = (of: GroupOfPeers, at: TestPeer, encoded: Uint8Array): Promise<string> =>
  of.clock.run(
    at.groups.receive(of.group, encoded).then(
      (isNew) => (isNew ? 'new' : 'known'),
      (error: { code: string }) => error.code,
    ),
  );

const application = (of: GroupOfPeers, by: TestPeer, key: string, lifetimeMs = DAY): Promise<Statement> =>
  of.clock.run(by.groups.publish(of.group, { type: 'application', key, content: bytes, lifetimeMs }));

describe('statements', () => {
  it('are taken once, told once, kept over a restart, and gone when they have run out or the group is left', async () => {
    const of = await GroupOfPeers.make();
    const [by, at] = [await of.member('by'), await of.member('at')];
    const told: string[] = [];
    at.groups.subscribe(({ change, statement, from }) =>
      told.push(`${change} ${statement?.key} ${from === undefined}`),
    );
    const { encoded } = await application(of, by, 'one');
    expect(await take(of, at, encoded)).toBe('new');
    expect(await take(of, at, encoded)).toBe('known');
    expect(told).toEqual(['statement one true']);
    const held = at.groups.statements(of.group);
    expect(held.map(({ type }) => type)).toEqual(['charter', 'application']);
    expect(held[1]).toMatchObject({ key: 'one', issuer: by.identity.id, content: bytes });
    expect(at.again().statements(of.group)).toEqual(held);
    of.clock.stepWall(DAY);
    expect(at.groups.statements(of.group).map(({ type }) => type)).toEqual(['charter']);
    expect(await take(of, await of.member('late'), encoded)).toBe('expired');
    await of.clock.run(at.groups.resign(of.group));
    expect([...at.storage.scan('statement')]).toEqual([]);
  });

  it('give way to a newer one of the same issuer and key, and to no older one', async () => {
    const of = await GroupOfPeers.make();
    const [by, at] = [await of.member('by'), await of.member('at')];
    const [first, second] = [await application(of, by, 'one'), await application(of, by, 'one')];
    expect(second.sequence).toBeGreaterThan(first.sequence);
    const both = [second, first].map(({ encoded }) => at.groups.receive(of.group, encoded));
    expect(await of.clock.run(Promise.all(both))).toEqual([true, false]);
    for (const groups of [at.groups, at.again()]) {
      expect(groups.statements(of.group)[1]?.sequence).toBe(second.sequence);
    }
  });

  it('are refused when they are forged, of another group, or beyond the right of who signed', async () => {
    const of = await GroupOfPeers.make();
    const elsewhere = await GroupOfPeers.make({ name: 'Elsewhere' });
    const by = await of.member('by');
    const guest = await of.member('guest', ['guest']);
    const first = await of.member('first', ['administrator']);
    const at = await of.member('at');
    const charter = encodeCharterContent({ name: 'Mine', policy: { type: 'open' }, listed: true, roles: ['member'] });
    const list = encodeRevocationList([]);
    const broken = sign(of, by);
    broken[broken.length - 1] = (broken.at(-1) ?? 0) ^ 1;
    const foreign = elsewhere.home.groups.statements(elsewhere.group)[0]?.encoded ?? expect.fail();
    const cases: [string, Uint8Array, string][] = [
      ['garbage', new Uint8Array([1, 2]), 'malformed'],
      ['broken', broken, 'forged'],
      ['without a credential', sign(of, by, { credential: undefined }), 'forged'],
      ['with the credential of another', sign(of, by, { credential: of.credential(first) }), 'refused'],
      ['of another group', foreign, 'refused'],
      [
        'said to be of this group',
        sign(of, elsewhere.home, { credential: elsewhere.credential(elsewhere.home) }),
        'none',
      ],
      ['a charter of a member', sign(of, by, { type: 'charter', key: '', content: charter }), 'refused'],
      ['a charter of an administrator', sign(of, first, { type: 'charter', key: '', content: charter }), 'refused'],
      ['revocations of a member', sign(of, by, { type: 'revocations', key: '', content: list }), 'refused'],
      ['two lists', sign(of, first, { type: 'revocations', key: '2', content: list }), 'malformed'],
      ['a list that is none', sign(of, first, { type: 'revocations', key: '', content: bytes }), 'malformed'],
      ['an approval of a member', sign(of, by, { type: 'approval' }), 'refused'],
      ['an application of a guest', sign(of, guest), 'refused'],
      ['too long a life', sign(of, by, { untilMs: of.clock.wallMs() + 31 * DAY }), 'refused'],
    ];
    for (const [what, encoded, code] of cases) {
      expect(await take(of, at, encoded), what).toBe(code === 'none' ? 'refused' : code);
    }
    expect(at.groups.statements(of.group)).toHaveLength(1);
    expect(at.groups.membership(of.group)?.name).toBe('Home');
    expect(await take(of, at, sign(of, first, { type: 'approval' }))).toBe('new');
  });

  it('of a member that is revoked go, and no more are taken', async () => {
    const of = await GroupOfPeers.make();
    const [by, at] = [await of.member('by'), await of.member('at')];
    await take(of, at, (await application(of, by, 'one')).encoded);
    await of.clock.run(of.home.administration.revoke(of.group, { serial: of.serial(by) }));
    await of.tell(of.home, at);
    expect(at.groups.statements(of.group).map(({ type }) => type)).toEqual(['charter', 'revocations']);
    expect(at.again().statements(of.group)).toHaveLength(2);
    expect(await take(of, at, (await application(of, by, 'two')).encoded)).toBe('revoked');
  });

  it('of one member are bounded in number and rate, and harm no others', async () => {
    const of = await GroupOfPeers.make();
    const [by, other, at] = [await of.member('by'), await of.member('other'), await of.member('at')];
    const codes: string[] = [];
    const nowMs = of.clock.wallMs();
    for (let i = 0; i < 65; i++) codes.push(await take(of, at, sign(of, by, { key: `k${i}` })));
    expect(codes.filter((code) => code === 'new')).toHaveLength(64);
    expect(codes[64]).toBe('overloaded');
    for (let i = 0; i < 200; i++) codes.push(await take(of, at, sign(of, by, { key: 'k1', sequence: nowMs + 1 + i })));
    expect(codes.filter((code) => code === 'new').length).toBeLessThan(64 + 70);
    expect(await take(of, at, sign(of, other))).toBe('new');
    expect(at.groups.status().statements).toMatchObject({ used: 66, limit: 512 });
    expect(at.groups.status().statements?.dropped).toBeGreaterThan(100);
  });

  it('of many members are bounded in total, and a revocation still finds room', async () => {
    const of = await GroupOfPeers.make();
    const at = await of.member('at');
    for (let m = 0; m < 8; m++) {
      const by = await of.member(`by ${m}`);
      for (let i = 0; i < 64; i++) await take(of, at, sign(of, by, { key: `k${i}` }));
    }
    const last = await of.member('last');
    expect(at.groups.statements(of.group)).toHaveLength(512);
    expect(await take(of, at, sign(of, last))).toBe('overloaded');
    await of.clock.run(of.home.administration.revoke(of.group, { serial: of.serial(last) }));
    await of.tell(of.home, at);
    expect(of.verdict(at, last)).toBe('revoked');
    expect(at.groups.statements(of.group)).toHaveLength(512);
    expect(at.again().statements(of.group)).toHaveLength(512);
  });

  it('of a thief that fills the table with lists of its creatures give way to its revocation, and after it to anything', async () => {
    const of = await GroupOfPeers.make();
    const thief = await of.member('thief', ['administrator']);
    const [by, at] = [await of.member('by'), await of.member('at')];
    const content = encodeRevocationList([
      { serial: of.serial(by), untilMs: of.clock.wallMs() + DAY, below: 1, depth: 0 },
    ]);
    for (let i = 0; i < 511; i++) {
      const creature = testPeer(of.clock, `creature ${i}`);
      const init = { subject: creature.identity.id, roles: ['administrator'] };
      const credential = thief.groups.issue(of.group, init).encoded;
      expect(await take(of, at, sign(of, creature, { type: 'revocations', key: '', credential, content }))).toBe('new');
    }
    expect(at.groups.statements(of.group)).toHaveLength(512);
    expect(of.verdict(at, by)).toBe('revoked');
    await of.clock.run(of.home.administration.revoke(of.group, { serial: of.serial(thief) }));
    await of.tell(of.home, at);
    expect(of.verdict(at, thief)).toBe('revoked');
    expect(of.verdict(at, by)).toBe('none');
    expect(await take(of, at, sign(of, by))).toBe('new');
  });

  it('that come along with a credential count at once, and one that they revoke admits nobody', async () => {
    const of = await GroupOfPeers.make();
    const [thief, late] = [testPeer(of.clock, 'thief'), testPeer(of.clock, 'late')];
    const [first, second] = [thief, late].map(({ identity }) =>
      of.home.groups.issue(of.group, { subject: identity.id, roles: ['member'] }),
    ) as [Credential, Credential]; // As many as there are peers.
    const { serial } = first;
    await of.clock.run(of.home.administration.revoke(of.group, { serial }));
    const statements = of.home.groups.statements(of.group).map(({ encoded }) => encoded);
    await expect(thief.groups.admit(first.encoded, { name: 'x', statements })).rejects.toMatchObject({
      code: 'revoked',
    });
    expect(thief.groups.list()).toEqual([]);
    // The charter is not the first of them.
    const joined = await of.clock.run(
      late.groups.admit(second.encoded, { name: 'x', statements: statements.reverse() }),
    );
    expect(joined).toMatchObject({ name: 'Home', depth: 1, authority: false });
    expect(late.groups.isRevoked(of.group, serial)).toBe(true);
    expect(late.again().isRevoked(of.group, serial)).toBe(true);
    expect(late.again().membership(of.group)).toEqual(joined);
    const forged = (statements[0] ?? expect.fail()).slice().fill(0, 100, 101);
    await expect(thief.groups.admit(second.encoded, { name: 'x', statements: [forged] })).rejects.toThrow();
  });

  it('count only when they are durable', async () => {
    const of = await GroupOfPeers.make();
    const [by, at] = [await of.member('by'), await of.member('at')];
    await of.clock.run(of.home.administration.revoke(of.group, { serial: of.serial(by) }));
    at.storage.failNextSync('storage-full');
    expect(await of.tell(of.home, at)).toEqual(['storage-full']);
    expect(of.verdict(at, by)).toBe('none');
    expect(await of.tell(of.home, at)).toEqual([]);
    expect(of.verdict(at, by)).toBe('revoked');
  });
});

describe('a clock that is wrong', () => {
  it('set an hour back revives nobody, and locks nobody out', async () => {
    const of = await GroupOfPeers.make();
    const [thief, good, at] = [await of.member('thief'), await of.member('good'), await of.member('at')];
    await of.clock.run(of.home.administration.revoke(of.group, { serial: of.serial(thief) }));
    of.clock.stepWall(-3_600_000);
    await of.tell(of.home, at);
    expect(of.verdict(at, thief)).toBe('revoked');
    expect(of.verdict(at, good)).toBe('none');
    const again = { ...at, groups: at.again() };
    expect(of.verdict(again, thief)).toBe('revoked');
    expect(of.verdict(again, good)).toBe('none');
  });

  it('set a year forth and back again revives nobody', async () => {
    const of = await GroupOfPeers.make();
    const [thief, at] = [await of.member('thief'), await of.member('at')];
    await of.clock.run(of.home.administration.revoke(of.group, { serial: of.serial(thief) }));
    await of.tell(of.home, at);
    of.clock.stepWall(365 * DAY);
    const again = { ...at, groups: at.again() };
    await of.clock.run(again.groups.receive(of.group, sign(of, of.home)).catch(() => false));
    of.clock.stepWall(-365 * DAY);
    expect(of.verdict(again, thief)).toBe('revoked');
  });
});

describe('revocations of a former administrator', () => {
  it('stay while its credential has run out, and cannot be added to for long', async () => {
    const of = await GroupOfPeers.make();
    const first = await of.member('first', ['administrator']);
    const thief = await of.member('thief');
    of.clock.stepWall(40 * DAY);
    const renewed = of.home.groups.issue(of.group, thief.groups.membership(of.group)?.credential ?? expect.fail());
    await of.clock.run(first.administration.revoke(of.group, { serial: of.serial(thief) }));
    const own = of.credential(first);
    of.clock.stepWall(10 * DAY);
    const at = await of.member('at');
    await of.tell(first, at);
    expect(of.verdict(at, thief, renewed.encoded)).toBe('revoked');
    const [list, nowMs] = [encodeRevocationList([]), of.clock.wallMs()];
    const fields = { type: 'revocations', key: '', credential: own, content: list } as const;
    expect(await take(of, at, sign(of, first, fields))).toBe('expired');
    const dated = { ...fields, sequence: nowMs - 6 * DAY, untilMs: nowMs + 80 * DAY };
    expect(await take(of, at, sign(of, first, dated))).toBe('refused');
  });
});
