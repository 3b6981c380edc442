import { seededRandom } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { base32Encode } from '../id/base32.ts';
import { Administration } from './administration.ts';
import { encodeRevocationList } from './revocation-list.ts';
import type { Statement } from './statement.ts';
import { GroupOfPeers, type TestPeer, testPeer } from './testing/group-of-peers.ts';

const DAY = 86_400_000;

function shuffled<T>(seed: number, all: readonly T[]): T[] {
  const random = seededRandom(seed);
  return all
    .map((one) => ({ one, at: random.fraction() }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one);
}

async function deliver(of: GroupOfPeers, to: TestPeer, statements: readonly Statement[]): Promise<void> {
  for (const { encoded } of statements) await of.clock.run(to.groups.receive(of.group, encoded).catch(() => false));
}

describe('an administrator', () => {
  it('revokes a member: at once here, elsewhere with the statement, and after a restart', async () => {
    const of = await GroupOfPeers.make();
    const [thief, other] = [await of.member('thief'), await of.member('other')];
    const first = await of.member('first', ['administrator']);
    expect(of.verdict(other, thief)).toBe('none');
    await of.clock.run(first.administration.revoke(of.group, { serial: of.serial(thief) }));
    expect(of.verdict(first, thief)).toBe('revoked');
    expect(of.verdict(other, thief)).toBe('none');
    expect(await of.tell(first, other)).toEqual([]);
    expect(of.verdict(other, thief)).toBe('revoked');
    expect(of.verdict({ ...other, groups: other.again() }, thief)).toBe('revoked');
    await of.tell(first, thief);
    expect(() => thief.groups.access(of.group)?.credentialOf(thief.identity.id)).toThrow(/revoked/);
  });

  it('changes what a member may do: what it had before is void, the new credential is not', async () => {
    const of = await GroupOfPeers.make();
    const guest = await of.member('guest', ['member', 'relay']);
    const before = guest.groups.membership(of.group)?.credential ?? expect.fail();
    const grant = { roles: ['guest'], capabilities: ['name:den*'] };
    const after = await of.clock.run(of.home.administration.grant(of.group, before, grant));
    expect(after).toMatchObject({ ...grant, serial: before.serial });
    expect(after.version).toBeGreaterThan(before.version);
    expect(of.verdict(of.home, guest, before.encoded)).toBe('revoked');
    expect(of.verdict(of.home, guest, after.encoded)).toBe('none');
  });

  it('is revoked by the authority, with all that it has signed, and cannot revoke back', async () => {
    const of = await GroupOfPeers.make();
    const thief = await of.member('thief', ['administrator']);
    const brought = await of.member('brought', ['member'], thief);
    const accomplice = await of.member('accomplice', ['administrator'], thief);
    const other = await of.member('other');
    await of.clock.run(of.home.administration.revoke(of.group, { serial: of.serial(thief) }));
    // It has not heard of it, and revokes everybody.
    for (const peer of [of.home, other]) {
      for (const by of [thief, accomplice]) {
        await of.clock.run(by.administration.revoke(of.group, { serial: of.serial(peer) }));
      }
    }
    const watcher = await of.member('watcher');
    for (const from of [thief, accomplice, of.home]) await of.tell(from, watcher);
    for (const bad of [thief, brought, accomplice]) expect(of.verdict(watcher, bad)).toBe('revoked');
    for (const good of [of.home, other]) expect(of.verdict(watcher, good)).toBe('none');
  });

  it('cannot revoke its equal, and is told so', async () => {
    const of = await GroupOfPeers.make();
    const [first, second] = [await of.member('first', ['administrator']), await of.member('second', ['administrator'])];
    const depth = 1;
    await expect(
      of.clock.run(second.administration.revoke(of.group, { serial: of.serial(first), depth })),
    ).rejects.toMatchObject({ code: 'refused' });
    // A changed program does not ask.
    await of.clock.run(second.administration.revoke(of.group, { serial: of.serial(first) }));
    await of.clock.run(first.administration.revoke(of.group, { serial: of.serial(second) }));
    await of.tell(first, second);
    await of.tell(second, first);
    expect(of.verdict(second, first)).toBe('none');
    expect(of.verdict(first, second)).toBe('none');
  });

  it('is revoked by the one that made it', async () => {
    const of = await GroupOfPeers.make();
    const first = await of.member('first', ['administrator']);
    const second = await of.member('second', ['administrator'], first);
    await of.clock.run(second.administration.revoke(of.group, { serial: of.serial(first) }));
    await of.clock.run(first.administration.revoke(of.group, { serial: of.serial(second) }));
    await of.tell(first, of.home);
    await of.tell(second, of.home);
    expect(of.verdict(of.home, first)).toBe('none');
    expect(of.verdict(of.home, second)).toBe('revoked');
  });

  it('leaves its revocations behind when it is revoked itself, with no more weight than they had', async () => {
    const of = await GroupOfPeers.make();
    const [first, second] = [await of.member('first', ['administrator']), await of.member('second', ['administrator'])];
    const thief = await of.member('thief');
    await of.clock.run(first.administration.revoke(of.group, { serial: of.serial(thief) }));
    await of.clock.run(first.administration.revoke(of.group, { serial: of.serial(second) }));
    await of.tell(first, of.home);
    await of.clock.run(of.home.administration.revoke(of.group, { serial: of.serial(first) }));
    const watcher = await of.member('watcher');
    await of.tell(of.home, watcher);
    expect(of.verdict(watcher, first)).toBe('revoked');
    expect(of.verdict(watcher, thief)).toBe('revoked');
    expect(of.verdict(watcher, second)).toBe('none');
  });

  it('cannot fill the list of whoever revokes it, and what it revoked is taken back if so wished', async () => {
    const of = await GroupOfPeers.make();
    const [thief, other] = [await of.member('thief', ['administrator']), await of.member('other')];
    const old = await of.member('old');
    await of.clock.run(of.home.administration.revoke(of.group, { serial: of.serial(old) }));
    const untilMs = of.clock.wallMs() + 30 * DAY;
    const entries = Array.from({ length: 1_023 }, (_, i) => base32Encode(seededRandom(i).bytes(16)));
    const content = encodeRevocationList(
      [...entries, of.serial(other)].map((serial) => ({ serial, untilMs, below: Infinity, depth: 0 })),
    );
    const init = { type: 'revocations', key: '', content, lifetimeMs: 30 * DAY } as const;
    await of.clock.run(thief.groups.publish(of.group, init));
    await of.tell(thief, of.home);
    expect(of.verdict(of.home, other)).toBe('revoked');
    const serial = of.serial(thief);
    const fork = { ...of.home, groups: of.home.again() };
    await of.clock.run(of.home.administration.revoke(of.group, { serial }));
    for (const bad of [old, thief]) expect(of.verdict(of.home, bad)).toBe('revoked');
    const list = of.home.groups.statements(of.group).find(({ type }) => type === 'revocations');
    expect(list?.revocations).toHaveLength(1_024);
    const next = await of.member('next');
    await of.clock.run(of.home.administration.revoke(of.group, { serial: of.serial(next) }));
    expect(of.verdict(of.home, next)).toBe('revoked');
    const administration = new Administration({ groups: fork.groups, clock: of.clock });
    await of.clock.run(administration.revoke(of.group, { serial, adopt: false }));
    expect(of.verdict(fork, thief)).toBe('revoked');
    expect(of.verdict(fork, other)).toBe('none');
  });

  it('that was made a plain member has no say any more, though what it revoked before stays', async () => {
    const of = await GroupOfPeers.make();
    const first = await of.member('first', ['administrator']);
    const [thief, other] = [await of.member('thief'), await of.member('other')];
    await of.clock.run(first.administration.revoke(of.group, { serial: of.serial(thief) }));
    await of.tell(first, of.home);
    const credential = first.groups.membership(of.group)?.credential ?? expect.fail();
    await of.clock.run(of.home.administration.grant(of.group, credential, { roles: ['member'] }));
    await of.clock.run(first.administration.revoke(of.group, { serial: of.serial(other) }));
    const watcher = await of.member('watcher');
    await of.tell(first, watcher);
    await of.tell(of.home, watcher);
    expect(of.verdict(watcher, thief)).toBe('revoked');
    expect(of.verdict(watcher, other)).toBe('none');
  });

  it('changes the charter only where the authority is kept', async () => {
    const of = await GroupOfPeers.make();
    const first = await of.member('first', ['administrator']);
    await expect(first.administration.setCharter(of.group, { listed: true })).rejects.toMatchObject({
      code: 'refused',
    });
    expect(of.home.groups.membership(of.group)).toMatchObject({ policy: { type: 'code' }, listed: false });
    await of.clock.run(
      of.home.administration.setCharter(of.group, { policy: { type: 'approval' }, roles: ['guest'], listed: true }),
    );
    await of.tell(of.home, first);
    expect(first.groups.membership(of.group)).toMatchObject({
      name: 'Home',
      policy: { type: 'approval' },
      listed: true,
    });
    expect(first.again().charter(of.group)).toMatchObject({ roles: ['guest'] });
  });

  it('adds to its list in turn, whoever asks at once', async () => {
    const of = await GroupOfPeers.make();
    const peers = await of.members(['a', 'b', 'c', 'd']);
    const all = peers.map((peer) => of.home.administration.revoke(of.group, { serial: of.serial(peer) }));
    await of.clock.run(Promise.all(all));
    for (const peer of peers) expect(of.verdict(of.home, peer)).toBe('revoked');
    expect(of.home.groups.statements(of.group)).toHaveLength(2);
  });

  it('nobody else does any of it', async () => {
    const of = await GroupOfPeers.make();
    const [member, stranger] = [await of.member('member'), testPeer(of.clock, 'stranger')];
    for (const { administration } of [member, stranger]) {
      const serial = of.serial(member);
      await expect(administration.revoke(of.group, { serial })).rejects.toMatchObject({ code: 'refused' });
      const credential = member.groups.membership(of.group)?.credential ?? expect.fail();
      await expect(administration.grant(of.group, credential, { roles: ['administrator'] })).rejects.toMatchObject({
        code: 'refused',
      });
    }
    await expect(of.home.administration.revoke(of.group, { serial: 'x' })).rejects.toMatchObject({
      code: 'invalid-argument',
    });
  });

  it('forgets a revocation when nothing with its serial can be valid any more', async () => {
    const of = await GroupOfPeers.make();
    const [first, second] = [await of.member('first'), await of.member('second')];
    await of.clock.run(of.home.administration.revoke(of.group, { serial: of.serial(first) }));
    of.clock.stepWall(76 * DAY);
    await of.clock.run(of.home.administration.revoke(of.group, { serial: of.serial(second) }));
    const list = of.home.groups.statements(of.group).find(({ type }) => type === 'revocations');
    expect(list?.revocations.map(({ serial }) => serial)).toEqual([of.serial(second)]);
  });

  it('is told when its list is full', () => {
    const entries = Array.from({ length: 1_025 }, (_, i) => ({
      serial: base32Encode(seededRandom(i).bytes(16)),
      untilMs: 1,
      below: Infinity,
      depth: 0,
    }));
    expect(() => encodeRevocationList(entries)).toThrow(expect.objectContaining({ code: 'overloaded' }));
    expect(
      encodeRevocationList(entries.slice(1).map((one) => ({ ...one, untilMs: 2 ** 52, below: 2 ** 52, depth: 3 })))
        .length,
    ).toBeLessThan(48 * 1024);
  });
});

describe('administrators that revoke and grant at once', () => {
  it('come to the same at every member, whatever comes first', async () => {
    const of = await GroupOfPeers.make();
    const first = await of.member('first', ['administrator']);
    const second = await of.member('second', ['administrator']);
    const third = await of.member('third', ['administrator'], first);
    const peers = await of.members(['a', 'b', 'c']);
    const everybody = [of.home, first, second, third, ...peers];
    const shown = everybody.map((peer) => ({ peer, credential: of.credential(peer) }));
    const statements: Statement[] = [];
    for (const { groups } of everybody) {
      groups.subscribe(({ statement }) => {
        if (statement !== undefined) statements.push(statement);
      });
    }
    const verdicts = new Set<string>();
    for (let seed = 0; seed < 12; seed++) {
      const random = seededRandom(`acts ${seed}`);
      const pick = <T>(all: readonly T[]): T => all[Math.floor(random.fraction() * all.length)] ?? expect.fail();
      const by = pick([of.home, first, second, third]);
      const target = pick(everybody);
      const credential = target.groups.membership(of.group)?.credential ?? expect.fail();
      of.clock.stepWall(1_000);
      if (random.fraction() < 0.5) {
        await of.clock.run(by.administration.revoke(of.group, { serial: credential.serial }).catch(() => undefined));
      } else {
        const granted = await of.clock.run(
          by.administration.grant(of.group, credential, { roles: ['guest'] }).catch(() => undefined),
        );
        if (granted !== undefined) shown.push({ peer: target, credential: granted.encoded });
      }
      if (random.fraction() < 0.3) await of.tell(by, pick(everybody));
    }
    expect(statements.length).toBeGreaterThan(6);
    for (let seed = 0; seed < 40; seed++) {
      const watcher = await of.member(`watcher ${seed}`);
      // Some twice, as an epidemic does; old ones among them.
      await deliver(of, watcher, shuffled(seed, [...statements, ...shuffled(seed + 1_000, statements).slice(0, 5)]));
      verdicts.add(shown.map(({ peer, credential }) => of.verdict(watcher, peer, credential)).join(' '));
    }
    expect([...verdicts]).toHaveLength(1);
    expect([...verdicts][0]).toMatch(/revoked/);
    expect([...verdicts][0]).toMatch(/none/);
  });

  it('a revocation wins over a grant made meanwhile elsewhere, and of two grants the later', async () => {
    const of = await GroupOfPeers.make();
    const first = await of.member('first', ['administrator']);
    const [thief, other] = [await of.member('thief'), await of.member('other')];
    const credential = thief.groups.membership(of.group)?.credential ?? expect.fail();
    const granted = await of.clock.run(first.administration.grant(of.group, credential, { roles: ['gateway'] }));
    await of.clock.run(of.home.administration.revoke(of.group, { serial: credential.serial }));
    const own = other.groups.membership(of.group)?.credential ?? expect.fail();
    const early = await of.clock.run(of.home.administration.grant(of.group, own, { roles: ['gateway'] }));
    of.clock.stepWall(1);
    const late = await of.clock.run(first.administration.grant(of.group, own, { roles: ['guest'] }));
    for (const order of [
      [first, of.home],
      [of.home, first],
    ]) {
      const watcher = await of.member(`watcher ${order.indexOf(first)}`);
      for (const from of order) await of.tell(from, watcher);
      expect(of.verdict(watcher, thief, granted.encoded)).toBe('revoked');
      expect(of.verdict(watcher, other, early.encoded)).toBe('revoked');
      expect(of.verdict(watcher, other, late.encoded)).toBe('none');
    }
  });
});
