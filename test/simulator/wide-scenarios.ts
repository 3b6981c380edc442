/** Groups that are too large for many seeds: each scenario checks what the overlay promises of such a group. */
import assert from 'node:assert/strict';
import { percentile, timesUntil } from './overlay.ts';
import type { Scenario } from './scenarios.ts';
import type { LookupCount } from './wide-overlay.ts';
import { WideOverlay } from './wide-overlay.ts';

/** After so long without a word a neighbour counts as gone, ms. */
const SILENCE_MS = 60_000;

const WIDE = { delayMs: 10, jitterMs: 5 } as const;

function checkRight(count: LookupCount, atLeast: number): void {
  const share = count.right / count.asked;
  assert(
    count.asked > 0 && share >= atLeast,
    `${count.right} of ${count.asked} lookups were right: fewer than ${atLeast}`,
  );
  assert.equal(count.wrong, 0, `${count.wrong} answers did not match their question`);
}

/** 1,000 peers, 10 rendezvous, 20 % of the edges end and come back each minute: 99 % of the lookups are right. */
export const thousandPeers: Scenario = {
  name: 'a thousand peers',
  conditions: WIDE,
  run: async (simulation) => {
    const overlay = new WideOverlay(simulation, { rendezvous: 10, edges: 990 });
    await overlay.settle();
    await simulation.clock.runFor(15_000);
    const churn = overlay.churn(0.2);
    await simulation.clock.runFor(20_000);
    const count = await overlay.lookups(10, 60_000);
    churn.stop();
    await simulation.clock.runFor(40_000);
    simulation.note('lookups', count.asked, count.right, count.wrong);
    checkRight(count, 0.99);
  },
};

/** One of three rendezvous dies: nothing that was indexed is lost, and leases are back with a p99 of 5 s. */
export const oneOfThreeKilled: Scenario = {
  name: 'one of three rendezvous killed',
  conditions: WIDE,
  run: async (simulation) => {
    const { clock, random } = simulation;
    const overlay = new WideOverlay(simulation, { rendezvous: 3, edges: 150 });
    await overlay.settle();
    await clock.runFor(15_000);
    const victim = overlay.rendezvous[random.integer(3)];
    // A machine without power says nothing: its neighbours notice when nothing has come for three keep-alive intervals.
    const silent = random.fraction() < 0.25;
    if (silent) victim?.losePower();
    else victim?.crash();
    const limitMs = 5_000 + (silent ? SILENCE_MS : 0);
    const took = await timesUntil(simulation, overlay.edges, (edge) => overlay.isServed(edge), 2 * limitMs);
    simulation.note('leases back, p99', percentile(took, 0.99));
    assert(percentile(took, 0.99) <= limitMs, `leases are back with a p99 of ${percentile(took, 0.99)} ms`);
    const count: LookupCount = { asked: 0, right: 0, wrong: 0 };
    for (const [i, owner] of overlay.edges.entries()) {
      const asker = overlay.edges[(i + 1 + random.integer(148)) % 150];
      if (asker !== undefined) await clock.run(overlay.lookup(asker, owner, count));
    }
    assert.equal(count.asked, 150);
    checkRight(count, 1);
  },
};

/** Half of the edges and a rendezvous cannot reach the rest for five minutes; leases are back with a p95 of 2 s. */
export const fiveMinutesOfPartition: Scenario = {
  name: 'five minutes of partition',
  conditions: WIDE,
  run: async (simulation) => {
    const { clock, network } = simulation;
    const overlay = new WideOverlay(simulation, { rendezvous: 3, edges: 90 });
    await overlay.settle();
    await clock.runFor(15_000);
    const lonely = overlay.edges.filter((_, i) => i % 2 === 0);
    const others = overlay.edges.filter((_, i) => i % 2 === 1);
    network.partition(
      lonely.map(({ name }) => name),
      [...overlay.rendezvous, ...others].map(({ name }) => name),
    );
    await clock.runFor(300_000);
    const lost = lonely.filter((edge) => !overlay.isServed(edge));
    assert(lost.length >= lonely.length * 0.9, `only ${lost.length} of ${lonely.length} noticed that they are alone`);
    network.heal();
    const took = await timesUntil(simulation, lost, (edge) => overlay.isServed(edge), 60_000);
    simulation.note('leases back, p95', percentile(took, 0.95));
    assert(percentile(took, 0.95) <= 2_000, `leases are back with a p95 of ${percentile(took, 0.95)} ms`);
    await clock.runFor(10_000);
    checkRight(await overlay.lookups(5, 20_000), 1);
  },
};

/** Forty members that pretend to be rendezvous beside a single honest one: lookups are as without them. */
export const fortySybils: Scenario = {
  name: 'forty sybils',
  conditions: WIDE,
  run: async (simulation) => {
    const overlay = new WideOverlay(simulation, { rendezvous: 1, edges: 40, sybils: 40 });
    await overlay.settle();
    await simulation.clock.runFor(15_000);
    checkRight(await overlay.lookups(5, 40_000), 1);
  },
};

export const WIDE_SCENARIOS: readonly Scenario[] = [
  thousandPeers,
  oneOfThreeKilled,
  fiveMinutesOfPartition,
  fortySybils,
];
