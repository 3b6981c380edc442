import { describe, expect, test } from 'vitest';
import { startClient, startRelay } from '../relay/testing/relayed-overlay.ts';
import type { Pipe, PipePriority } from './pipe.ts';
import { keepBusy, type Latencies, latencies } from './testing/latency.ts';
import { bindPair, cutLinks, numbered, numberOf, Overlay, type TestPeer } from './testing/overlay.ts';

/** 1 Mbit/s with a long queue, as the uplink of a house has it. */
const SLOW = { delayMs: 10, bytesPerSecond: 125_000, queueBytes: 1_000_000 };

async function bind(overlay: Overlay, a: TestPeer, b: TestPeer, priority: PipePriority): Promise<[Pipe, Pipe]> {
  const pair = await bindPair(overlay, a, b, 'secure');
  for (const pipe of pair) pipe.priority = priority;
  return pair;
}

/** Latencies of control messages with nothing else under way and beside a transfer, and the transfer's bytes a second. */
async function besideTransfer(overlay: Overlay, a: TestPeer, b: TestPeer, priority: PipePriority) {
  const alone = await latencies(overlay.clock, await bind(overlay, a, b, 'control'));
  const control = await bind(overlay, a, b, 'control');
  const transfer = keepBusy(await bind(overlay, a, b, priority), 16_000);
  await overlay.clock.runFor(2_000);
  const before = { received: transfer.received(), ms: overlay.clock.monotonicMs() };
  const beside: Latencies = await latencies(overlay.clock, control);
  const bytesPerSecond = (transfer.received() - before.received) / ((overlay.clock.monotonicMs() - before.ms) / 1_000);
  return { alone, beside, bytesPerSecond };
}

describe('over 1 Mbit/s, control messages', () => {
  test.each(['mem', 'memd'] as const)(
    'wait for tens of ms at most while a bulk transfer fills the link (%s)',
    async (scheme) => {
      const overlay = new Overlay(1, SLOW);
      const a = await overlay.peer('a', { scheme });
      const b = await overlay.peer('b', { scheme });
      const { alone, beside, bytesPerSecond } = await besideTransfer(overlay, a, b, 'bulk');
      expect(beside.received).toBe(beside.sent);
      expect(beside.p50Ms).toBeLessThan(alone.p50Ms + 60);
      expect(beside.maxMs).toBeLessThan(alone.maxMs + 100);
      expect(bytesPerSecond).toBeGreaterThan(0.8 * SLOW.bytesPerSecond);
    },
  );

  test('wait little longer over a relay', async () => {
    const overlay = new Overlay(1, { delayMs: 10 });
    const relay = await startRelay(overlay, 'r');
    const a = await startClient(overlay, 'a', [relay]);
    const b = await startClient(overlay, 'b', [relay]);
    overlay.network.setConditions(SLOW);
    const { alone, beside, bytesPerSecond } = await besideTransfer(overlay, a, b, 'bulk');
    expect(beside.received).toBe(beside.sent);
    expect(beside.maxMs).toBeLessThan(alone.maxMs + 150);
    expect(bytesPerSecond).toBeGreaterThan(0.7 * SLOW.bytesPerSecond);
  });
});

describe('bulk pipes', () => {
  test('share a link fairly, and with many of them it is not slower for others', async () => {
    const overlay = new Overlay(1, SLOW);
    const [a, b] = [await overlay.peer('a'), await overlay.peer('b')];
    const control = await bind(overlay, a, b, 'control');
    const transfers = [];
    for (let i = 0; i < 8; i++) transfers.push(keepBusy(await bind(overlay, a, b, 'bulk'), 4_000));
    await overlay.clock.runFor(2_000);
    const before = transfers.map((transfer) => transfer.received());
    const beside = await latencies(overlay.clock, control, { count: 1_000 });
    const got = transfers.map((transfer, i) => transfer.received() - (before[i] ?? 0));
    expect(beside.maxMs).toBeLessThan(180);
    expect(Math.min(...got) * 2).toBeGreaterThan(Math.max(...got));
  });

  test('follow the link when it becomes faster, and when it becomes slower', async () => {
    const overlay = new Overlay(1, SLOW);
    const [a, b] = [await overlay.peer('a'), await overlay.peer('b')];
    const transfer = keepBusy(await bind(overlay, a, b, 'bulk'), 16_000);
    const received = async (ms: number) => {
      const before = transfer.received();
      await overlay.clock.runFor(ms);
      return transfer.received() - before;
    };
    await received(2_000);
    overlay.network.setConditions({ bytesPerSecond: 12_500_000 });
    await received(3_000);
    expect(await received(1_000)).toBeGreaterThan(0.8 * 12_500_000);
    overlay.network.setConditions(SLOW);
    await received(15_000);
    const control = await latencies(overlay.clock, await bind(overlay, a, b, 'control'));
    expect(control.maxMs).toBeLessThan(120);
    expect(await received(1_000)).toBeGreaterThan(0.8 * SLOW.bytesPerSecond);
  });

  test('go on when another that filled the link is closed, changes its priority, or loses its link', async () => {
    const overlay = new Overlay(1, SLOW);
    const [a, b] = [await overlay.peer('a'), await overlay.peer('b')];
    const pipes = [];
    for (let i = 0; i < 3; i++) pipes.push(await bind(overlay, a, b, 'bulk'));
    const transfers = pipes.map((pair) => keepBusy(pair, 4_000));
    await overlay.clock.runFor(1_000);
    const [closing, changing, staying] = pipes;
    await overlay.clock.run(closing?.[0].close({ timeoutMs: 0 }) ?? Promise.resolve());
    await expect(transfers[0]?.stop()).rejects.toThrow();
    if (changing !== undefined) changing[0].priority = 'normal';
    await overlay.clock.run(transfers[1]?.stop() ?? Promise.resolve());
    await overlay.clock.runFor(15_000);
    const before = transfers[2]?.received() ?? 0;
    await overlay.clock.runFor(1_000);
    expect((transfers[2]?.received() ?? 0) - before).toBeGreaterThan(0.8 * SLOW.bytesPerSecond);
    cutLinks(a);
    await overlay.clock.runFor(10_000);
    const again = transfers[2]?.received() ?? 0;
    await overlay.clock.runFor(1_000);
    expect((transfers[2]?.received() ?? 0) - again).toBeGreaterThan(0.8 * SLOW.bytesPerSecond);
    expect(staying?.[0].connected).toBe(true);
  });

  test.each(['mem', 'memd'] as const)(
    'deliver each message once and in order while their priority changes (%s)',
    async (scheme) => {
      const overlay = new Overlay(1, { ...SLOW, loss: 0.02 });
      const a = await overlay.peer('a', { scheme });
      const b = await overlay.peer('b', { scheme });
      const [from, to] = await bind(overlay, a, b, 'bulk');
      const got: number[] = [];
      to.receive((message) => void got.push(numberOf(message)));
      const send = async () => {
        for (let i = 0; i < 300; i++) {
          if (i % 50 === 0) from.priority = (['bulk', 'normal', 'control'] as const)[(i / 50) % 3] ?? 'bulk';
          await from.send(numbered(i, 100 + ((i * 7_919) % 9_000)), { timeoutMs: 600_000 });
        }
        await from.flush({ timeoutMs: 600_000 });
      };
      await overlay.clock.run(send());
      expect(got).toEqual([...Array(300).keys()]);
    },
  );
});

test('a pipe has the priority that it was bound or accepted with; request pipes are control pipes', async () => {
  const overlay = new Overlay();
  const [a, b] = [await overlay.peer('a'), await overlay.peer('b')];
  const accepted: Pipe[] = [];
  const [relayed] = await bindPair(overlay, a, b, 'reliable');
  expect(relayed.priority).toBe('normal');
  const group = relayed.group;
  b.pipes.listen({ group, name: 'x', priority: 'bulk' }, (pipe) => accepted.push(pipe));
  const to = { peer: b.identity.id, group, name: 'x' };
  const bound = await overlay.clock.run(a.pipes.connect({ ...to, priority: 'control' }));
  expect([bound.priority, accepted[0]?.priority]).toEqual(['control', 'bulk']);
  const asking = await overlay.clock.run(a.pipes.connect({ ...to, kind: 'request' }));
  expect([asking.priority, accepted[1]?.priority]).toEqual(['control', 'bulk']);
});

test('a bidirectional pipe is a secure one of a kind of its own, and both ends send', async () => {
  const overlay = new Overlay();
  const [a, b] = [await overlay.peer('a'), await overlay.peer('b')];
  const [left, right] = await bindPair(overlay, a, b, 'bidirectional');
  expect([left.kind, right.kind]).toEqual(['bidirectional', 'bidirectional']);
  const got: string[] = [];
  left.receive((message) => void got.push(`left ${numberOf(message)}`));
  right.receive((message) => void got.push(`right ${numberOf(message)}`));
  await overlay.clock.run(Promise.all([left.send(numbered(1)), right.send(numbered(2))]));
  await overlay.clock.runFor(100);
  expect(got.sort()).toEqual(['left 2', 'right 1']);
  b.pipes.listen({ group: left.group, name: 'only both ways', kinds: ['bidirectional'] }, () => {});
  const to = { peer: b.identity.id, group: left.group, name: 'only both ways' };
  await expect(overlay.clock.run(a.pipes.connect({ ...to, kind: 'secure' }))).rejects.toThrow(
    'does not accept secure pipes',
  );
});
