import { beforeEach, describe, expect, it } from 'vitest';
import { PipevineError } from '../error/pipevine-error.ts';
import { type PeerId, peerIdToBytes } from '../id/peer-id.ts';
import type { Link } from '../link/link.ts';
import { findGroups } from '../membership/group-finder.ts';
import { decodeMembershipRequest } from '../membership/membership-codec.ts';
import type { MembershipSearchInit } from '../membership/membership-search.ts';
import {
  invite,
  newHome,
  newMember,
  pipeTo,
  sync,
  type TestMember,
  type TestResponder,
} from '../membership/testing/test-members.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { joinGroup } from './join-search.ts';

let home: Awaited<ReturnType<typeof newHome>>;

beforeEach(async () => {
  home = await newHome({ policy: { type: 'approval' } });
});

/** What `from` can reach: `linked` at once, `heard` in the local network, and `dialled` at their addresses. */
function reach(
  from: TestMember,
  at: {
    linked?: TestMember[];
    heard?: TestMember[];
    dialled?: Record<string, TestMember | undefined>;
    local?: boolean;
    /** Relays, and whom they name and forward to. */
    behind?: Map<TestMember, readonly TestResponder[]>;
  },
): Pick<MembershipSearchInit, 'endpoint' | 'pipes' | 'local' | 'clock' | 'relays'> {
  const { linked = [], heard = [], dialled = {}, local = heard.length > 0, behind = new Map() } = at;
  const ways = new Map<PeerId, PeerId>();
  const find = (peer: PeerId) =>
    [...linked, ...heard, ...Object.values(dialled)].find((each) => each?.identity.id === peer);
  const named = (relay: PeerId | undefined) =>
    [...behind].flatMap(([{ identity }, responders]) => (identity.id === relay ? responders : []));
  const linkTo = (member: TestMember | undefined): Link => {
    if (member === undefined) throw new PipevineError('unreachable', 'Nobody listens there.');
    // A search looks at no more of a link than this.
    return { remotePeer: member.identity.id } as Link;
  };
  return {
    clock: from.clock,
    relays: { told: (peer, relay) => void ways.set(peer, relay) },
    endpoint: {
      links: () => linked.map(linkTo),
      subscribe: () => ({ unsubscribe: () => undefined }),
      connect: async (peer) => linkTo(find(peer)),
      dial: async (address) => linkTo(dialled[address]),
    },
    pipes: {
      requester: async ({ peer, name }) => {
        if (name.startsWith('admission.')) {
          const responders = named(peer);
          if (responders.length === 0) throw new PipevineError('not-found', 'No such service.');
          const answer = encodeCanonical(responders.map(({ identity }) => peerIdToBytes(identity.id)));
          return { ...pipeTo(from.identity.id, home.other), request: async () => answer };
        }
        const to = find(peer) ?? named(ways.get(peer)).find(({ identity }) => identity.id === peer);
        if (to === undefined) throw new PipevineError('not-found', 'No such service.');
        return pipeTo(from.identity.id, to);
      },
    },
    local: local
      ? {
          admitting: () => heard.map(({ identity }) => ({ peer: identity.id, addresses: ['mem://x:1'] })),
          seekAdmission: () => ({ stop: () => undefined }),
        }
      : undefined,
  };
}

function joining(
  who: TestMember,
  at: Parameters<typeof reach>[1],
  by?: { code: string },
): ReturnType<typeof joinGroup> {
  const { groups, crypto, random, identity, application } = who;
  return who.clock.run(
    joinGroup({
      ...reach(who, at),
      by: by ?? { group: home.group, application },
      addresses: Object.keys(at.dialled ?? {}),
      name: 'edge',
      localPeer: identity.id,
      groups,
      crypto,
      random,
    }),
  );
}

describe('joining a group that somebody in reach admits to', () => {
  it('is done at a neighbour, at an address, or at who is heard', async () => {
    const { gateway, group, clock } = home;
    const { code } = await clock.run(gateway.service.invite(group, { uses: 3 }));
    const ways = [{ linked: [gateway] }, { dialled: { 'tcp://a:1': gateway } }, { heard: [gateway] }];
    for (const [i, way] of ways.entries()) {
      const outcome = await joining(newMember(10 + i, clock), way, { code });
      expect(outcome).toMatchObject({ state: 'joined', administrator: gateway.identity.id });
    }
  });

  it('waits for who comes later', async () => {
    const { gateway, edge, group, clock } = home;
    const { code } = await clock.run(gateway.service.invite(group));
    const dialled: Record<string, TestMember | undefined> = { 'tcp://a:1': undefined };
    clock.setTimer(3_500, () => {
      dialled['tcp://a:1'] = gateway;
    });
    expect(await joining(edge, { dialled }, { code })).toMatchObject({ state: 'joined' });
  });

  it('is pending when nobody has approved, and joined when one of them knows that somebody has', async () => {
    const { gateway, edge, other, group, clock } = home;
    await invite(gateway, group, other, ['member', 'administrator']);
    expect(await joining(edge, { linked: [gateway, other] })).toMatchObject({ state: 'pending', name: 'Home' });
    await sync(group, gateway, other);
    await clock.run(other.service.approve(group, edge.identity.id));
    expect(await joining(edge, { linked: [gateway, other] })).toMatchObject({ state: 'joined' });
  });

  it('says what the administrator said when it said no, and waits no longer for others than a second', async () => {
    const { gateway, edge, group, clock } = home;
    await joining(edge, { linked: [gateway] });
    await clock.run(gateway.service.reject(group, edge.identity.id));
    const beganMs = clock.monotonicMs();
    await expect(joining(edge, { linked: [gateway] })).rejects.toThrow(/rejected/);
    expect(clock.monotonicMs() - beganMs).toBeLessThan(1_500);
  });

  it('says when those who answered do not know the group, or nobody did', async () => {
    const { edge, other } = home;
    await expect(joining(edge, { linked: [other] })).rejects.toMatchObject({ code: 'not-found' });
    await expect(joining(edge, { dialled: { 'tcp://a:1': undefined } })).rejects.toMatchObject({ code: 'timeout' });
  });
});

describe('joining over a relay', () => {
  const inviting = async () => {
    const { gateway, group, other, clock } = home;
    const { code } = await clock.run(gateway.service.invite(group));
    return { code, behind: new Map([[other, [gateway]]]) };
  };

  it('is done at an administrator that the relay names', async () => {
    const { gateway, edge, other } = home;
    const { code, behind } = await inviting();
    const outcome = await joining(edge, { linked: [other], behind }, { code });
    expect(outcome).toMatchObject({ state: 'joined', administrator: gateway.identity.id });
  });

  it('is done so when the group is given by its id', async () => {
    const { edge, other } = home;
    const { behind } = await inviting();
    expect(await joining(edge, { linked: [other], behind })).toMatchObject({ state: 'pending', name: 'Home' });
  });

  it('costs one attempt each where the relay names others falsely, and tells them no secret', async () => {
    const { gateway, edge, other, clock } = home;
    const { code } = await inviting();
    const requests: number[] = [];
    const liars = [21, 22, 23, 24].map((byte): TestResponder => {
      const { identity } = newMember(byte, clock);
      const handle = async (body: Uint8Array) => {
        requests.push(body.length);
        expect(decodeMembershipRequest(body).type).toBe('apply');
        // What the gateway says of itself proves nothing about who repeats it.
        return gateway.service.handle(body, edge.identity.id);
      };
      return { identity, service: { handle } };
    });
    const second = newMember(25, clock);
    const lying = new Map<TestMember, readonly TestResponder[]>([[other, liars]]);
    const failing = joining(edge, { linked: [other], behind: lying }, { code });
    await expect(failing).rejects.toMatchObject({ code: 'not-found' });
    expect(requests).toHaveLength(4);
    const both = new Map<TestMember, readonly TestResponder[]>([...lying, [second, [gateway]]]);
    const outcome = await joining(edge, { linked: [other, second], behind: both }, { code });
    expect(outcome).toMatchObject({ state: 'joined', administrator: gateway.identity.id });
  });

  it('says that the address of a relay helps from elsewhere', async () => {
    const { edge } = home;
    const { code } = await inviting();
    await expect(joining(edge, { local: true }, { code })).rejects.toThrow(/relay of the group: --seed/);
  });
});

describe('finding groups', () => {
  const find = async (who: TestMember, at: Parameters<typeof reach>[1], name?: string) => {
    const found: string[] = [];
    const addresses = Object.keys(at.dialled ?? {});
    await who.clock.run(
      (async () => {
        const init = { ...reach(who, at), addresses, crypto: who.crypto, name };
        for await (const group of findGroups(init)) found.push(`${group.name} ${group.policy}`);
      })(),
    );
    return found;
  };

  it('finds each group once, whoever admits to it, and ends when all were asked', async () => {
    const { gateway, edge, other, group, clock } = home;
    await invite(gateway, group, other, ['member', 'administrator']);
    await clock.run(other.groups.create({ name: 'Garden', policy: { type: 'open' } }));
    const beganMs = clock.monotonicMs();
    const dialled = { 'tcp://a:1': other, 'tcp://b:1': undefined };
    expect((await find(edge, { linked: [gateway], dialled })).sort()).toEqual(['Garden open', 'Home approval']);
    expect(clock.monotonicMs() - beganMs).toBeLessThan(100);
    expect(await find(edge, { linked: [gateway, other] }, 'G*')).toEqual(['Garden open']);
    expect(await find(edge, {})).toEqual([]);
  });

  it('listens to the local network for 3 seconds', async () => {
    const { gateway, edge, clock } = home;
    const beganMs = clock.monotonicMs();
    expect(await find(edge, { heard: [gateway] })).toEqual(['Home approval']);
    expect(clock.monotonicMs() - beganMs).toBe(3_000);
  });
});
