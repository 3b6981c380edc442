import type { Pipe, PipevineError } from '@pipevine/runtime';
import { afterEach, describe, expect, it } from 'vitest';
import { groupOf } from '../simulator/household.ts';
import { addressOf } from '../simulator/overlay.ts';
import type { Machine } from '../simulator/simulation.ts';
import { DAY, failureOf, HOUR, Home, MINUTE } from './home.ts';

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
    const [revoked, other] = which === 'binder' ? pipes : [pipes[1], pipes[0]];
    let ending: PipevineError | undefined;
    other.closed.then((error) => {
      ending = error;
    });
    await clock.run(groupOf(gateway).revoke((which === 'binder' ? a : b).peer.id));
    const isCut = () =>
      !revoked.connected && ending !== undefined && [gateway, second].every((one) => forwarded(one) === 0);
    await clock.runUntil(isCut, MINUTE);
    expect(ending?.code).toBe('revoked');
    // Nobody tells it; it waits for another way, in vain.
    expect((await clock.run(revoked.closed))?.code).toBe('timeout');
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
    // It hears of that when it asks for its credential anew.
    await home.clock.runFor(5 * MINUTE);
    expect(groupOf(second).relays().serving).toBe(false);
    expect(forwarded(second)).toBe(0);
    await expectDelivery(one, 'over the other');
  });

  it('whose credential runs out is no relay any more', async () => {
    const one = await scene('expired relay');
    await overSecond(one);
    const { second, a, b } = one;
    const { clock, simulation, gateway } = home;
    // It cannot renew: it reaches the edges, which renew theirs in time, and nobody that could. They look through credentials
    // once an hour.
    simulation.network.partition(['second'], ['gateway']);
    for (const days of [40, 6]) {
      clock.stepWall(days * DAY);
      await clock.runFor(HOUR);
    }
    expect(forwarded(second)).toBe(0);
    for (const edge of [a, b]) expect(relays(edge)).toEqual([gateway.peer.id]);
    const again = await clock.run(groupOf(a).connect({ peer: b.peer.id, name: 'chat', timeoutMs: MINUTE }));
    expect(again.path?.via).toBe(gateway.peer.id);
  }, 120_000);
});
