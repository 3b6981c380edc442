import { MemoryStorage, nodeCrypto, seededRandom, VirtualClock } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { signAdvertisement, verifyAdvertisement } from '../advertisement/advertisement-codec.ts';
import { groupIdFromBytes, WORLD_GROUP } from '../id/group-id.ts';
import { identityFromSeed } from '../id/identity.ts';
import type { Crypto } from '../platform/crypto.ts';
import { Administration } from './administration.ts';
import { verifyCredential } from './credential-codec.ts';
import type { Credential, GroupAccess } from './group-access.ts';
import { groupAdvertisementInit } from './group-advertisement.ts';
import { authorityOf, Groups, type GroupsInit } from './groups.ts';

const DAY = 86_400_000;
const identity = (byte: number) => identityFromSeed(nodeCrypto, new Uint8Array(32).fill(byte));
const gateway = identity(1);
const edge = identity(2);
const virtual = identity(3);
const withCode = (code: string) => expect.objectContaining({ code });

function setUp(init: Partial<GroupsInit> = {}, clock = new VirtualClock()) {
  const storage = new MemoryStorage({ clock });
  const all = { storage, clock, crypto: nodeCrypto, random: seededRandom(1), identity: gateway, ...init };
  return { clock, storage, groups: new Groups(all), again: () => new Groups(all) };
}

async function withGroup(init: Partial<GroupsInit> = {}) {
  const at = setUp({ hosts: (peer) => peer === virtual.id, ...init });
  const { group } = await at.clock.run(at.groups.create({ name: 'Home' }));
  return { ...at, group, access: accessOf(at.groups, group) };
}

/** A second peer that was admitted with these roles. */
async function member(of: Awaited<ReturnType<typeof withGroup>>, roles: readonly string[], who = edge) {
  const { encoded } = of.groups.issue(of.group, { subject: who.id, roles });
  const at = setUp({ identity: who, hosts: (peer) => peer === virtual.id, random: seededRandom(2) }, of.clock);
  await of.clock.run(at.groups.admit(encoded, { name: 'Home', administrator: gateway.id }));
  return { ...at, access: accessOf(at.groups, of.group) };
}

function accessOf(groups: Groups, group: Parameters<Groups['access']>[0]): GroupAccess {
  const access = groups.access(group);
  if (access === undefined) throw new Error('no access');
  return access;
}

describe('Groups', () => {
  it('asks for nothing in the world group', () => {
    const access = accessOf(setUp().groups, WORLD_GROUP);
    expect(access.credentialOf(gateway.id)).toEqual(new Uint8Array(0));
    expect(access.verify(edge.id, new Uint8Array(0))).toBeUndefined();
    expect(access.verify(edge.id, new Uint8Array([1]))).toBeUndefined();
  });

  it('knows no group that it has not joined', () => {
    expect(setUp().groups.access(groupIdFromBytes(new Uint8Array(32).fill(9)))).toBeUndefined();
  });

  it('makes a group whose authority survives a restart', async () => {
    const { groups, group, again, clock } = await withGroup();
    const [membership] = groups.list();
    expect(membership).toMatchObject({ group, name: 'Home', authority: true });
    expect(membership?.credential).toMatchObject({ subject: gateway.id, roles: ['member', 'administrator', 'host'] });
    const later = again();
    expect(later.list()).toEqual(groups.list());
    const issued = later.issue(group, { subject: edge.id, roles: ['member'] });
    expect(accessOf(groups, group).verify(edge.id, issued.encoded)).toMatchObject({ subject: edge.id });
    expect(issued.notAfterMs - clock.wallMs()).toBe(45 * DAY);
  });

  it('lets its authority sign the group advertisement', async () => {
    const { groups, group } = await withGroup();
    const signer = groups.signerOf(authorityOf(group));
    if (signer === undefined) throw new Error('no signer');
    const init = groupAdvertisementInit(groups.charter(group) ?? expect.fail());
    const fields = { key: '', attributes: new Map<string, string>(), sequence: 1, issuedAtMs: 0, expirationMs: 1 };
    const { encoded } = signAdvertisement(signer, {
      ...fields,
      kind: 'group',
      group,
      name: 'Home',
      body: init.body ?? new Uint8Array(0),
    });
    expect(verifyAdvertisement(nodeCrypto, encoded)).toMatchObject({ kind: 'group', name: 'Home', group });
    expect(groups.signerOf(gateway.id)).toBeUndefined();
  });

  it('never puts the seed of the authority anywhere but into its own record', async () => {
    const { groups, group, storage } = await withGroup();
    const [seed] = [...storage.scan('group')].map(([, value]) => value);
    expect(seed).toBeDefined();
    expect(JSON.stringify(groups.list())).not.toContain('seed');
    expect(Object.values(groups.membership(group) ?? {})).not.toContainEqual(seed);
  });

  it('admits a member, durably, and both recognise each other', async () => {
    const home = await withGroup();
    const other = await member(home, ['member']);
    expect(home.access.verify(edge.id, other.access.credentialOf(edge.id))).toMatchObject({ roles: ['member'] });
    expect(other.access.verify(gateway.id, home.access.credentialOf(gateway.id))?.roles).toContain('administrator');
    expect(other.again().membership(home.group)).toMatchObject({
      name: 'Home',
      authority: false,
      administrator: gateway.id,
    });
  });

  it('checks what is shown: none, garbage, another peer, another group, too late', async () => {
    const home = await withGroup();
    const other = await withGroup({ identity: edge, random: seededRandom(5) });
    const { encoded } = home.groups.issue(home.group, { subject: edge.id, roles: ['member'] });
    expect(() => home.access.verify(edge.id, new Uint8Array(0))).toThrow(withCode('refused'));
    expect(() => home.access.verify(edge.id, new Uint8Array(0))).toThrow(/pipevine invite/);
    expect(() => home.access.verify(edge.id, new Uint8Array([1]))).toThrow(withCode('malformed'));
    expect(() => home.access.verify(virtual.id, encoded)).toThrow(withCode('refused'));
    expect(() => other.access.verify(edge.id, encoded)).toThrow(withCode('refused'));
    const forged = encoded.slice();
    forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
    expect(() => home.access.verify(edge.id, forged)).toThrow(withCode('forged'));
    home.clock.stepWall(45 * DAY);
    expect(() => home.access.verify(edge.id, encoded)).toThrow(withCode('expired'));
    expect(home.groups.verify(home.group, edge.id, encoded, { graceMs: 1 })).toMatchObject({ subject: edge.id });
    expect(() => home.access.credentialOf(gateway.id)).toThrow(withCode('expired'));
  });

  it('checks the same bytes once, but their time and revocation always', async () => {
    let verifications = 0;
    const crypto: Crypto = {
      ...nodeCrypto,
      verify: (...all) => {
        verifications++;
        return nodeCrypto.verify(...all);
      },
    };
    const { groups, group, access, clock } = await withGroup({ crypto });
    const issued = groups.issue(group, { subject: edge.id, roles: ['member'] });
    verifications = 0;
    for (let i = 0; i < 3; i++) access.verify(edge.id, issued.encoded);
    expect(verifications).toBe(1);
    await clock.run(new Administration({ groups, clock }).revoke(group, { serial: issued.serial }));
    expect(() => access.verify(edge.id, issued.encoded)).toThrow(withCode('revoked'));
    // The list's, none of the credential's.
    expect(verifications).toBe(2);
  });

  it('looks at other bytes anew that come in the place of those that it has checked', async () => {
    const { groups, group, access } = await withGroup();
    const { encoded } = groups.issue(group, { subject: edge.id, roles: ['member'] });
    const shown = encoded.slice();
    expect(access.verify(edge.id, shown)?.subject).toBe(edge.id);
    shown[shown.length - 1] = (shown.at(-1) ?? 0) ^ 1;
    expect(() => access.verify(edge.id, shown)).toThrow(withCode('forged'));
  });

  it('trusts no clock that is behind its own credential', async () => {
    const home = await withGroup();
    const late = new VirtualClock({ wallMs: home.clock.wallMs() - 20 * DAY });
    const at = setUp({ identity: edge }, late);
    const { encoded } = home.groups.issue(home.group, { subject: edge.id, roles: ['member'] });
    await late.run(at.groups.admit(encoded, { name: 'Home' }));
    const shown = home.access.credentialOf(gateway.id);
    expect(accessOf(at.groups, home.group).verify(gateway.id, shown)).toMatchObject({ subject: gateway.id });
  });

  it('refuses to admit itself by the credential of another, or one that ran out', async () => {
    const home = await withGroup();
    const { encoded } = home.groups.issue(home.group, { subject: virtual.id, roles: ['member'] });
    const at = setUp({ identity: edge }, home.clock);
    await expect(at.groups.admit(encoded, { name: 'Home' })).rejects.toMatchObject({ code: 'refused' });
    const own = home.groups.issue(home.group, { subject: edge.id, roles: ['member'], lifetimeMs: 1_000 });
    home.clock.stepWall(2_000);
    await expect(at.groups.admit(own.encoded, { name: 'Home' })).rejects.toMatchObject({ code: 'expired' });
    expect(at.groups.list()).toEqual([]);
  });

  it('gives up a membership for good', async () => {
    const home = await withGroup();
    const other = await member(home, ['member']);
    const changes: string[] = [];
    other.groups.subscribe(({ change }) => changes.push(change));
    await home.clock.run(other.groups.resign(home.group));
    await home.clock.run(other.groups.resign(home.group));
    expect(changes).toEqual(['resigned']);
    expect(other.groups.access(home.group)).toBeUndefined();
    expect(() => other.access.credentialOf(edge.id)).toThrow(withCode('not-found'));
    expect(other.again().list()).toEqual([]);
  });

  it('does not lose the key of a group by resigning, unless told to', async () => {
    const { groups, group, clock } = await withGroup();
    await expect(groups.resign(group)).rejects.toMatchObject({ code: 'refused' });
    await clock.run(groups.resign(group, { forgetAuthority: true }));
    expect(groups.list()).toEqual([]);
  });

  it('signs for the peers that it hosts, keeps what it signed, and signs anew at half of its time', async () => {
    const { access, clock } = await withGroup();
    const first = access.credentialOf(virtual.id);
    expect(access.credentialOf(virtual.id)).toBe(first);
    expect(access.verify(virtual.id, first)).toMatchObject({ subject: virtual.id, roles: ['member'] });
    clock.stepWall(23 * DAY);
    const second = access.credentialOf(virtual.id);
    expect(second).not.toEqual(first);
    expect(access.verify(virtual.id, second)?.serial).toBe(access.verify(virtual.id, first)?.serial);
    expect(() => access.credentialOf(edge.id)).toThrow(withCode('refused'));
  });

  it('lets a host that is no administrator bring the peers that it hosts, and a plain member none', async () => {
    const home = await withGroup();
    const host = await member(home, ['member', 'host']);
    const hosted = host.access.credentialOf(virtual.id);
    expect(home.access.verify(virtual.id, hosted)).toMatchObject({ subject: virtual.id, roles: ['member'] });
    expect(verifyCredential(nodeCrypto, hosted)).toHaveLength(2);
    const plain = await member(home, ['member']);
    expect(() => plain.access.credentialOf(virtual.id)).toThrow(withCode('refused'));
  });

  it('serves 10,000 hosted peers from a bounded cache', async () => {
    let signatures = 0;
    const counting: Crypto = {
      ...nodeCrypto,
      signingKey: (seed) => {
        const { publicKey, sign } = nodeCrypto.signingKey(seed);
        return {
          publicKey,
          sign: (message) => {
            signatures++;
            return sign(message);
          },
        };
      },
    };
    const { groups, access } = await withGroup({ crypto: counting, hosts: () => true, maxHostedCredentials: 100 });
    const peers = Array.from({ length: 150 }, (_, i) => identity(i + 10).id);
    signatures = 0;
    for (let round = 0; round < 2; round++) for (const peer of peers.slice(0, 100)) access.credentialOf(peer);
    expect(signatures).toBe(100);
    for (const peer of peers) access.credentialOf(peer);
    expect(groups.status()['credentials hosted']).toMatchObject({ used: 100, dropped: 50 });
  });

  it('lets an administrator without the authority issue, and nobody else', async () => {
    const home = await withGroup();
    const second = await member(home, ['member', 'administrator']);
    expect(second.groups.mayAdmit(home.group)).toBe(true);
    const third = second.groups.issue(home.group, { subject: virtual.id, roles: ['member'] });
    expect(home.access.verify(virtual.id, third.encoded)).toMatchObject({ subject: virtual.id });
    const plain = await member(home, ['member']);
    expect(plain.groups.mayAdmit(home.group)).toBe(false);
    expect(() => plain.groups.issue(home.group, { subject: virtual.id, roles: ['member'] })).toThrow(
      withCode('refused'),
    );
  });

  it('ends what an administrator signs with its own credential', async () => {
    const home = await withGroup();
    const second = await member(home, ['administrator']);
    home.clock.stepWall(20 * DAY);
    const issued: Credential = second.groups.issue(home.group, { subject: virtual.id, roles: ['member'] });
    expect(issued.notAfterMs).toBe(second.groups.membership(home.group)?.credential.notAfterMs);
  });

  it('does not sign a chain that nobody would take', async () => {
    const home = await withGroup();
    const second = await member(home, ['administrator']);
    const third = { ...home, groups: second.groups, access: second.access };
    const fourth = await member(third, ['administrator'], identity(40));
    const fifth = await member(
      { ...home, groups: fourth.groups, access: fourth.access },
      ['administrator'],
      identity(41),
    );
    expect(() => fifth.groups.issue(home.group, { subject: virtual.id, roles: ['member'] })).toThrow(
      withCode('refused'),
    );
  });

  it('takes a renewed credential, and no older one in its place', async () => {
    const home = await withGroup();
    const other = await member(home, ['member']);
    const { credential: first } = other.groups.membership(home.group) ?? expect.fail();
    home.clock.stepWall(8 * DAY);
    const renewed = home.groups.issue(home.group, first);
    await home.clock.run(other.groups.admit(renewed.encoded, { name: 'Home' }));
    await home.clock.run(other.groups.admit(first.encoded, { name: 'Home' }));
    expect(other.groups.membership(home.group)?.credential.encoded).toEqual(renewed.encoded);
    const changed = home.groups.issue(home.group, { ...first, version: 1, lifetimeMs: DAY });
    await home.clock.run(other.groups.admit(changed.encoded, { name: 'Home' }));
    const old = home.groups.issue(home.group, first);
    await home.clock.run(other.groups.admit(old.encoded, { name: 'Home' }));
    expect(other.groups.membership(home.group)?.credential.version).toBe(1);
  });

  it('lets nobody who is farther from the authority renew an administrator, until time runs short', async () => {
    const home = await withGroup();
    const first = await member(home, ['administrator'], identity(20));
    const second = await member(home, ['administrator'], identity(21));
    const { credential } = first.groups.membership(home.group) ?? expect.fail();
    home.clock.stepWall(8 * DAY);
    const { credential: of2 } = second.groups.membership(home.group) ?? expect.fail();
    await home.clock.run(second.groups.admit(home.groups.issue(home.group, of2).encoded, { name: 'Home' }));
    const renewed = second.groups.issue(home.group, credential);
    await expect(first.groups.admit(renewed.encoded, { name: 'Home' })).rejects.toMatchObject({ code: 'refused' });
    home.clock.stepWall(31 * DAY);
    await home.clock.run(first.groups.admit(renewed.encoded, { name: 'Home' }));
    expect(first.groups.membership(home.group)).toMatchObject({ depth: 2 });
  });

  it('outlives the absence of its only administrator for a month', async () => {
    const home = await withGroup();
    const other = await member(home, ['member']);
    home.clock.stepWall(7 * DAY);
    const { credential } = other.groups.membership(home.group) ?? expect.fail();
    await home.clock.run(other.groups.admit(home.groups.issue(home.group, credential).encoded, { name: 'Home' }));
    home.clock.stepWall(37 * DAY);
    expect(other.access.credentialOf(edge.id).length).toBeGreaterThan(0);
  });

  it('says that the storage is full, and has no new group then', async () => {
    const { groups, storage, clock } = setUp();
    storage.failNextSync('storage-full');
    await expect(clock.run(groups.create({ name: 'Home' }))).rejects.toMatchObject({ code: 'storage-full' });
    expect(groups.list()).toEqual([]);
  });

  it.each(['', 'n'.repeat(129), '\ud800'])('refuses the group name %j', async (name) => {
    await expect(setUp().groups.create({ name })).rejects.toMatchObject({ code: 'invalid-argument' });
  });
});
