import { afterEach, describe, expect, it } from 'vitest';
import { groupOf } from '../simulator/household.ts';
import { addressOf, discovered } from '../simulator/overlay.ts';
import type { Machine } from '../simulator/simulation.ts';
import { DAY, failureOf, HOUR, Home, identityOf, MINUTE } from './home.ts';

const SEEDS = ['gateway', 'second', 'third'];
let home: Home;

afterEach(async () => {
  await home.simulation.finish();
});

const namesOf = (machines: readonly Machine[]) => machines.map(({ name }) => name);
const rolesOf = (machine: Machine) => groupOf(machine).credential?.roles;

describe('two administrators on two sides of a partition', () => {
  async function divided() {
    home = await Home.make('administrators');
    const second = await home.administrator('second');
    const third = await home.administrator('third', ['gateway', 'second']);
    const edges: Machine[] = [];
    for (const name of ['x', 'y', 'z', 'onlooker']) edges.push(await home.edge(name, undefined, SEEDS));
    const [x, y, z, onlooker] = edges as [Machine, Machine, Machine, Machine]; // There are four.
    await home.clock.runFor(MINUTE);
    const left = [home.gateway, second, y];
    const right = [third, x, z, onlooker];
    home.simulation.network.partition(namesOf(left), namesOf(right));
    await home.clock.runFor(2 * MINUTE);
    return { second, third, x, y, z, onlooker, all: [...left, ...right] };
  }

  it('who revoke and grant at once agree afterwards, and the revocation has won', async () => {
    const { second, third, x, y, z, onlooker, all } = await divided();
    const { clock, simulation } = home;
    const onLeft = groupOf(second);
    const onRight = groupOf(third);
    await clock.run(
      Promise.all([
        onLeft.revoke(x.peer.id),
        onRight.grant(x.peer.id, { roles: ['gateway', 'administrator'], capabilities: [] }),
        onLeft.grant(y.peer.id, { roles: ['gateway', 'administrator'], capabilities: [] }),
        onRight.revoke(y.peer.id),
        onLeft.grant(z.peer.id, { roles: ['guest'], capabilities: [] }),
      ]),
    );
    // Later, and so what counts.
    await clock.runFor(5_000);
    await clock.run(onRight.grant(z.peer.id, { roles: ['member', 'host'], capabilities: [] }));
    await clock.runFor(MINUTE);
    const administers = ['gateway', 'administrator'];
    expect([x, y].map(rolesOf)).toEqual([administers, administers]);

    simulation.network.heal();
    await clock.runFor(3 * MINUTE);
    for (const machine of all.filter((one) => one !== x && one !== y)) {
      expect(await home.lookups([machine]), machine.name).toEqual([2]);
    }
    for (const administrator of [home.gateway, second, third]) {
      for (const revoked of [x, y]) {
        const attempt = groupOf(revoked).requester({ peer: administrator.peer.id, name: 'resolver' });
        const code = (await clock.run(failureOf(attempt)))?.code;
        expect(code, `${revoked.name} at ${administrator.name}`).toBe('revoked');
      }
      const members = await clock.run(groupOf(administrator).memberList());
      const valid = members.filter((one) => !one.revoked).map(({ peer }) => peer);
      expect(valid).not.toContain(x.peer.id);
      expect(valid).not.toContain(y.peer.id);
      expect(members.find(({ peer }) => peer === z.peer.id)).toMatchObject({ roles: ['member', 'host'] });
    }
    expect(rolesOf(z)).toEqual(['member', 'host']);
    expect(rolesOf(onlooker)).toEqual(['member']);
  });

  it('who would revoke each other cannot, and are told where to do it', async () => {
    const { second, third } = await divided();
    const { clock } = home;
    for (const [by, whom] of [
      [second, third],
      [third, second],
    ] as const) {
      expect(await clock.run(failureOf(groupOf(by).revoke(whom.peer.id)))).toMatchObject({
        code: 'refused',
        message: expect.stringContaining('authority'),
      });
    }
  });
});

describe('a group whose only administrator is gone for a month', { timeout: 60_000 }, () => {
  it('goes on, and renews when it is back', async () => {
    home = await Home.make('month');
    const { clock, gateway } = home;
    const edges = [await home.edge('one'), await home.edge('two', undefined, ['gateway', 'one'])];
    await clock.runFor(MINUTE);
    // As old as a credential gets before it is renewed.
    clock.stepWall(6.9 * DAY);
    await clock.run(gateway.stop());
    const ends = edges.map((edge) => groupOf(edge).credential?.notAfterMs ?? 0);
    for (let day = 0; day < 31; day++) {
      clock.stepWall(DAY - 61 * MINUTE);
      await clock.runFor(61 * MINUTE);
      if (day % 5 === 0) expect(await home.lookups(edges), `day ${day}`).toEqual([2, 2]);
    }
    expect(edges.map((edge) => groupOf(edge).credential?.notAfterMs)).toEqual(ends);
    await clock.run(gateway.start());
    await clock.runFor(3 * HOUR);
    for (const edge of edges) {
      expect(groupOf(edge).credential?.notAfterMs).toBeGreaterThan(clock.wallMs() + 44 * DAY);
    }
    expect(await home.lookups(edges)).toEqual([2, 2]);
  });
});

describe('a member that was revoked', () => {
  it('loses its running pipes within 60 s while it is online', async () => {
    home = await Home.make('running pipes');
    const { clock, gateway } = home;
    const [one, thief] = [await home.edge('one'), await home.edge('thief')];
    const ended: (string | undefined)[] = [];
    groupOf(one).listen({ name: 'chat' }, (pipe) => void pipe.closed.then((error) => ended.push(error?.code)));
    await clock.run(discovered(thief, { kind: 'peer' }));
    const pipe = await clock.run(groupOf(thief).connect({ peer: one.peer.id, name: 'chat' }));
    void pipe.closed.then((error) => ended.push(error?.code));
    await clock.run(pipe.send(new Uint8Array(1)));
    await clock.run(groupOf(gateway).revoke(thief.peer.id));
    await clock.runUntil(() => ended.length === 2, MINUTE, 'both ends of the pipe are closed');
    expect(ended).toEqual(['revoked', 'revoked']);
    const again = groupOf(thief).connect({ peer: one.peer.id, name: 'chat' });
    expect(await clock.run(failureOf(again))).toMatchObject({ code: 'revoked' });
    expect(await home.lookups([one])).toEqual([1]);
  });

  it('is refused at the latest when its credential ends, and as soon as the news arrives', async () => {
    home = await Home.make('offline');
    const { clock, gateway } = home;
    const credential = await home.credential('thief', ['member']);
    const one = await home.edge('one');
    // The thief stays away, while all others renew.
    for (let day = 0; day < 20; day++) {
      clock.stepWall(DAY - 61 * MINUTE);
      await clock.runFor(61 * MINUTE);
    }
    await clock.run(one.stop());
    await clock.run(groupOf(gateway).revoke(identityOf('thief').id));
    gateway.crash();
    await clock.run(one.start());
    const thief = home.raw('thief', credential);
    const attempt = async () => {
      await clock.run(thief.link(addressOf('one')));
      return (await clock.run(failureOf(thief.open(one.peer.id, 'resolver'))))?.code;
    };
    // Nobody has told it yet.
    expect(await attempt()).toBeUndefined();
    clock.stepWall(26 * DAY);
    expect(await attempt()).toBe('expired');
    clock.stepWall(-26 * DAY);
    expect(await attempt()).toBeUndefined();
    await clock.run(gateway.start());
    await clock.runFor(2 * MINUTE);
    expect(await attempt()).toBe('revoked');
  });
});
