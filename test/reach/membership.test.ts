import { createEdgePeer, type MembershipPolicy, type Peer, PipevineError } from '@pipevine/runtime';
import { afterEach, describe, expect, it } from 'vitest';
import { DAY, HOUR, Home, MINUTE } from '../faults/home.ts';
import { groupOf } from '../simulator/household.ts';
import { addressOf } from '../simulator/overlay.ts';
import type { Machine } from '../simulator/simulation.ts';

let home: Home;

afterEach(() => home.simulation.finish());

const used = (relay: Machine, name: string) => relay.peer.status().queues[name]?.used;

/** A gateway that administers and a relay that does not; whoever else there is reaches the relay only. */
async function scene(seed: string, policy?: MembershipPolicy) {
  home = await Home.make(seed, {}, policy && { policy });
  const { clock, simulation, gateway } = home;
  const relay = await simulation.start('relay', {
    roles: ['gateway'],
    listen: [addressOf('relay')],
    seeds: [addressOf(gateway.name)],
    rendezvous: 'always',
    localDiscovery: false,
  });
  const code = await clock.run(gateway.peer.invite(home.id, { roles: ['gateway'] }));
  await clock.run(relay.peer.join(code, { addresses: [addressOf(gateway.name)] }));
  await clock.runUntil(() => groupOf(gateway).relays().leases.includes(relay.peer.id), MINUTE);
  return { gateway, relay };
}

/** A member that has joined at the gateway, and reaches the relay only from then on. */
async function memberElsewhere(name: string): Promise<Machine> {
  const edge = await home.simulation.start(name, {
    seeds: [addressOf('relay')],
    localDiscovery: false,
    create: (init) => createEdgePeer(init),
  });
  const code = await home.clock.run(home.gateway.peer.invite(home.id));
  await home.clock.run(edge.peer.join(code, { addresses: [addressOf('gateway')] }));
  home.simulation.network.partition([name], ['gateway']);
  const isApart = () =>
    groupOf(edge).relays().leases.length === 1 &&
    edge.peer.status().links.every(({ peer }) => peer !== home.gateway.peer.id);
  await home.clock.runUntil(isApart, 2 * MINUTE);
  return edge;
}

/** A peer in no group that reaches the relay only. */
async function strangerElsewhere(name: string): Promise<Machine> {
  const stranger = await home.simulation.start(name, { localDiscovery: false });
  home.simulation.network.partition([name], ['gateway']);
  return stranger;
}

describe('a member that reaches its administrator over a relay only', () => {
  it('renews its membership', async () => {
    const { relay } = await scene('renewal');
    const edge = await memberElsewhere('edge');
    const before = groupOf(edge).credential?.notAfterMs ?? Infinity;
    home.clock.stepWall(9 * DAY);
    await home.clock.runUntil(() => (groupOf(edge).credential?.notAfterMs ?? 0) > before, 2 * HOUR);
    await home.clock.runFor(2 * MINUTE);
    expect(used(relay, 'relayed admissions of members')).toBe(0);
  });

  it('resigns, and the administrator hears of it', async () => {
    const { gateway } = await scene('resignation');
    const edge = await memberElsewhere('edge');
    const id = edge.peer.id;
    await home.clock.run(edge.peer.resign(home.id));
    const members = await home.clock.run(groupOf(gateway).memberList());
    expect(members.some(({ peer, revoked }) => peer === id && !revoked)).toBe(false);
  });

  it('hears that it is revoked', async () => {
    const { gateway } = await scene('revocation');
    const edge = await memberElsewhere('edge');
    await home.clock.run(groupOf(gateway).revoke(edge.peer.id));
    await home.clock.runUntil(() => groupOf(edge).relays().leases.length === 0, MINUTE);
  });
});

describe('a peer that reaches a relay of the group only', () => {
  const atRelay = { addresses: [addressOf('relay')] };
  const isMember = (peer: Peer) => peer.groups.some(({ id }) => id === home.id);

  it('joins by a code, and is a member like any other', async () => {
    const { gateway } = await scene('join');
    const stranger = await strangerElsewhere('stranger');
    const code = await home.clock.run(gateway.peer.invite(home.id));
    const group = await home.clock.run(stranger.peer.join(code, atRelay));
    expect(group.name).toBe('home');
    await home.clock.runUntil(() => group.relays().leases.length === 1, MINUTE);
    groupOf(gateway).serve({ name: 'echo' }, async (body) => body);
    const echo = await home.clock.run(group.requester({ peer: gateway.peer.id, name: 'echo' }));
    expect(await home.clock.run(echo.request(Uint8Array.of(7)))).toEqual(Uint8Array.of(7));
  });

  it('joins by a link that names the relay', async () => {
    const { gateway } = await scene('link');
    const stranger = await strangerElsewhere('stranger');
    const code = await home.clock.run(gateway.peer.invite(home.id));
    const seeds = ['gateway', 'relay'].map((name) => `seed=${encodeURIComponent(addressOf(name))}`);
    await home.clock.run(stranger.peer.join(`pipevine://join/${code}?${seeds.join('&')}`));
    expect(isMember(stranger.peer)).toBe(true);
  });

  it('applies, is approved while it waits, and becomes a member', async () => {
    const { gateway } = await scene('approval', { type: 'approval' });
    const stranger = await strangerElsewhere('stranger');
    const outcome = await home.clock.run(stranger.peer.joinGroup(home.id, atRelay));
    expect(outcome.state).toBe('pending');
    const [applicant] = groupOf(gateway).applicants();
    expect(applicant?.peer).toBe(stranger.peer.id);
    await home.clock.run(groupOf(gateway).approve(applicant?.serial ?? ''));
    await home.clock.runUntil(() => isMember(stranger.peer), 10 * MINUTE);
  });

  it('applies to a quorum, of which each is asked over the relay', async () => {
    home = await Home.make('quorum');
    const { clock, simulation, gateway } = home;
    const relay = await home.administrator('relay');
    const second = await simulation.start('second', { seeds: [addressOf('relay')], localDiscovery: false });
    const code = await clock.run(gateway.peer.invite(home.id));
    await clock.run(second.peer.join(code, { addresses: [addressOf('gateway')] }));
    const approvers = [gateway, second].map(({ peer }) => peer.id);
    const policy = { type: 'quorum', needed: 2, approvers } as const;
    const { id } = await clock.run(gateway.peer.createGroup({ name: 'club', policy }));
    const clubCode = await clock.run(gateway.peer.invite(id, { roles: ['gateway'], uses: 2 }));
    for (const { peer } of [relay, second]) await clock.run(peer.join(clubCode, { addresses: [addressOf('gateway')] }));
    const clubOf = ({ peer }: Machine) => peer.group(id);
    await clock.runUntil(
      () => [gateway, second].every((one) => clubOf(one)?.relays().leases.includes(relay.peer.id)),
      2 * MINUTE,
    );
    const stranger = await simulation.start('stranger', { localDiscovery: false });
    simulation.network.partition(['stranger'], ['gateway', 'second']);
    expect((await clock.run(stranger.peer.joinGroup(id, atRelay))).state).toBe('pending');
    for (const one of [gateway, second]) {
      await clock.runUntil(() => clubOf(one)?.applicants().length === 1, MINUTE);
      await clock.run(clubOf(one)?.approve(clubOf(one)?.applicants()[0]?.serial ?? '') ?? Promise.resolve());
    }
    await clock.runUntil(() => stranger.peer.group(id) !== undefined, 10 * MINUTE);
  });

  it('is told by the relay who admits only if it knows the group', async () => {
    await scene('fingerprint');
    const stranger = await strangerElsewhere('stranger');
    const other = await home.simulation.start('other', { localDiscovery: false });
    const { id } = await home.clock.run(other.peer.createGroup({ name: 'other' }));
    const code = await home.clock.run(other.peer.invite(id));
    const joining = stranger.peer.join(code, { ...atRelay, timeoutMs: 3_000 });
    const failure = await home.clock.run(joining.catch((error: unknown) => error));
    expect(failure).toBeInstanceOf(PipevineError);
    expect(failure).toMatchObject({ code: 'not-found', message: expect.stringMatching(/--seed/) });
  });
});
