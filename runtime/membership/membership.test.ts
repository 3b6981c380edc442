import { seededRandom, VirtualClock } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { WORLD_GROUP } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { ListenInit, RequestHandler } from '../pipe/pipe.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { joinAt } from './join-client.ts';
import { formatJoinCode, parseJoinCode } from './join-code.ts';
import type { InviteOptions } from './join-code-admission.ts';
import {
  decodeMembershipRequest,
  encodeApplyAnswer,
  encodeMembershipAnswer,
  encodeMembershipRequest,
} from './membership-codec.ts';
import { DAY, HOUR, joinByCode, newHome, newMember, pipeTo } from './testing/test-members.ts';

async function invited(options?: InviteOptions) {
  const at = await newHome();
  const { code, link } = await at.clock.run(at.gateway.service.invite(at.group, options));
  return { ...at, code, link };
}

/** The right code with another secret. */
function guess(code: string, byte: number): string {
  return formatJoinCode({ ...parseJoinCode(code), secret: new Uint8Array(10).fill(byte) });
}

describe('joining by a code', () => {
  it('makes a member of whoever has it', async () => {
    const { code, edge, gateway, group } = await invited();
    const membership = await joinByCode(edge, gateway, code);
    expect(membership).toMatchObject({ group, name: 'Home', authority: false, administrator: gateway.identity.id });
    expect(membership.credential).toMatchObject({ subject: edge.identity.id, roles: ['member'] });
    expect(membership.credential.notAfterMs - membership.credential.notBeforeMs).toBe(45 * DAY);
    expect(edge.groups.charter(group)).toEqual(gateway.groups.charter(group));
    const shown = edge.groups.access(group)?.credentialOf(edge.identity.id) ?? new Uint8Array(0);
    expect(gateway.groups.access(group)?.verify(edge.identity.id, shown)).toMatchObject({ roles: ['member'] });
    expect(gateway.service.ledger(group)).toMatchObject([{ subject: edge.identity.id, name: 'edge', by: 'code' }]);
  });

  it('works by the link too, and gives the roles of the code', async () => {
    const { link, edge, gateway } = await invited({ roles: ['member', 'host'], seeds: ['tcp://a:1'] });
    expect(parseJoinCode(link).seeds).toEqual(['tcp://a:1']);
    expect((await joinByCode(edge, gateway, link)).credential.roles).toEqual(['member', 'host']);
  });

  it('lets one peer in by one code, and as many as the code says', async () => {
    const one = await invited();
    await joinByCode(one.edge, one.gateway, one.code);
    await expect(joinByCode(one.other, one.gateway, one.code)).rejects.toMatchObject({ code: 'refused' });
    const two = await invited({ uses: 2 });
    await joinByCode(two.edge, two.gateway, two.code);
    await joinByCode(two.other, two.gateway, two.code);
    await expect(joinByCode(newMember(4, two.clock), two.gateway, two.code)).rejects.toThrow(/as many peers/);
  });

  it('gives the same peer the same membership again, for its answer may have been lost', async () => {
    const { code, edge, gateway, other } = await invited();
    const first = await joinByCode(edge, gateway, code);
    const again = await joinByCode(edge, gateway, code);
    expect(again.credential.serial).toBe(first.credential.serial);
    await expect(joinByCode(other, gateway, code)).rejects.toMatchObject({ code: 'refused' });
  });

  it('has the use of a code on disk before it hands out a credential', async () => {
    const { code, edge, other, gateway, clock } = await invited();
    await joinByCode(edge, gateway, code);
    const restarted = newMember(1, clock, gateway.storage.crash());
    await expect(joinByCode(other, restarted, code)).rejects.toMatchObject({ code: 'refused' });
    await expect(joinByCode(edge, restarted, code)).resolves.toBeDefined();
  });

  it('gives back the use when the disk is full, but not one from before', async () => {
    const { code, edge, other, gateway } = await invited();
    gateway.storage.failNextSync('storage-full');
    await expect(joinByCode(edge, gateway, code)).rejects.toMatchObject({ code: 'storage-full' });
    await joinByCode(other, gateway, code);
    gateway.storage.failNextSync('storage-full');
    await expect(joinByCode(other, gateway, code)).rejects.toMatchObject({ code: 'storage-full' });
    await expect(joinByCode(edge, gateway, code)).rejects.toMatchObject({ code: 'refused' });
  });

  it('does not let two in by one use at the same moment', async () => {
    const { code, edge, other, gateway, group, clock } = await invited();
    const body = encodeMembershipRequest({ type: 'join-code', group, name: 'x', secret: parseJoinCode(code).secret });
    const ids = [edge.identity.id, other.identity.id];
    const outcomes = await clock.run(Promise.allSettled(ids.map((id) => gateway.service.handle(body, id))));
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  });

  it('tells a late code from a wrong one only to who has the right one', async () => {
    const { code, edge, gateway, clock } = await invited({ lifetimeMs: HOUR });
    clock.stepWall(HOUR);
    await expect(joinByCode(edge, gateway, code)).rejects.toMatchObject({ code: 'expired' });
    await expect(joinByCode(edge, gateway, code)).rejects.toThrow(/pipevine invite/);
    await expect(joinByCode(edge, gateway, guess(code, 1))).rejects.toMatchObject({ code: 'refused' });
  });

  it('says not-found where the group is not administered, so that the next neighbour is asked', async () => {
    const { code, edge, other, gateway } = await invited();
    await expect(joinByCode(edge, other, code)).rejects.toMatchObject({ code: 'not-found' });
    await joinByCode(edge, gateway, code);
    await expect(joinByCode(other, edge, code)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('refuses more than five wrong codes a minute of one peer, and thirty of all, the right one included', async () => {
    const { code, edge, other, gateway, clock } = await invited();
    for (let i = 0; i < 5; i++) await expect(joinByCode(edge, gateway, guess(code, i))).rejects.toThrow(/not accepted/);
    await expect(joinByCode(edge, gateway, code)).rejects.toMatchObject({ code: 'refused' });
    await expect(joinByCode(edge, gateway, code)).rejects.toThrow(/wait a minute/);
    await clock.runFor(60_000);
    for (let i = 0; i < 30; i++) {
      await expect(joinByCode(newMember(10 + i, clock), gateway, guess(code, i))).rejects.toThrow(/not accepted/);
    }
    await expect(joinByCode(other, gateway, code)).rejects.toThrow(/wait a minute/);
    expect(gateway.service.status()['join attempts']).toEqual({ used: 30, limit: 30, dropped: 3 });
    await clock.runFor(60_000);
    await expect(joinByCode(other, gateway, code)).resolves.toBeDefined();
  });

  it('keeps no secret', async () => {
    const { code, gateway } = await invited();
    const secret = String(parseJoinCode(code).secret);
    for (const table of ['join-code', 'group', 'statement']) {
      for (const [, value] of gateway.storage.scan(table)) expect(String(value)).not.toContain(secret);
    }
  });

  it('drops the oldest code when there are too many', async () => {
    const { code, gateway, group, clock, edge } = await invited();
    for (let i = 0; i < 256; i++) await clock.run(gateway.service.invite(group));
    expect(gateway.service.status()['join codes']).toEqual({ used: 256, limit: 256, dropped: 1 });
    expect([...gateway.storage.scan('join-code')]).toHaveLength(256);
    await expect(joinByCode(edge, gateway, code)).rejects.toMatchObject({ code: 'refused' });
  });

  it.each([[{ lifetimeMs: 0 }], [{ uses: 0 }], [{ uses: 257 }], [{ roles: [] }], [{ roles: ['With Space'] }]])(
    'makes no code with %j',
    async (options) => {
      const { gateway, group } = await newHome();
      await expect(gateway.service.invite(group, options)).rejects.toMatchObject({ code: 'invalid-argument' });
    },
  );

  it('is for administrators only to invite to, and a second administrator can', async () => {
    const { code, edge, other, gateway, group, clock } = await invited({ roles: ['member', 'administrator'], uses: 2 });
    await expect(edge.service.invite(group)).rejects.toMatchObject({ code: 'not-found' });
    await joinByCode(edge, gateway, code);
    const { code: second } = await clock.run(edge.service.invite(group));
    const { credential } = await joinByCode(other, edge, second);
    expect(gateway.groups.access(group)?.verify(other.identity.id, credential.encoded)).toMatchObject({
      roles: ['member'],
    });
    await expect(other.service.invite(group)).rejects.toMatchObject({ code: 'refused' });
  });
});

describe('an applicant', () => {
  it('tells the secret to nobody but an administrator of the very group', async () => {
    const { code, edge, gateway, other, group, clock } = await invited({ uses: 5 });
    await joinByCode(other, gateway, code);
    const elsewhere = await clock.run(other.groups.create({ name: 'Trap' }));
    const charter = gateway.groups.charter(group)?.encoded ?? new Uint8Array(0);
    const foreign = other.groups.charter(elsewhere.group)?.encoded ?? new Uint8Array(0);
    const administrator = gateway.groups.membership(group)?.credential.encoded ?? new Uint8Array(0);
    const plain = other.groups.membership(group)?.credential.encoded ?? new Uint8Array(0);
    const bent = charter.with(-1, (charter.at(-1) ?? 0) ^ 1);
    const answers: [string, { charter: Uint8Array; proof: Uint8Array }][] = [
      ['forged', { charter: foreign, proof: elsewhere.credential.encoded }],
      ['forged', { charter: bent, proof: administrator }],
      ['forged', { charter, proof: elsewhere.credential.encoded }],
      ['forged', { charter, proof: administrator }],
      ['forged', { charter, proof: plain }],
      ['malformed', { charter, proof: new Uint8Array(3) }],
    ];
    for (const [expected, answer] of answers) {
      const asked: string[] = [];
      const trap = {
        identity: other.identity,
        service: {
          handle: async (body: Uint8Array) => {
            asked.push(decodeMembershipRequest(body).type);
            return encodeApplyAnswer({ ...answer, nowMs: 1 });
          },
        },
      };
      await expect(joinByCode(edge, trap, code)).rejects.toMatchObject({ code: expected });
      expect(asked).toEqual(['apply']);
    }
    expect(edge.groups.list()).toEqual([]);
  });

  it('takes no credential of another group or for another peer, and none without a charter', async () => {
    const { code, edge, other, gateway, group, clock } = await invited();
    const trap = await clock.run(gateway.groups.create({ name: 'Trap' }));
    const statements = [gateway.groups.charter(group)?.encoded ?? new Uint8Array(0)];
    const issue = (of: typeof group, to: PeerId) =>
      gateway.groups.issue(of, { subject: to, roles: ['member'] }).encoded;
    const wrong: [string, Uint8Array, Uint8Array[]][] = [
      ['forged', issue(trap.group, edge.identity.id), statements],
      ['refused', issue(group, other.identity.id), statements],
      ['forged', issue(group, edge.identity.id), []],
      ['malformed', new Uint8Array(1), statements],
    ];
    for (const [expected, credential, along] of wrong) {
      const service = {
        handle: async (body: Uint8Array, from: PeerId) =>
          decodeMembershipRequest(body).type === 'apply'
            ? gateway.service.handle(body, from)
            : encodeMembershipAnswer({ state: 'joined', credential, statements: along }),
      };
      const at = { identity: gateway.identity, service };
      await expect(joinByCode(edge, at, code)).rejects.toMatchObject({ code: expected });
    }
    expect(edge.groups.list()).toEqual([]);
  });

  it('joins although its clock was never set', async () => {
    const { code, gateway, group, clock } = await invited();
    const late = new VirtualClock({ wallMs: 0 });
    const edge = newMember(2, late);
    const remote = pipeTo(edge.identity.id, gateway);
    // Two clocks: the answer comes from the gateway's, the rest runs on the applicant's.
    const pipe = { ...remote, request: (body: Uint8Array) => clock.run(remote.request(body)) };
    const { identity, groups, crypto, random } = edge;
    const by = { type: 'code', code: parseJoinCode(code) } as const;
    const joining = joinAt({ pipe, by, localPeer: identity.id, name: 'edge', groups, crypto, random, clock: late });
    for (let i = 0; i < 20; i++) await new Promise(setImmediate);
    await late.run(joining);
    const shown = gateway.groups.access(group)?.credentialOf(gateway.identity.id) ?? new Uint8Array(0);
    expect(edge.groups.access(group)?.verify(gateway.identity.id, shown)).toMatchObject({
      subject: gateway.identity.id,
    });
  });

  it('does not join the group whose authority it keeps', async () => {
    const { code, gateway } = await invited();
    await expect(joinByCode(gateway, gateway, code)).rejects.toMatchObject({ code: 'invalid-argument' });
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
    const answer = served[0]?.handler(new Uint8Array([0xa0]), context) as Promise<Uint8Array>; // It gives one answer.
    await expect(clock.run(answer)).rejects.toMatchObject({ code: 'malformed' });
  });

  it('answers garbage, and requests of later versions, with one error each', async () => {
    const { gateway, edge } = await invited();
    const random = seededRandom(9);
    for (let i = 0; i < 300; i++) {
      const body = random.bytes(random.integer(60));
      await expect(gateway.service.handle(body, edge.identity.id)).rejects.toMatchObject({ name: 'PipevineError' });
    }
    const later = encodeCanonical(new Map([[0, 99]]));
    await expect(gateway.service.handle(later, edge.identity.id)).rejects.toMatchObject({ code: 'unsupported' });
    const large = new Uint8Array(61 * 1024);
    await expect(gateway.service.handle(large, edge.identity.id)).rejects.toMatchObject({ code: 'too-large' });
  });
});
