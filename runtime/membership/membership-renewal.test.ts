import { describe, expect, it } from 'vitest';
import type { GroupId } from '../id/group-id.ts';
import { resignAt } from './join-client.ts';
import { encodeMembershipRequest } from './membership-codec.ts';
import {
  DAY,
  HOUR,
  invite,
  joinByCode,
  joinGroup,
  newHome,
  newMember,
  pipeTo,
  renewAt,
  renewing,
  sync,
  type TestMember,
} from './testing/test-members.ts';

async function joined(roles?: readonly string[]) {
  const at = await newHome();
  const { code } = await at.clock.run(at.gateway.service.invite(at.group, roles && { roles }));
  await joinByCode(at.edge, at.gateway, code);
  return { ...at, code, before: credentialOf(at.edge, at.group) };
}

function credentialOf(member: TestMember, group: GroupId) {
  const credential = member.groups.membership(group)?.credential;
  if (credential === undefined) throw new Error('no member');
  return credential;
}

describe('renewing', () => {
  it('gives more time, and keeps roles and serial', async () => {
    const { edge, gateway, group, before, clock } = await joined();
    clock.stepWall(8 * DAY);
    const { credential } = await renewAt(edge, gateway, group);
    expect(credential.notAfterMs - before.notAfterMs).toBeGreaterThanOrEqual(8 * DAY);
    expect(credential).toMatchObject({ roles: before.roles, serial: before.serial });
    expect(gateway.service.ledger(group)).toMatchObject([
      { name: 'edge', by: 'code', notAfterMs: credential.notAfterMs },
    ]);
  });

  it('works for 30 days after the end, and then says to ask for a new code', async () => {
    const { edge, gateway, group, clock } = await joined();
    clock.stepWall(74 * DAY);
    await renewAt(edge, gateway, group);
    clock.stepWall(75 * DAY + 1);
    await expect(renewAt(edge, gateway, group)).rejects.toMatchObject({ code: 'expired' });
    await expect(renewAt(edge, gateway, group)).rejects.toThrow(/pipevine invite/);
  });

  it('is done by any administrator, also one that never saw the member', async () => {
    const { edge, other, gateway, group, clock } = await joined();
    await invite(gateway, group, other, ['member', 'administrator']);
    clock.stepWall(8 * DAY);
    const { credential } = await renewAt(edge, other, group);
    expect(gateway.groups.access(group)?.verify(edge.identity.id, credential.encoded)).toBeDefined();
  });

  it('is refused to whose membership was revoked, also by the old code', async () => {
    const { edge, gateway, group, clock, code } = await joined();
    await clock.run(gateway.service.revoke(group, edge.identity.id));
    await expect(joinByCode(newMember(2, clock), gateway, code)).rejects.toMatchObject({ code: 'revoked' });
    clock.stepWall(16 * DAY);
    await expect(renewAt(edge, gateway, group)).rejects.toMatchObject({ code: 'revoked' });
    clock.stepWall(-17 * DAY);
    await expect(renewAt(edge, gateway, group)).rejects.toMatchObject({ code: 'revoked' });
  });

  it('is refused to those whom a revoked administrator has admitted', async () => {
    const { edge, other, gateway, group, clock } = await joined(['member', 'administrator']);
    await invite(edge, group, other);
    await clock.run(gateway.service.revoke(group, edge.identity.id));
    clock.stepWall(8 * DAY);
    await expect(renewAt(other, gateway, group)).rejects.toMatchObject({ code: 'revoked' });
  });

  it('is refused to who shows the credential of another', async () => {
    const { before, other, gateway, group } = await joined();
    const body = encodeMembershipRequest({ type: 'renew', group, credential: before.encoded });
    await expect(gateway.service.handle(body, other.identity.id)).rejects.toMatchObject({ code: 'refused' });
  });

  it('goes on by itself, with the membership durable, until it is closed', async () => {
    const { edge, gateway, group, clock, before } = await joined();
    let opened = 0;
    const failures: string[] = [];
    const at = () => {
      opened++;
      return gateway;
    };
    const renewal = renewing(edge, at, (code) => failures.push(code));
    await clock.runFor(24 * DAY);
    expect(failures).toEqual([]);
    // Each at 7 to 7.7 days.
    expect(opened).toBe(3);
    expect(credentialOf(edge, group).notAfterMs).toBeGreaterThan(clock.wallMs() + 37 * DAY);
    expect(credentialOf(edge, group).serial).toBe(before.serial);
    expect(credentialOf(newMember(2, clock, edge.storage.crash()), group)).toEqual(credentialOf(edge, group));
    renewal.close();
    renewal.close();
    await clock.runFor(30 * DAY);
    expect(opened).toBe(3);
  });

  it('leaves a group as it is whose only administrator is away for a month', async () => {
    const { edge, other, gateway, group, clock } = await joined();
    await invite(gateway, group, other);
    let away = false;
    const failures: number[] = [];
    const at = () => {
      if (away) throw new Error('no way');
      return gateway;
    };
    const renewals = [edge, other].map((member) => renewing(member, at, () => failures.push(clock.monotonicMs())));
    await clock.runFor(6 * DAY);
    away = true;
    for (let day = 0; day < 31; day++) {
      await clock.runFor(DAY);
      expect(edge.groups.access(group)?.verify(other.identity.id, credentialOf(other, group).encoded)).toBeDefined();
      expect(other.groups.access(group)?.verify(edge.identity.id, credentialOf(edge, group).encoded)).toBeDefined();
    }
    const pauses = failures.slice(2).map((each, i) => each - (failures[i] ?? 0));
    expect(Math.max(...pauses)).toBeLessThanOrEqual(2 * HOUR);
    away = false;
    await clock.runFor(2 * HOUR);
    for (const member of [edge, other]) {
      expect(credentialOf(member, group).notAfterMs).toBeGreaterThan(clock.wallMs() + 44 * DAY);
    }
    for (const renewal of renewals) renewal.close();
  });

  it('renews the own credential of who keeps the authority, however long it was off', async () => {
    const { gateway, group, clock } = await newHome();
    clock.stepWall(400 * DAY);
    const renewal = renewing(gateway, () => {
      throw new Error('nobody to ask');
    });
    await clock.runFor(1_000);
    expect(credentialOf(gateway, group).notAfterMs).toBe(clock.wallMs() - 1_000 + 45 * DAY);
    renewal.close();
  });
});

describe('granting', () => {
  it('changes what a member may do, for good, and voids what it had', async () => {
    const { edge, gateway, group, clock, before } = await joined();
    const grant = { roles: ['guest'], capabilities: ['name:lamp*'] };
    await clock.run(gateway.service.grant(group, edge.identity.id, grant));
    expect(() => gateway.groups.access(group)?.verify(edge.identity.id, before.encoded)).toThrow(/changed/);
    const { credential } = await renewAt(edge, gateway, group);
    expect(credential).toMatchObject({ ...grant, serial: before.serial });
    clock.stepWall(8 * DAY);
    expect((await renewAt(edge, gateway, group)).credential).toMatchObject(grant);
  });

  it('reaches the member by the statements, without being asked for', async () => {
    const { edge, gateway, group, clock } = await joined();
    const renewal = renewing(edge, () => {
      throw new Error('nobody to ask');
    });
    await clock.run(gateway.service.grant(group, edge.identity.id, { roles: ['member', 'relay'], capabilities: [] }));
    await sync(group, gateway, edge);
    await clock.runFor(100);
    expect(credentialOf(edge, group).roles).toEqual(['member', 'relay']);
    renewal.close();
  });

  it('is handed out by another administrator too, which gives no less and no more', async () => {
    const { edge, other, gateway, group, clock } = await joined();
    await invite(gateway, group, other, ['member', 'administrator']);
    await clock.run(gateway.service.grant(group, edge.identity.id, { roles: ['guest'], capabilities: [] }));
    for (const { type, encoded } of gateway.groups.statements(group)) {
      if (type === 'revocations') await clock.run(other.groups.receive(group, encoded));
    }
    // It has heard of the change, and not of what was granted.
    await expect(renewAt(edge, other, group)).rejects.toMatchObject({ code: 'not-found' });
    await sync(group, gateway, other);
    expect((await renewAt(edge, other, group)).credential.roles).toEqual(['guest']);
  });

  it('cannot be escaped by joining an open group again', async () => {
    const { gateway, edge, group, clock } = await newHome({ policy: { type: 'open' } });
    await joinGroup(edge, gateway, group);
    await clock.run(gateway.service.grant(group, edge.identity.id, { roles: ['guest'], capabilities: [] }));
    const again = newMember(2, clock);
    expect(await joinGroup(again, gateway, group)).toMatchObject({ membership: { credential: { roles: ['guest'] } } });
  });

  it('works for a member that another administrator admitted, by its credential', async () => {
    const { edge, other, gateway, group, clock } = await joined(['member', 'administrator']);
    await invite(edge, group, other);
    const grant = { roles: ['guest'], capabilities: [] };
    await expect(gateway.service.grant(group, other.identity.id, grant)).rejects.toMatchObject({ code: 'not-found' });
    const known = credentialOf(other, group);
    const granted = await clock.run(gateway.service.grant(group, other.identity.id, grant, known));
    expect(granted).toMatchObject({ roles: ['guest'], serial: known.serial });
  });

  it('is for administrators', async () => {
    const { edge, gateway, group } = await joined();
    const grant = { roles: ['administrator'], capabilities: [] };
    await expect(edge.service.grant(group, edge.identity.id, grant)).rejects.toMatchObject({ code: 'refused' });
    await expect(edge.service.revoke(group, gateway.identity.id)).rejects.toMatchObject({ code: 'refused' });
  });
});

describe('resigning', () => {
  it('revokes what was given by an invitation, and forgets the member', async () => {
    const { edge, gateway, group, clock, before } = await joined();
    const pipe = pipeTo(edge.identity.id, gateway);
    await clock.run(resignAt({ pipe, group, credential: before.encoded }));
    expect(gateway.groups.isRevoked(group, before.serial)).toBe(true);
    expect(gateway.service.ledger(group)).toEqual([]);
  });

  it('lets who left an open group come back', async () => {
    const { gateway, edge, group, clock } = await newHome({ policy: { type: 'open' } });
    await joinGroup(edge, gateway, group);
    const { encoded: credential } = credentialOf(edge, group);
    await clock.run(resignAt({ pipe: pipeTo(edge.identity.id, gateway), group, credential }));
    expect(gateway.service.ledger(group)).toEqual([]);
    expect(await joinGroup(newMember(2, clock), gateway, group)).toMatchObject({ state: 'joined' });
  });

  it('cannot be done for another', async () => {
    const { other, gateway, group, before } = await joined();
    const resigning = resignAt({ pipe: pipeTo(other.identity.id, gateway), group, credential: before.encoded });
    await expect(resigning).rejects.toMatchObject({ code: 'refused' });
  });
});
