import { MemoryStorage, nodeCrypto, seededRandom, VirtualClock } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { Groups } from '../group/groups.ts';
import { WORLD_GROUP } from '../id/group-id.ts';
import { type Identity, identityFromSeed } from '../id/identity.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { ListenInit, RequestHandler, RequestPipe } from '../pipe/pipe.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { type JoinResult, joinByCode, renewMembership } from './join-client.ts';
import { formatJoinCode, parseJoinCode } from './join-code.ts';
import {
  decodeMembershipAnswer,
  decodeMembershipRequest,
  encodeApplyAnswer,
  encodeMembershipAnswer,
  encodeMembershipRequest,
} from './membership-codec.ts';
import { MembershipRenewal } from './membership-renewal.ts';
import { type InviteOptions, MembershipService } from './membership-service.ts';

const DAY = 86_400_000;
const HOUR = 3_600_000;
const ADVERTISEMENT = new Uint8Array([1, 2, 3]);

function peer(byte: number, clock: VirtualClock, storage = new MemoryStorage({ clock })) {
  const identity = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(byte));
  const parts = { storage, clock, crypto: nodeCrypto, random: seededRandom(byte) };
  const groups = new Groups({ ...parts, identity });
  const service = new MembershipService({ ...parts, groups, groupAdvertisement: () => ADVERTISEMENT });
  return { identity, storage, clock, groups, service };
}
type TestPeer = ReturnType<typeof peer>;

async function home() {
  const clock = new VirtualClock();
  const gateway = peer(1, clock);
  const { group } = await clock.run(gateway.groups.create({ name: 'Home' }));
  return { clock, gateway, group };
}

/** A request pipe to the other's service, as authenticated as a real one. */
function pipe(from: Identity, to: { identity: Identity; service: Pick<MembershipService, 'handle'> }): RequestPipe {
  return {
    remotePeer: to.identity.id,
    credential: undefined,
    request: (body) => to.service.handle(body, from.id),
    stream: () => {
      throw new Error('not used');
    },
    closed: new Promise(() => undefined),
    close: async () => undefined,
  };
}

function join(applicant: TestPeer, at: Parameters<typeof pipe>[1], code: string): Promise<JoinResult> {
  const { identity, groups, clock } = applicant;
  const init = { pipe: pipe(identity, at), code: parseJoinCode(code), name: 'edge', groups, crypto: nodeCrypto, clock };
  return clock.run(joinByCode(init));
}

async function invited(options?: InviteOptions) {
  const at = await home();
  const { code, link } = await at.clock.run(at.gateway.service.invite(at.group, options));
  return { ...at, code, link, edge: peer(2, at.clock), other: peer(3, at.clock) };
}

/** The right code with another secret. */
function guess(code: string, byte: number): string {
  return formatJoinCode({ ...parseJoinCode(code), secret: new Uint8Array(10).fill(byte) });
}

describe('joining', () => {
  it('makes a member of whoever has the code', async () => {
    const { code, edge, gateway, group } = await invited();
    const { membership, groupAdvertisement } = await join(edge, gateway, code);
    expect(membership).toMatchObject({ group, name: 'Home', authority: false, administrator: gateway.identity.id });
    expect(membership.credential).toMatchObject({ subject: edge.identity.id, roles: ['member'] });
    expect(membership.credential.notAfterMs - membership.credential.notBeforeMs).toBe(30 * DAY);
    expect(groupAdvertisement).toEqual(ADVERTISEMENT);
    const shown = edge.groups.access(group)?.credentialOf(edge.identity.id) ?? new Uint8Array(0);
    expect(gateway.groups.access(group)?.verify(edge.identity.id, shown)).toMatchObject({ roles: ['member'] });
  });

  it('works by the link too, and gives the roles of the code', async () => {
    const { link, edge, gateway } = await invited({ roles: ['member', 'host'], seeds: ['tcp://a:1'] });
    expect(parseJoinCode(link).seeds).toEqual(['tcp://a:1']);
    expect((await join(edge, gateway, link)).membership.credential.roles).toEqual(['member', 'host']);
  });

  it('lets one peer in by one code, and as many as the code says', async () => {
    const one = await invited();
    await join(one.edge, one.gateway, one.code);
    await expect(join(one.other, one.gateway, one.code)).rejects.toMatchObject({ code: 'refused' });
    const two = await invited({ uses: 2 });
    await join(two.edge, two.gateway, two.code);
    await join(two.other, two.gateway, two.code);
    await expect(join(peer(4, two.clock), two.gateway, two.code)).rejects.toThrow(/as many peers/);
  });

  it('gives the same peer the same membership again, for its answer may have been lost', async () => {
    const { code, edge, gateway, other } = await invited();
    const first = await join(edge, gateway, code);
    const again = await join(edge, gateway, code);
    expect(again.membership.credential.serial).toBe(first.membership.credential.serial);
    await expect(join(other, gateway, code)).rejects.toMatchObject({ code: 'refused' });
  });

  it('has the use of a code on disk before it hands out a credential', async () => {
    const { code, edge, other, gateway, clock } = await invited();
    await join(edge, gateway, code);
    const restarted = peer(1, clock, gateway.storage.crash());
    await expect(join(other, restarted, code)).rejects.toMatchObject({ code: 'refused' });
    await expect(join(edge, restarted, code)).resolves.toBeDefined();
  });

  it('gives back the use when the disk is full', async () => {
    const { code, edge, other, gateway } = await invited();
    gateway.storage.failNextSync('storage-full');
    await expect(join(edge, gateway, code)).rejects.toMatchObject({ code: 'storage-full' });
    await expect(join(other, gateway, code)).resolves.toBeDefined();
  });

  it('does not let two in by one use at the same moment', async () => {
    const { code, edge, other, gateway, clock } = await invited();
    const { fingerprint, secret } = parseJoinCode(code);
    const body = encodeMembershipRequest({ type: 'join', fingerprint, secret, name: 'x' });
    const ids = [edge.identity.id, other.identity.id];
    const outcomes = await clock.run(Promise.allSettled(ids.map((id) => gateway.service.handle(body, id))));
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  });

  it('tells a late code from a wrong one only to who has the right one', async () => {
    const { code, edge, gateway, clock } = await invited({ lifetimeMs: HOUR });
    clock.stepWall(HOUR);
    await expect(join(edge, gateway, code)).rejects.toMatchObject({ code: 'expired' });
    await expect(join(edge, gateway, code)).rejects.toThrow(/pipevine invite/);
    await expect(join(edge, gateway, guess(code, 1))).rejects.toMatchObject({ code: 'refused' });
  });

  it('says not-found where the group is not administered, so that the next neighbour is asked', async () => {
    const { code, edge, other, gateway } = await invited();
    await expect(join(edge, other, code)).rejects.toMatchObject({ code: 'not-found' });
    await join(edge, gateway, code);
    await expect(join(other, edge, code)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('refuses more than five wrong codes a minute of one peer, and thirty of all, the right one included', async () => {
    const { code, edge, other, gateway, clock } = await invited();
    for (let i = 0; i < 5; i++) {
      await expect(join(edge, gateway, guess(code, i))).rejects.toThrow(/not accepted/);
    }
    await expect(join(edge, gateway, code)).rejects.toMatchObject({ code: 'refused' });
    await expect(join(edge, gateway, code)).rejects.toThrow(/wait a minute/);
    await clock.runFor(60_000);
    for (let i = 0; i < 30; i++) {
      await expect(join(peer(10 + i, clock), gateway, guess(code, i))).rejects.toThrow(/not accepted/);
    }
    await expect(join(other, gateway, code)).rejects.toThrow(/wait a minute/);
    expect(gateway.service.status()['join attempts']).toEqual({ used: 30, limit: 30, dropped: 3 });
    await clock.runFor(60_000);
    await expect(join(other, gateway, code)).resolves.toBeDefined();
  });

  it('keeps no secret', async () => {
    const { code, gateway } = await invited();
    const secret = String(parseJoinCode(code).secret);
    for (const table of ['join-code', 'group']) {
      for (const [, value] of gateway.storage.scan(table)) expect(String(value)).not.toContain(secret);
    }
  });

  it('drops the oldest code when there are too many', async () => {
    const { code, gateway, group, clock, edge } = await invited();
    for (let i = 0; i < 256; i++) await clock.run(gateway.service.invite(group));
    expect(gateway.service.status()['join codes']).toEqual({ used: 256, limit: 256, dropped: 1 });
    expect([...gateway.storage.scan('join-code')]).toHaveLength(256);
    await expect(join(edge, gateway, code)).rejects.toMatchObject({ code: 'refused' });
  });

  it.each([[{ lifetimeMs: 0 }], [{ uses: 0 }], [{ uses: 257 }], [{ roles: [] }], [{ roles: ['With Space'] }]])(
    'makes no code with %j',
    async (options) => {
      const { gateway, group } = await home();
      await expect(gateway.service.invite(group, options)).rejects.toMatchObject({ code: 'invalid-argument' });
    },
  );

  it('is for administrators only to invite to, and a second administrator can', async () => {
    const { code, edge, other, gateway, group, clock } = await invited({ roles: ['member', 'administrator'], uses: 2 });
    await expect(edge.service.invite(group)).rejects.toMatchObject({ code: 'not-found' });
    await join(edge, gateway, code);
    const { code: second } = await clock.run(edge.service.invite(group));
    const { membership } = await join(other, edge, second);
    const shown = membership.credential.encoded;
    expect(gateway.groups.access(group)?.verify(other.identity.id, shown)).toMatchObject({ roles: ['member'] });
    await expect(other.service.invite(group)).rejects.toMatchObject({ code: 'refused' });
  });
});

describe('an applicant', () => {
  it('tells the secret to nobody but an administrator of the very group', async () => {
    const { code, edge, gateway, other, group, clock } = await invited({ uses: 5 });
    await join(other, gateway, code);
    const elsewhere = await clock.run(other.groups.create({ name: 'Trap' }));
    const administrator = gateway.groups.membership(group)?.credential.encoded ?? new Uint8Array(0);
    const plain = other.groups.membership(group)?.credential.encoded ?? new Uint8Array(0);
    const answers: [string, Parameters<typeof encodeApplyAnswer>[0]][] = [
      ['forged', { group: elsewhere.group, groupName: 'Home', proof: elsewhere.credential.encoded }],
      ['refused', { group, groupName: 'Home', proof: elsewhere.credential.encoded }],
      ['refused', { group, groupName: 'Home', proof: administrator }],
      ['forged', { group, groupName: 'Home', proof: plain }],
      ['malformed', { group, groupName: 'Home', proof: new Uint8Array(3) }],
    ];
    for (const [expected, answer] of answers) {
      const asked: string[] = [];
      const trap = {
        identity: other.identity,
        service: {
          handle: async (body: Uint8Array) => {
            asked.push(decodeMembershipRequest(body).type);
            return encodeApplyAnswer(answer);
          },
        },
      };
      await expect(join(edge, trap, code)).rejects.toMatchObject({ code: expected });
      expect(asked).toEqual(['apply']);
    }
    expect(edge.groups.list()).toEqual([]);
  });

  it('takes no credential of another group or for another peer', async () => {
    const { code, edge, other, gateway, group, clock } = await invited();
    const trap = await clock.run(gateway.groups.create({ name: 'Trap' }));
    const wrong: [string, Uint8Array][] = [
      ['forged', gateway.groups.issue(trap.group, { subject: edge.identity.id, roles: ['member'] }).encoded],
      ['refused', gateway.groups.issue(group, { subject: other.identity.id, roles: ['member'] }).encoded],
      ['malformed', new Uint8Array(1)],
    ];
    for (const [expected, credential] of wrong) {
      const service = {
        handle: async (body: Uint8Array, from: PeerId) =>
          decodeMembershipRequest(body).type === 'apply'
            ? gateway.service.handle(body, from)
            : encodeMembershipAnswer({ credential, groupName: 'Home' }),
      };
      await expect(join(edge, { identity: gateway.identity, service }, code)).rejects.toMatchObject({ code: expected });
    }
    expect(edge.groups.list()).toEqual([]);
  });

  it('joins although its clock was never set', async () => {
    const { code, gateway, group, clock } = await invited();
    const late = new VirtualClock({ wallMs: 0 });
    const edge = peer(2, late);
    const remote = pipe(edge.identity, gateway);
    // Two clocks: the answer comes from the gateway's, the rest runs on the applicant's.
    const bridged = { ...remote, request: (body: Uint8Array) => clock.run(remote.request(body)) };
    const joining = joinByCode({
      pipe: bridged,
      code: parseJoinCode(code),
      name: 'edge',
      groups: edge.groups,
      crypto: nodeCrypto,
      clock: late,
    });
    for (let i = 0; i < 20; i++) await new Promise(setImmediate);
    await late.run(joining);
    const shown = gateway.groups.access(group)?.credentialOf(gateway.identity.id) ?? new Uint8Array(0);
    expect(edge.groups.access(group)?.verify(gateway.identity.id, shown)).toMatchObject({
      subject: gateway.identity.id,
    });
  });

  it('does not join the group whose authority it keeps', async () => {
    const { code, gateway } = await invited();
    await expect(join(gateway, gateway, code)).rejects.toMatchObject({ code: 'invalid-argument' });
  });
});

describe('renewing', () => {
  async function joined() {
    const at = await invited();
    await join(at.edge, at.gateway, at.code);
    const renew = () =>
      at.clock.run(
        renewMembership({
          pipe: pipe(at.edge.identity, at.gateway),
          group: at.group,
          groups: at.edge.groups,
          crypto: nodeCrypto,
        }),
      );
    return { ...at, renew, before: at.edge.groups.membership(at.group)?.credential };
  }

  it('gives more time, and keeps roles and serial', async () => {
    const { renew, before, clock } = await joined();
    clock.stepWall(16 * DAY);
    const { credential } = await renew();
    expect(credential.notAfterMs - (before?.notAfterMs ?? 0)).toBeGreaterThan(15 * DAY);
    expect(credential).toMatchObject({ roles: before?.roles, serial: before?.serial });
  });

  it('works for a week after the end, and then says to ask for a new code', async () => {
    const { renew, clock } = await joined();
    clock.stepWall(36 * DAY);
    await renew();
    clock.stepWall(37 * DAY + 1);
    await expect(renew()).rejects.toMatchObject({ code: 'expired' });
    await expect(renew()).rejects.toThrow(/pipevine invite/);
  });

  it('is refused to whose membership was revoked, also by the old code', async () => {
    const { renew, before, gateway, edge, group, clock, code } = await joined();
    await clock.run(gateway.groups.revoke(group, before?.serial ?? ''));
    clock.stepWall(16 * DAY);
    await expect(renew()).rejects.toMatchObject({ code: 'revoked' });
    clock.stepWall(-16 * DAY);
    await expect(join(edge, gateway, code)).rejects.toMatchObject({ code: 'revoked' });
  });

  it('is refused to who shows the credential of another, and to hosted peers', async () => {
    const { before, other, gateway, group } = await joined();
    const body = encodeMembershipRequest({ type: 'renew', group, credential: before?.encoded ?? new Uint8Array(0) });
    await expect(gateway.service.handle(body, other.identity.id)).rejects.toMatchObject({ code: 'refused' });
  });

  it('goes on by itself, with the membership durable, until it is closed', async () => {
    const { edge, gateway, group, clock, before } = await joined();
    let opened = 0;
    const failures: string[] = [];
    const renewal = new MembershipRenewal({
      groups: edge.groups,
      clock,
      crypto: nodeCrypto,
      random: seededRandom(8),
      open: async () => {
        opened++;
        return pipe(edge.identity, gateway);
      },
      onFailure: (_, error) => failures.push(error.code),
    });
    await clock.runFor(65 * DAY);
    expect(failures).toEqual([]);
    // Each at 15 to 18 days.
    expect(opened).toBeGreaterThanOrEqual(3);
    expect(opened).toBeLessThanOrEqual(4);
    const openedByThen = opened;
    const now = edge.groups.membership(group)?.credential;
    expect(now?.notAfterMs).toBeGreaterThan(clock.wallMs() + 10 * DAY);
    expect(now?.serial).toBe(before?.serial);
    renewal.close();
    renewal.close();
    await clock.runFor(30 * DAY);
    expect(opened).toBe(openedByThen);
  });

  it('keeps trying when no administrator is in reach', async () => {
    const { edge, gateway, group, clock } = await joined();
    let reachable = false;
    const failures: number[] = [];
    const renewal = new MembershipRenewal({
      groups: edge.groups,
      clock,
      crypto: nodeCrypto,
      random: seededRandom(8),
      open: async () => {
        if (!reachable) throw new Error('no way');
        return pipe(edge.identity, gateway);
      },
      onFailure: () => failures.push(clock.monotonicMs()),
    });
    await clock.runFor(19 * DAY);
    expect(failures.length).toBeGreaterThan(20);
    const pauses = failures.slice(1).map((at, i) => at - (failures[i] ?? 0));
    expect(Math.max(...pauses)).toBeLessThanOrEqual(HOUR);
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(30_000);
    reachable = true;
    await clock.runFor(2 * HOUR);
    expect(edge.groups.membership(group)?.credential.notAfterMs).toBeGreaterThan(clock.wallMs() + 29 * DAY);
    renewal.close();
  });

  it('renews the own credential of who keeps the authority, however long it was off', async () => {
    const { gateway, group, clock } = await home();
    clock.stepWall(400 * DAY);
    const renewal = new MembershipRenewal({
      groups: gateway.groups,
      clock,
      crypto: nodeCrypto,
      random: seededRandom(8),
      open: async () => Promise.reject(new Error('nobody to ask')),
    });
    await clock.runFor(1_000);
    expect(gateway.groups.membership(group)?.credential.notAfterMs).toBe(clock.wallMs() - 1_000 + 30 * DAY);
    renewal.close();
  });
});

describe('the membership service', () => {
  it('serves requests in the world group under its name', async () => {
    const { gateway, edge, clock } = await invited();
    const served: { init: ListenInit; handler: RequestHandler }[] = [];
    gateway.service.serve({
      serve: (init, handler) => {
        served.push({ init, handler });
        return { close: () => undefined };
      },
    });
    expect(served[0]?.init).toMatchObject({ group: WORLD_GROUP, name: 'membership' });
    const context = {
      localPeer: gateway.identity.id,
      remotePeer: edge.identity.id,
      group: WORLD_GROUP,
      credential: undefined,
      signal: new AbortController().signal,
    };
    const answer = served[0]?.handler(new Uint8Array([0xa0]), context) as Promise<Uint8Array>;
    await expect(clock.run(answer)).rejects.toMatchObject({ code: 'malformed' });
  });

  it('answers garbage, and requests of later versions, with one error each', async () => {
    const { gateway, edge } = await invited();
    const random = seededRandom(9);
    for (let i = 0; i < 300; i++) {
      const body = random.bytes(random.integer(60));
      await expect(gateway.service.handle(body, edge.identity.id)).rejects.toMatchObject({ name: 'PipevineError' });
    }
    const later = encodeCanonical(new Map([[0, 9]]));
    await expect(gateway.service.handle(later, edge.identity.id)).rejects.toMatchObject({ code: 'unsupported' });
    const large = new Uint8Array(61 * 1024);
    await expect(gateway.service.handle(large, edge.identity.id)).rejects.toMatchObject({ code: 'too-large' });
  });

  it('reads its own answers', () => {
    const answer = { credential: new Uint8Array([1]), groupName: 'Home', groupAdvertisement: undefined };
    expect(decodeMembershipAnswer(encodeMembershipAnswer(answer))).toEqual(answer);
  });
});
