/**
 * `node bench/simulator.ts [--json] [--full]`: how fast the simulator is, and what finding costs as a group grows, beside
 * plain flooding. `--full` goes up to 1,000 peers. See test/simulator/README.md.
 */
import { parseArgs } from 'node:util';
import { Household } from '../test/simulator/household.ts';
import { percentile } from '../test/simulator/overlay.ts';
import { Simulation } from '../test/simulator/simulation.ts';
import { WideOverlay } from '../test/simulator/wide-overlay.ts';

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, full: { type: 'boolean', default: false } },
});

const HOUSEHOLD_PEERS = 20;
const HOUSEHOLD_MINUTES = 20;
/** Peers of the whole group, and the rendezvous among them: about a third of the square root. */
const SIZES: readonly (readonly [peers: number, rendezvous: number])[] = [
  [10, 1],
  [30, 2],
  [100, 3],
  [300, 6],
  ...(values.full ? ([[1_000, 10]] as const) : []),
];
const LOOKUPS_PER_SECOND = 5;
const WINDOW_MS = 60_000;
const FLOODED_PAIRS = 200;
/** After so long without any change, ms, what neighbours tell one another of themselves has been told. */
const SETTLED_MS = 180_000;

interface SpeedReport {
  readonly household: 'quiet' | 'busy';
  readonly peers: number;
  readonly virtualSeconds: number;
  readonly realSeconds: number;
  /** Of this process: on a machine that is shared it says more than the real time does. */
  readonly cpuSeconds: number;
  /** Virtual time by real time, with the start of all peers. */
  readonly timesRealTime: number;
}

interface FindingReport {
  readonly peers: number;
  readonly rendezvous: number;
  readonly right: number;
  readonly asked: number;
  /** Questions and answers of all peers, acknowledgements not counted. */
  readonly messagesPerLookup: number;
  readonly floodingMessages: number;
  readonly linksOfARendezvousP95: number;
  readonly realSeconds: number;
  readonly megabytes: number;
}

/** Twenty peers on one LAN. Busy: every edge observes a value that changes twice a second, and one looks for all things every ten. */
async function speed(household: 'quiet' | 'busy'): Promise<SpeedReport> {
  const startedAt = performance.now();
  const cpuAtStart = process.cpuUsage();
  const simulation = new Simulation(household, { conditions: { jitterMs: 2 } });
  const { clock } = simulation;
  const home = new Household(simulation, { sensors: 5 });
  await home.settle(HOUSEHOLD_PEERS - 1);
  await clock.runFor(5_000);
  if (household === 'busy') {
    for (const edge of home.edges) {
      const [thing] = await home.things(edge);
      if (thing !== undefined) await home.observe(edge, thing);
    }
  }
  for (let second = 0; second < HOUSEHOLD_MINUTES * 60; second++) {
    if (household === 'busy') {
      home.sensors.measure(0, second);
      await clock.runFor(500);
      home.sensors.measure(0, second + 0.5);
      const edge = home.edges[(second / 10) % home.edges.length];
      if (edge !== undefined) await home.things(edge);
    }
    await clock.runFor(household === 'busy' ? 500 : 1_000);
  }
  await simulation.finish();
  const virtualSeconds = clock.monotonicMs() / 1000;
  const realSeconds = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(cpuAtStart);
  return {
    household,
    peers: HOUSEHOLD_PEERS,
    virtualSeconds,
    realSeconds,
    cpuSeconds: (user + system) / 1e6,
    timesRealTime: virtualSeconds / realSeconds,
  };
}

async function finding(peers: number, rendezvous: number): Promise<FindingReport> {
  const startedAt = performance.now();
  const simulation = new Simulation(`finding ${peers}`, { conditions: { delayMs: 10, jitterMs: 5 } });
  const overlay = new WideOverlay(simulation, { rendezvous, edges: peers - rendezvous });
  await overlay.settle();
  await simulation.clock.runFor(SETTLED_MS);
  const { asked, right, messages } = await overlay.measureLookups(LOOKUPS_PER_SECOND, WINDOW_MS);
  const links = overlay.rendezvous.map((one) => one.peer.status().links.length);
  const floodingMessages = overlay.floodingMessages(FLOODED_PAIRS);
  const megabytes = process.memoryUsage().rss / 1e6;
  await simulation.finish();
  return {
    peers,
    rendezvous,
    right,
    asked,
    messagesPerLookup: messages / asked,
    floodingMessages,
    linksOfARendezvousP95: percentile(links, 0.95),
    realSeconds: (performance.now() - startedAt) / 1000,
    megabytes,
  };
}

const speeds = [await speed('quiet'), await speed('busy')];
if (!values.json) {
  for (const { household, peers, virtualSeconds, realSeconds, cpuSeconds, timesRealTime } of speeds) {
    const times = Math.round(timesRealTime);
    console.log(
      `${peers} peers, ${household}: ${Math.round(virtualSeconds)} s in ${realSeconds.toFixed(1)} s (${cpuSeconds.toFixed(1)} s of a core), ${times} times real time (aim: 300)`,
    );
  }
}
const findings: FindingReport[] = [];
for (const [peers, rendezvous] of SIZES) {
  const report = await finding(peers, rendezvous);
  findings.push(report);
  if (values.json) continue;
  console.log(
    `${peers} peers, ${rendezvous} rendezvous: ${report.right} of ${report.asked} lookups right, ` +
      `${report.messagesPerLookup.toFixed(1)} messages a lookup, flooding ${report.floodingMessages.toFixed(0)}, ` +
      `${report.linksOfARendezvousP95} links at a rendezvous, ${report.realSeconds.toFixed(1)} s, ${Math.round(report.megabytes)} MB`,
  );
}
if (values.json) console.log(JSON.stringify({ speeds, findings }));
