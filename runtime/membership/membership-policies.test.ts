import { describe, expect, it } from 'vitest';
import type { GroupId } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import { encodeApplication, encodeApproval } from './application-codec.ts';
import { findAt } from './join-client.ts';
import { decodeMembershipRequest, encodeMembershipRequest } from './membership-codec.ts';
import {
  DAY,
  invite,
  joinGroup,
  newHome,
  newMember,
  pipeTo,
  renewAt,
  sync,
  type TestMember,
} from './testing/test-members.ts';

const PASSWORD = 'correct horse';

function verifies(at: TestMember, group: GroupId, who: TestMember) {
  const shown = who.groups.membership(group)?.credential.encoded ?? new Uint8Array(0);
  return at.groups.access(group)?.verify(who.identity.id, shown);
}

describe('an open group', () => {
  it('admits whoever asks, with the roles of the charter, and always by the same serial', async () => {
    const { gateway, edge, group } = await newHome({ policy: { type: 'open' }, roles: ['guest'] });
    const first = await joinGroup(edge, gateway, group);
    expect(first).toMatchObject({ state: 'joined', membership: { credential: { roles: ['guest'] } } });
    expect(await joinGroup(edge, gateway, group)).toMatchObject({ state: 'joined' });
    expect(gateway.service.ledger(group)).toHaveLength(1);
    expect(verifies(gateway, group, edge)).toMatchObject({ roles: ['guest'] });
  });

  it('keeps out who was revoked, at every administrator', async () => {
    const { gateway, edge, other, group, clock } = await newHome({ policy: { type: 'open' } });
    await invite(gateway, group, other, ['member', 'administrator']);
    await joinGroup(edge, gateway, group);
    await clock.run(gateway.service.revoke(group, edge.identity.id));
    await sync(group, gateway, other);
    const again = newMember(2, clock);
    await expect(joinGroup(again, gateway, group)).rejects.toMatchObject({ code: 'revoked' });
    await expect(joinGroup(again, other, group)).rejects.toMatchObject({ code: 'revoked' });
  });

  it('lets nobody fill the ledger', async () => {
    const { gateway, group, clock } = await newHome({ policy: { type: 'open' } });
    for (let i = 0; i < 60; i++) await joinGroup(newMember(10 + i, clock), gateway, group);
    await expect(joinGroup(newMember(99, clock), gateway, group)).rejects.toMatchObject({ code: 'overloaded' });
    await clock.runFor(60_000);
    await expect(joinGroup(newMember(99, clock), gateway, group)).resolves.toMatchObject({ state: 'joined' });
  });
});

describe('a group with a password', () => {
  async function withPassword() {
    const home = await newHome({ policy: { type: 'password' } });
    await home.clock.run(home.gateway.service.setPassword(home.group, PASSWORD));
    return home;
  }

  it('admits who knows it, also after a restart, and stores it nowhere', async () => {
    const { gateway, edge, other, group, clock } = await withPassword();
    expect(await joinGroup(edge, gateway, group, PASSWORD)).toMatchObject({ state: 'joined' });
    const restarted = newMember(1, clock, gateway.storage.crash());
    // The same characters, composed otherwise.
    expect(await joinGroup(other, restarted, group, PASSWORD.normalize('NFD'))).toMatchObject({ state: 'joined' });
    const stored = [...gateway.storage.scan('group-password')].map(([, value]) =>
      Buffer.from(value).toString('latin1'),
    );
    expect(stored).toHaveLength(1);
    expect(stored.join()).not.toContain(PASSWORD);
  });

  it('tells a wrong one, and admits nobody by it', async () => {
    const { gateway, edge, group } = await withPassword();
    await expect(joinGroup(edge, gateway, group, 'wrong horse')).rejects.toMatchObject({ code: 'refused' });
    await expect(joinGroup(edge, gateway, group, 'wrong horse')).rejects.toThrow(/not the password of group "Home"/);
    expect(gateway.service.ledger(group)).toEqual([]);
  });

  it('counts every exchange that was begun against the guesser, whether it ends it or not, and no good one', async () => {
    const { gateway, edge, other, group, clock } = await withPassword();
    for (let i = 0; i < 10; i++) await joinGroup(other, gateway, group, PASSWORD);
    for (let i = 0; i < 5; i++) {
      await expect(joinGroup(edge, gateway, group, `guess ${i}`)).rejects.toThrow(/not the password/);
    }
    await expect(joinGroup(edge, gateway, group, PASSWORD)).rejects.toThrow(/wait a minute/);
    await joinGroup(other, gateway, group, PASSWORD);
    await clock.runFor(60_000);
    await expect(joinGroup(edge, gateway, group, PASSWORD)).resolves.toMatchObject({ state: 'joined' });
  });

  it('takes no replayed exchange, no end without a beginning, and no late one', async () => {
    const { gateway, edge, other, group, clock } = await withPassword();
    const requests: Uint8Array[] = [];
    const recorder = {
      identity: gateway.identity,
      service: {
        handle: (body: Uint8Array, from: PeerId) => {
          requests.push(body);
          return gateway.service.handle(body, from);
        },
      },
    };
    await joinGroup(edge, recorder, group, PASSWORD);
    const [apply, begin, finish] = requests as [Uint8Array, Uint8Array, Uint8Array]; // As the protocol has it.
    expect(requests.map((body) => decodeMembershipRequest(body).type)).toEqual([
      'apply',
      'password-begin',
      'password-finish',
    ]);
    const ask = (body: Uint8Array, from = edge) => clock.run(gateway.service.handle(body, from.identity.id));
    await expect(ask(finish)).rejects.toMatchObject({ code: 'refused' });
    await expect(ask(begin)).rejects.toMatchObject({ code: 'refused' });
    await ask(apply);
    await ask(begin);
    await expect(ask(finish)).rejects.toMatchObject({ code: 'refused' });
    await ask(apply, other);
    await ask(begin, other);
    await expect(ask(finish, other)).rejects.toMatchObject({ code: 'refused' });
    await ask(apply);
    await clock.runFor(30_000);
    await expect(ask(begin)).rejects.toMatchObject({ code: 'refused' });
  });

  it('refuses a share that is no point, at the cost of an attempt', async () => {
    const { gateway, edge, group, clock } = await withPassword();
    const begin = { type: 'password-begin', group, nonce: new Uint8Array(16), share: new Uint8Array(32) } as const;
    const ask = (body: Uint8Array) => clock.run(gateway.service.handle(body, edge.identity.id));
    for (let i = 0; i < 5; i++) {
      await ask(encodeMembershipRequest({ type: 'apply', group }));
      await expect(ask(encodeMembershipRequest(begin))).rejects.toMatchObject({ name: 'PipevineError' });
    }
    await expect(joinGroup(edge, gateway, group, PASSWORD)).rejects.toThrow(/wait a minute/);
  });

  it('is not admitted to by an administrator that was not told, but by the next', async () => {
    const { gateway, edge, other, group } = await withPassword();
    await invite(gateway, group, other, ['member', 'administrator']);
    await expect(joinGroup(edge, other, group, PASSWORD)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('takes no short password, and none in a group with another policy', async () => {
    const { gateway, group } = await withPassword();
    await expect(gateway.service.setPassword(group, 'short')).rejects.toMatchObject({ code: 'invalid-argument' });
    const open = await newHome({ policy: { type: 'open' } });
    await expect(open.gateway.service.setPassword(open.group, PASSWORD)).rejects.toThrow(/by open/);
  });
});

describe('a group with approval by an administrator', () => {
  async function withApproval() {
    const home = await newHome({ policy: { type: 'approval' } });
    await invite(home.gateway, home.group, home.other, ['member', 'administrator']);
    return home;
  }

  it('makes an applicant wait, and admits it when an administrator has approved: any of them', async () => {
    const { gateway, edge, other, group, clock } = await withApproval();
    expect(await joinGroup(edge, gateway, group)).toMatchObject({ state: 'pending', have: 0, needed: 1, name: 'Home' });
    await sync(group, gateway, other);
    const [waiting] = other.service.applications(group);
    expect(waiting).toMatchObject({ peer: edge.identity.id, name: 'edge', have: 0, needed: 1 });
    await clock.run(other.service.approve(group, edge.identity.id));
    expect(await joinGroup(edge, gateway, group)).toMatchObject({ state: 'pending' });
    await sync(group, gateway, other);
    expect(await joinGroup(edge, gateway, group)).toMatchObject({
      state: 'joined',
      membership: { credential: { serial: waiting?.serial, roles: ['member'] } },
    });
    expect(gateway.service.applications(group)).toEqual([]);
    expect(verifies(other, group, edge)).toMatchObject({ roles: ['member'] });
  });

  it('has one application of a peer, wherever and however often it asks', async () => {
    const { gateway, edge, other, group } = await withApproval();
    await joinGroup(edge, gateway, group);
    await joinGroup(edge, other, group);
    await joinGroup({ ...edge, application: { nonce: new Uint8Array(16), askedAtMs: undefined } }, other, group);
    await sync(group, gateway, other);
    expect(gateway.service.applications(group)).toHaveLength(1);
    expect(other.service.applications(group)).toEqual(gateway.service.applications(group));
  });

  it('tells a rejected one so, for a week', async () => {
    const { gateway, edge, group, clock } = await withApproval();
    await joinGroup(edge, gateway, group);
    await clock.run(gateway.service.reject(group, gateway.service.applications(group)[0]?.serial ?? ''));
    await expect(joinGroup(edge, gateway, group)).rejects.toThrow(/rejected/);
    expect(gateway.service.applications(group)).toEqual([]);
    clock.stepWall(8 * DAY);
    edge.application.askedAtMs = undefined;
    expect(await joinGroup(edge, gateway, group)).toMatchObject({ state: 'pending' });
  });

  it('bounds how many wait, and how fast new ones come', async () => {
    const { gateway, edge, group, clock } = await withApproval();
    for (let i = 0; i < 32; i++) {
      if (i > 0 && i % 8 === 0) {
        await expect(joinGroup(edge, gateway, group)).rejects.toThrow(/wait a minute/);
        await clock.runFor(60_000);
      }
      await joinGroup(newMember(10 + i, clock), gateway, group);
    }
    await clock.runFor(60_000);
    await expect(joinGroup(edge, gateway, group)).rejects.toThrow(/32 applications wait/);
    expect(gateway.service.status().applications).toMatchObject({ used: 32, limit: 32 });
    await clock.run(gateway.service.reject(group, newMember(10, clock).identity.id));
    expect(await joinGroup(edge, gateway, group)).toMatchObject({ state: 'pending' });
  });

  it('lets nobody approve who is no administrator, nor what nobody asked for', async () => {
    const { gateway, edge, group, clock } = await withApproval();
    const member = newMember(4, clock);
    await invite(gateway, group, member);
    await joinGroup(edge, gateway, group);
    await sync(group, gateway, member);
    await expect(member.service.approve(group, edge.identity.id)).rejects.toMatchObject({ code: 'refused' });
    await expect(gateway.service.approve(group, member.identity.id)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('gives nobody the serial of another, whatever a member states', async () => {
    const { gateway, edge, other, group, clock } = await withApproval();
    const { serial } = gateway.service.ledger(group)[0] ?? { serial: '' };
    const application = { subject: edge.identity.id, name: 'thief', askedAtMs: clock.wallMs() };
    const content = encodeApplication({ ...application, for: { type: 'membership', nonce: new Uint8Array(16) } });
    const paper = { type: 'application', key: serial, content, lifetimeMs: DAY } as const;
    await clock.run(other.groups.publish(group, paper));
    await clock.run(other.groups.publish(group, { ...paper, key: 'nonsense', content: new Uint8Array(3) }));
    await sync(group, gateway, other);
    expect(gateway.service.applications(group)).toEqual([]);
    await expect(gateway.service.approve(group, serial)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('hands out no credential that an approval only pretends to grant', async () => {
    const { gateway, edge, other, group, clock } = await withApproval();
    const outcome = await joinGroup(edge, gateway, group);
    await sync(group, gateway, other);
    const { serial } = other.service.applications(group)[0] ?? { serial: '' };
    const wrong = [
      other.groups.issue(group, { subject: other.identity.id, roles: ['member'], serial }),
      other.groups.issue(group, { subject: edge.identity.id, roles: ['member'] }),
    ];
    for (const { encoded: credential } of wrong) {
      const content = encodeApproval({ type: 'granted', credential });
      await clock.run(other.groups.publish(group, { type: 'approval', key: serial, content, lifetimeMs: DAY }));
      await sync(group, gateway, other);
      expect(await joinGroup(edge, gateway, group)).toEqual(outcome);
    }
  });

  it('takes no application with a date of its own', async () => {
    const { gateway, edge, group, clock } = await withApproval();
    for (const askedAtMs of [clock.wallMs() + DAY, clock.wallMs() - 7 * DAY]) {
      edge.application.askedAtMs = askedAtMs;
      await expect(joinGroup(edge, gateway, group)).rejects.toMatchObject({ code: 'expired' });
    }
  });
});

describe('a group with a quorum', () => {
  /** Three approvers; the administrator that made the group is none. */
  async function withQuorum(needed = 2) {
    const home = await newHome();
    const { gateway, group, clock } = home;
    const approvers = [4, 5, 6].map((byte) => newMember(byte, clock)) as [TestMember, TestMember, TestMember]; // Three.
    for (const approver of approvers) await invite(gateway, group, approver);
    const policy = { type: 'quorum', needed, approvers: approvers.map(({ identity }) => identity.id) } as const;
    await clock.run(gateway.administration.setCharter(group, { policy, listed: true }));
    await sync(group, gateway, ...approvers);
    return { ...home, approvers };
  }

  it('admits without any administrator when k of n approve, whoever asks is answered by', async () => {
    const { edge, group, clock, approvers } = await withQuorum();
    const [a, b, c] = approvers;
    expect(await joinGroup(edge, a, group)).toMatchObject({ state: 'pending', have: 0, needed: 2 });
    await sync(group, ...approvers);
    await clock.run(a.service.approve(group, edge.identity.id));
    await clock.run(a.service.approve(group, edge.identity.id));
    await sync(group, ...approvers);
    expect(await joinGroup(edge, b, group)).toMatchObject({ state: 'pending', have: 1, needed: 2 });
    expect(c.service.applications(group)).toMatchObject([{ have: 1, needed: 2 }]);
    await clock.run(b.service.approve(group, edge.identity.id));
    await sync(group, ...approvers);
    const outcome = await joinGroup(edge, c, group);
    expect(outcome).toMatchObject({ state: 'joined', membership: { credential: { roles: ['member'] } } });
    for (const approver of approvers) expect(verifies(approver, group, edge)).toBeDefined();
  });

  it('rejects when so many are against it that it cannot be approved any more', async () => {
    const { edge, group, clock, approvers } = await withQuorum();
    const [a, b, c] = approvers;
    await joinGroup(edge, a, group);
    await sync(group, ...approvers);
    await clock.run(a.service.reject(group, edge.identity.id));
    await sync(group, ...approvers);
    expect(await joinGroup(edge, b, group)).toMatchObject({ state: 'pending' });
    await clock.run(c.service.reject(group, edge.identity.id));
    await sync(group, ...approvers);
    await expect(joinGroup(edge, b, group)).rejects.toMatchObject({ code: 'refused' });
  });

  it('is approved by its approvers only, the administrator being none', async () => {
    const { edge, gateway, group, approvers } = await withQuorum();
    await joinGroup(edge, gateway, group);
    await sync(group, gateway, ...approvers);
    await expect(gateway.service.approve(group, edge.identity.id)).rejects.toThrow(/2 of its 3 approvers/);
  });

  it('renews by the votes of approvers, with nobody to decide and no administrator', async () => {
    const { edge, group, clock, approvers } = await withQuorum();
    const [a, b] = approvers;
    await joinGroup(edge, a, group);
    await sync(group, ...approvers);
    await clock.run(Promise.all([a, b].map(({ service }) => service.approve(group, edge.identity.id))));
    await sync(group, ...approvers);
    await joinGroup(edge, a, group);
    const before = edge.groups.membership(group)?.credential;
    clock.stepWall(8 * DAY);
    const renew = (credential = before) =>
      clock.run(
        a.service.handle(
          encodeMembershipRequest({ type: 'renew', group, credential: credential?.encoded ?? new Uint8Array(0) }),
          edge.identity.id,
        ),
      );
    await renew();
    // Each votes by itself, as soon as it hears of it.
    for (let i = 0; i < 2; i++) {
      await sync(group, ...approvers);
      await clock.runFor(1_000);
    }
    await clock.run(edge.groups.receive(group, a.groups.charter(group)?.encoded ?? new Uint8Array(0)));
    expect(await renewedBy(edge, a, group)).toBeGreaterThan((before?.notAfterMs ?? 0) + 7 * DAY);
    expect(edge.groups.membership(group)?.credential.serial).toBe(before?.serial);
  });
});

async function renewedBy(member: TestMember, at: TestMember, group: GroupId): Promise<number> {
  return (await renewAt(member, at, group)).credential.notAfterMs;
}

describe('asking for the wrong thing', () => {
  it.each([
    ['code', undefined, /pipevine group invite/],
    ['open', PASSWORD, /without a password/],
    ['password', undefined, /give it to `pipevine group join`/],
    ['approval', PASSWORD, /admits by approval/],
  ] as const)('is explained by a group with policy %s', async (type, password, message) => {
    const { gateway, edge, group } = await newHome({ policy: { type } });
    const joining = joinGroup(edge, gateway, group, password);
    await expect(joining).rejects.toMatchObject({ code: 'invalid-argument' });
    await expect(joinGroup(edge, gateway, group, password)).rejects.toThrow(message);
  });

  it('is refused by the administrator too', async () => {
    const { gateway, edge, group } = await newHome({ policy: { type: 'approval' } });
    const body = encodeMembershipRequest({ type: 'join-open', group, name: 'x' });
    await expect(gateway.service.handle(body, edge.identity.id)).rejects.toThrow(/admits by approval, not by open/);
    expect(gateway.service.ledger(group)).toEqual([]);
  });
});

describe('finding groups', () => {
  it('finds those that are listed, by a pattern, at who admits to them', async () => {
    const { gateway, edge, group, clock } = await newHome({ policy: { type: 'open' } });
    await clock.run(gateway.groups.create({ name: 'Hidden' }));
    const find = (pattern: string) =>
      clock.run(findAt({ pipe: pipeTo(edge.identity.id, gateway), pattern, crypto: edge.crypto }));
    const found = [{ id: group, name: 'Home', policy: 'open', administrator: gateway.identity.id }];
    expect(await find('*')).toEqual(found);
    expect(await find('H*e')).toEqual(found);
    expect(await find('Hid*')).toEqual([]);
    await joinGroup(edge, gateway, group);
    const elsewhere = await clock.run(
      findAt({ pipe: pipeTo(gateway.identity.id, edge), pattern: '*', crypto: edge.crypto }),
    );
    expect(elsewhere).toEqual([]);
  });
});
