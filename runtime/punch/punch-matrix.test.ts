import { expect, test } from 'vitest';
import type { Pipe } from '../pipe/pipe.ts';
import type { NatKind } from './testing/nat-network.ts';
import { type PunchPeer, PunchWorld } from './testing/punch-world.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

async function behind(left: NatKind, right: NatKind, seeds: readonly [string, string] = ['left', 'right']) {
  const world = new PunchWorld();
  await world.relay('r1', '198.51.100.1');
  await world.relay('r2', '198.51.100.2');
  const isOpen = (kind: NatKind): boolean => kind === 'none' || kind === 'firewall';
  const place = (nat: NatKind, ip: string, outside: string) =>
    isOpen(nat) ? { nat, ip: outside } : { nat, ip, outside };
  const a = await world.client('a', { ...place(left, '10.1.0.2', '203.0.113.1'), seed: seeds[0] });
  const b = await world.client('b', { ...place(right, '10.2.0.2', '203.0.113.2'), seed: seeds[1] });
  return { world, a, b, pipes: await world.relayedPipe(a, b) };
}

/** Whether what is sent into one end comes out of the other. */
async function carries(world: PunchWorld, [from, to]: readonly [Pipe, Pipe]): Promise<void> {
  const came: string[] = [];
  to.receive((message) => void came.push(new TextDecoder().decode(message)));
  await world.clock.run(from.send(bytes('hello')));
  await world.clock.run(from.flush());
  expect(came).toEqual(['hello']);
}

const linked = (from: PunchPeer, to: PunchPeer) => from.endpoint.linkTo(to.identity.id) !== undefined;

const DIRECT: readonly (readonly [NatKind, NatKind])[] = [
  ['none', 'symmetric'],
  ['firewall', 'firewall'],
  ['cone', 'cone'],
  ['cone', 'full-cone'],
  ['full-cone', 'cone'],
  ['full-cone', 'full-cone'],
  ['full-cone', 'symmetric'],
  ['symmetric', 'full-cone'],
  ['symmetric', 'none'],
];

// Who has the smaller id dials first: both orders.
test.each(DIRECT.flatMap(([left, right]) => [[left, right, 'x', 'y'] as const, [left, right, 'y', 'x'] as const]))(
  '%s and %s come to one direct link, and the pipe moves to it (ids %s, %s)',
  async (left, right, seedOfA, seedOfB) => {
    const { world, a, b, pipes } = await behind(left, right, [seedOfA, seedOfB]);
    expect(pipes[0].path?.type).toBe('relayed');
    expect(a.punch.report(b.identity.id)?.state).toBe('trying');
    await world.clock.runUntil(() => pipes[0].path?.type === 'direct' && pipes[1].path?.type === 'direct', 5_000);
    await world.clock.runFor(10_000);
    expect(a.punch.report(b.identity.id)?.state).toBe('direct');
    expect([linked(a, b), linked(b, a)]).toEqual([true, true]);
    // Two relays and one another.
    expect([a.endpoint.counters.links, b.endpoint.counters.links]).toEqual([3, 3]);
    await carries(world, pipes);
    expect(a.punch.status()).toMatchObject({
      'punch attempts under way': { used: 0 },
      'punch tokens': { used: 0 },
      'punch links': { used: 1 },
    });
  },
);

test.each<[NatKind, NatKind, RegExp]>([
  ['symmetric', 'symmetric', /both peers are behind NATs .* \(symmetric\); the relay goes on/],
  [
    'symmetric',
    'cone',
    /this peer is behind a NAT .* \(symmetric\), and the NAT of the other peer lets in only answers/,
  ],
  [
    'cone',
    'symmetric',
    /the other peer is behind a NAT .* \(symmetric\), and the NAT of this peer lets in only answers/,
  ],
])('%s and %s stay on the relay and say why', async (left, right, reason) => {
  const { world, a, b, pipes } = await behind(left, right);
  await world.clock.runFor(15_000);
  expect([linked(a, b), linked(b, a)]).toEqual([false, false]);
  const report = a.punch.report(b.identity.id);
  expect(report).toMatchObject({ state: 'impossible', reason: expect.stringMatching(reason) });
  expect(report?.candidates).toContain('udp://10.2.0.2:4001');
  expect(pipes[0].path?.type).toBe('relayed');
  await carries(world, pipes);
  // Nothing is tried again for minutes.
  const sent = world.nats.sentTo.get('203.0.113.2');
  await world.clock.runFor(300_000);
  expect(world.nats.sentTo.get('203.0.113.2')).toBe(sent);
});

test('both sides may begin at once', async () => {
  const { world, a, b, pipes } = await behind('cone', 'cone');
  b.punch.relayed(a.identity.id, world.id);
  await world.clock.runUntil(() => pipes[1].path?.type === 'direct', 5_000);
  await world.clock.runFor(10_000);
  expect([a.endpoint.counters.links, b.endpoint.counters.links]).toEqual([3, 3]);
  expect([a, b].map(({ punch }) => punch.status()['punch attempts under way']?.used)).toEqual([0, 0]);
});

test('two handshakes at once, one from each side, leave one link', async () => {
  const world = new PunchWorld();
  await world.relay('r1', '198.51.100.1');
  const a = await world.client('a', { ip: '203.0.113.1' });
  const b = await world.client('b', { ip: '203.0.113.2' });
  await world.clock.run(
    Promise.all([
      a.endpoint.connect(b.identity.id, { heardAt: 'udp://203.0.113.2:4001' }),
      b.endpoint.connect(a.identity.id, { heardAt: 'udp://203.0.113.1:4001' }),
    ]),
  );
  await world.clock.runFor(5_000);
  expect([a.endpoint.counters.links, b.endpoint.counters.links]).toEqual([2, 2]);
  expect([linked(a, b), linked(b, a)]).toEqual([true, true]);
});

test('a peer that gets out of its symmetric NAT is tried again, and with one relay nobody is given up for good', async () => {
  const world = new PunchWorld();
  await world.relay('r1', '198.51.100.1');
  const a = await world.client('a', { nat: 'symmetric', ip: '10.1.0.2', outside: '203.0.113.1' });
  const b = await world.client('b', { nat: 'cone', ip: '10.2.0.2', outside: '203.0.113.2' });
  const pipes = await world.relayedPipe(a, b);
  await world.clock.runFor(10_000);
  expect(a.punch.report(b.identity.id)).toMatchObject({
    state: 'resting',
    reason: expect.stringMatching(/no packet came through/),
  });
  a.host.box.become('cone');
  a.punch.networkChanged();
  await world.clock.runUntil(() => pipes[0].path?.type === 'direct', 5_000);
});

test('a link whose NAT forgot its mappings is punched again, over the relay meanwhile', async () => {
  const { world, a, b, pipes } = await behind('cone', 'cone');
  await world.clock.runUntil(() => pipes[0].path?.type === 'direct', 5_000);
  await world.clock.runFor(20_000);
  a.host.box.forget();
  b.host.box.forget();
  await world.clock.runUntil(() => !linked(a, b), 60_000);
  await world.clock.runUntil(() => pipes[0].path?.type === 'relayed', 5_000);
  a.punch.relayed(b.identity.id, world.id);
  await world.clock.runUntil(() => pipes[0].path?.type === 'direct' && pipes[1].path?.type === 'direct', 5_000);
  await carries(world, pipes);
});

test.each([
  ['x', 'y'],
  ['y', 'x'],
] as const)('one side may lose the link long before the other notices (ids %s, %s)', async (seedOfA, seedOfB) => {
  const { world, a, b, pipes } = await behind('symmetric', 'full-cone', [seedOfA, seedOfB]);
  await world.clock.runUntil(() => pipes[0].path?.type === 'direct', 5_000);
  await world.clock.runFor(20_000);
  const stale = b.endpoint.linkTo(a.identity.id);
  // Both ports are others now: what A knew leads nowhere, and B does not hear the end of the link.
  a.host.box.forget();
  b.host.box.forget();
  a.endpoint.linkTo(b.identity.id)?.close('done', '');
  await world.clock.runUntil(() => !linked(a, b), 5_000);
  expect(b.endpoint.linkTo(a.identity.id)).toBe(stale);
  a.punch.relayed(b.identity.id, world.id);
  await world.clock.runUntil(() => linked(a, b), 3_000);
  await world.clock.runUntil(() => pipes[0].path?.type === 'direct', 5_000);
  await world.clock.runUntil(() => b.endpoint.linkTo(a.identity.id) !== stale, 3_000);
  await carries(world, pipes);
});

test('a peer without UDP does nothing, and the other says why it stays on the relay', async () => {
  const world = new PunchWorld();
  await world.relay('r1', '198.51.100.1');
  const a = await world.client('a', { nat: 'cone', ip: '10.1.0.2', outside: '203.0.113.1' });
  const b = await world.client('b', { ip: '10.2.0.2', udp: false });
  await world.relayedPipe(a, b);
  b.punch.relayed(a.identity.id, world.id);
  await world.clock.runFor(5_000);
  expect(b.punch.report(a.identity.id)).toBeUndefined();
  expect(a.punch.report(b.identity.id)?.state).toBe('impossible');
});
