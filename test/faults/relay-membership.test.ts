import type { Pipe, PipevineError } from '@pipevine/runtime';
import { afterEach, describe, expect, it } from 'vitest';
import { groupOf } from '../simulator/household.ts';
import { addressOf } from '../simulator/overlay.ts';
import type { Machine } from '../simulator/simulation.ts';
import { DAY, failureOf, HOUR, Home, MINUTE } from './home.ts';

/** Longer than a credential is valid. */
const LIFETIME_MS = 46 * DAY;

let home: Home;

afterEach(() => home.simulation.finish());

interface Scene {
  readonly second: Machine;
  readonly a: Machine;
  readonly b: Machine;
  /** Bound by a; goes over a relay. */
  readonly pipes: readonly [Pipe, Pipe];
  readonly got: string[];
}

const relays = (edge: Machine) => groupOf(edge).relays().leases;
const forwarded = (relay: Machine) => relay.peer.status().queues['relayed pipes']?.used;

/** Two edges that reach two relays, and not each other. */
async function scene(seed: string): Promise<Scene> {
  home = await Home.make(seed);
  const { clock, gateway, simulation } = home;
  const second = await simulation.start('second', {
    roles: ['gateway'],
    listen: [addressOf('second')],
    seeds: [addressOf(gateway.name)],
    localDiscovery: false,
  });
  const code = await clock.run(gateway.peer.invite(home.id, { roles: ['gateway'] }));
  await clock.run(second.peer.join(code, { addresses: [addressOf(gateway.name)] }));
  const a = await home.edge('a', undefined, ['gateway', 'second']);
  const b = await home.edge('b', undefined, ['gateway', 'second']);
  simulation.network.partition(['a'], ['b']);
  await clock.runUntil(() => [a, b].every((edge) => relays(edge).length === 2), MINUTE);
  await clock.runFor(5_000);
  const got: string[] = [];
  const accepted = Promise.withResolvers<Pipe>();
  groupOf(b).listen({ name: 'chat' }, (pipe) => {
    pipe.receive((message) => void got.push(new TextDecoder().decode(message)));
    accepted.resolve(pipe);
  });
  const pipe = await clock.run(groupOf(a).connect({ peer: b.peer.id, name: 'chat', timeoutMs: MINUTE }));
  expect([gateway.peer.id, second.peer.id]).toContain(pipe.path?.via);
  return { second, a, b, pipes: [pipe, await clock.run(accepted.promise)], got };
}

async function expectDelivery({ pipes, got }: Scene, message: string): Promise<void> {
  await home.clock.run(pipes[0].send(new TextEncoder().encode(message)));
  await home.clock.run(pipes[0].flush());
  expect(got).toEqual([message]);
}

describe('a member that is revoked', () => {
  it.each(['binder', 'acceptor'] as const)('loses its relayed pipes within 60 s (%s)', async (which) => {
    const { second, a, b, pipes } = await scene(which);
    const { clock, gateway } = home;
    const endings: (PipevineError | undefined)[] = [];
    for (const pipe of pipes) pipe.closed.then((error) => endings.push(error));
    await clock.run(groupOf(gateway).revoke((which === 'binder' ? a : b).peer.id));
    for(let i=0;i<60;i++){ await clock.runFor(1000); console.log('XX', i, pipes.map(p=>[p.connected,p.path?.via?.slice(-4)].join()).join('|'), endings.map(String), [gateway, second].map(forwarded)); }
    await clock.runUntil(() => endings.length === 2, MINUTE);
    expect(endings.map((error) => error?.code)).toContain('revoked');
    console.log(
      'XX',
      clock.monotonicMs(),
      endings.map(String),
      forwarded(gateway),
      forwarded(second),
      [gateway, second].map((m) => m.peer.status().queues['relayed pipes']),
    );
    await clock.runUntil(() => [gateway, second].every((relay) => forwarded(relay) === 0), MINUTE);
    const [from, to] = which === 'binder' ? [a, b] : [b, a];
    groupOf(to).listen({ name: 'again' }, () => undefined);
    const again = Promise.resolve().then(() => groupOf(from).connect({ peer: to.peer.id, name: 'again' }));
    expect(await clock.run(failureOf(again))).toBeDefined();
  });
});

describe('a relay', () => {
  /** Moves the pipe to the second relay, which is to lose its office. */
  async function overSecond(one: Scene): Promise<void> {
    const { pipes, second, a } = one;
    const { clock, simulation, gateway } = home;
    if (pipes[0].path?.via === second.peer.id) return;
    simulation.network.partition(['a'], ['gateway']);
    await clock.run(pipes[0].send(new Uint8Array(0)));
    await clock.runUntil(() => pipes[0].path?.via === second.peer.id, MINUTE);
    simulation.network.heal();
    simulation.network.partition(['a'], ['b']);
    await clock.runUntil(() => relays(a).includes(gateway.peer.id), MINUTE);
    await clock.runUntil(() => one.got.length === 1, MINUTE);
    one.got.length = 0;
  }

  it('that is revoked relays no more within 60 s, and pipes go on over the other', async () => {
    const one = await scene('revoked relay');
    await overSecond(one);
    const { second, a, b, pipes } = one;
    await home.clock.run(groupOf(home.gateway).revoke(second.peer.id));
    await home.clock.runUntil(() => pipes.every(({ path }) => path?.via === home.gateway.peer.id), MINUTE);
    await home.clock.runUntil(() => [a, b].every((edge) => !relays(edge).includes(second.peer.id)), MINUTE);
    expect(forwarded(second)).toBe(0);
    await expectDelivery(one, 'over the other');
  });

  it('that loses the capability, and stays a member, relays no more within 60 s', async () => {
    const one = await scene('demoted relay');
    await overSecond(one);
    const { second, a, b, pipes } = one;
    const grant = { roles: ['member'], capabilities: [] };
    await home.clock.run(groupOf(home.gateway).grant(second.peer.id, grant));
    await home.clock.runUntil(() => pipes.every(({ path }) => path?.via === home.gateway.peer.id), MINUTE);
    await home.clock.runUntil(() => [a, b].every((edge) => !relays(edge).includes(second.peer.id)), MINUTE);
    console.log('XX demoted', groupOf(second).relays());
    await home.clock.runFor(5 * MINUTE);
    console.log('XX demoted', groupOf(second).relays());
    expect(forwarded(second)).toBe(0);
    await expectDelivery(one, 'over the other');
  });

  it('whose credential runs out is no relay any more', async () => {
    const one = await scene('expired relay');
    await overSecond(one);
    const { second, a, b, pipes } = one;
    const { clock, simulation, gateway } = home;
    // It cannot renew: it reaches the edges, and nobody that could.
    simulation.network.partition(['second'], ['gateway']);
    for (const days of [40, 6]) {
      clock.stepWall(days * DAY);
      await clock.runFor(2 * HOUR);
    }
    console.log(
      'XX expired',
      groupOf(second).relays(),
      [a, b].map(relays),
      gateway.peer.id,
      pipes.map((p) => p.path),
      forwarded(second),
    );
    expect(forwarded(second)).toBe(0);
    for (const edge of [a, b]) expect(relays(edge)).toEqual([gateway.peer.id]);
    expect(pipes[0].path?.via).toBe(gateway.peer.id);
    await expectDelivery(one, 'over the other');
  });
});
