import { describe, expect, it } from 'vitest';
import { Home, MINUTE } from '../faults/home.ts';
import { groupOf } from '../simulator/household.ts';

/** Two edges that reach the gateway, which relays, and not each other. */
async function apart(seed: string) {
  const home = await Home.make(seed);
  const a = await home.edge('a');
  const b = await home.edge('b');
  home.simulation.network.partition(['a'], ['b']);
  await home.clock.runUntil(() => [a, b].every((edge) => groupOf(edge).relays().leases.length === 1), MINUTE);
  // Links that stood before are found dead.
  await home.clock.runFor(MINUTE);
  return { home, a, b };
}

describe('a member that is reached over a relay only', () => {
  it('tells about itself, and is no neighbour for that', async () => {
    const { home, a, b } = await apart('peer info');
    const group = groupOf(a);
    const info = await home.clock.run(group.peerInfo(b.peer.id));
    expect(info).toMatchObject({ name: 'b', linkCount: 1, groups: [group.id] });
    expect(a.peer.status().links.map(({ peer }) => peer)).not.toContain(b.peer.id);
    const bound = () => a.peer.status().queues['members asked over relays'];
    expect(bound()).toEqual({ used: 1, limit: 16, dropped: 0 });
    // Asked again, it is the same pipe; it is given up when nobody asks.
    await home.clock.run(group.peerInfo(b.peer.id));
    expect(bound()?.used).toBe(1);
    await home.clock.runFor(MINUTE);
    expect(bound()?.used).toBe(0);
  });

  it('is asked directly when it can be linked', async () => {
    const { home, a, b } = await apart('healed');
    home.simulation.network.heal();
    await home.clock.run(groupOf(a).peerInfo(b.peer.id));
    expect(a.peer.status().links.map(({ peer }) => peer)).toContain(b.peer.id);
    expect(a.peer.status().queues['members asked over relays']?.used).toBeLessThanOrEqual(1);
  });

  it('answers in time or not at all when it is gone', async () => {
    const { home, a, b } = await apart('gone');
    const gone = b.peer.id;
    b.crash();
    const fromMs = home.clock.monotonicMs();
    const asked = groupOf(a).peerInfo(gone, { timeoutMs: 5_000 });
    await expect(home.clock.run(asked)).rejects.toMatchObject({ code: expect.stringMatching(/unreachable|timeout/) });
    expect(home.clock.monotonicMs() - fromMs).toBeLessThanOrEqual(5_000);
    await home.clock.runFor(1_000);
    expect(a.peer.status().queues['members asked over relays']?.used).toBe(0);
  });
});
