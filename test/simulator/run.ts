/**
 * Runs the simulator with many seeds, on all cores:
 *
 *     npm run test:sim -- [--seeds 20] [--first 1] [--scenario TEXT] [--jobs N] [--crypto simulated|real] [--twice]
 *
 * Runs the scenarios whose name contains TEXT; without it all that are quick. Prints for each failure the line that
 * repeats it. See README.md in this folder.
 */
import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { nodeClock } from '@pipevine/transports';
import { ALL_SCENARIOS, QUICK_SCENARIOS } from './all-scenarios.ts';
import { type RunnerEvents, type SeedOutcome, SeedPool, type SeedRunner, type SeedTask } from './seed-pool.ts';
import type { WorkerOptions } from './seed-worker.ts';

const WORKER = fileURLToPath(new URL('seed-worker.ts', import.meta.url));
/** Ten times what the largest scenario takes. */
const SEED_LIMIT_MS = 30 * 60_000;
/** More failures of one scenario have one cause. */
const MAX_SHOWN_FAILURES = 10;

interface Tally {
  passed: number;
  failed: number;
  virtualMs: number;
  realMs: number;
  events: number;
  readonly traces: Map<number, string>;
}

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20' },
    first: { type: 'string', default: '1' },
    scenario: { type: 'string' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    crypto: { type: 'string', default: 'simulated' },
    twice: { type: 'boolean', default: false },
  },
});
const seeds = whole('seeds', values.seeds, 1);
const first = whole('first', values.first, 0);
const jobs = whole('jobs', values.jobs, 1);
if (values.crypto !== 'simulated' && values.crypto !== 'real')
  usage(`--crypto is simulated or real, not ${values.crypto}`);
const workerOptions: WorkerOptions = { realCrypto: values.crypto === 'real', twice: values.twice };

const { scenario: wanted } = values;
const chosen = wanted === undefined ? QUICK_SCENARIOS : ALL_SCENARIOS.filter(({ name }) => name.includes(wanted));
if (chosen.length === 0) {
  usage(`no scenario has "${wanted}" in its name; there are: ${ALL_SCENARIOS.map(({ name }) => name).join('; ')}`);
}

const tallies = new Map<string, Tally>();
const tasks: SeedTask[] = [];
for (const { name: scenario } of chosen) {
  tallies.set(scenario, { passed: 0, failed: 0, virtualMs: 0, realMs: 0, events: 0, traces: new Map() });
  for (let seed = first; seed < first + seeds; seed++) tasks.push({ scenario, seed });
}

const startedAt = performance.now();
let finished = 0;
let failed = 0;
const pool = new SeedPool({ tasks, jobs, limitMs: SEED_LIMIT_MS, clock: nodeClock, start, onOutcome });
await pool.run();
clearProgress();
for (const [scenario, tally] of tallies) console.log(summary(scenario, tally));
console.log(`${seconds(performance.now() - startedAt)} s on ${jobs} processes`);
console.log(failed === 0 ? 'all passed' : `${failed} of ${tasks.length} failed`);
process.exitCode = failed === 0 ? 0 : 1;

function start({ onOutcome: report, onEnded }: RunnerEvents): SeedRunner {
  const child = fork(WORKER, [JSON.stringify(workerOptions)], { execArgv: ['--disable-warning=ExperimentalWarning'] });
  child.on('message', (message) => report(message as SeedOutcome)); // The worker sends nothing else.
  child.on('error', (error) => onEnded(`Its process could not go on: ${error.message}`));
  child.on('exit', (code, signal) => onEnded(`Its process ended by ${signal ?? `code ${code}`}; see above.`));
  return { run: (task) => child.send(task), kill: () => child.kill('SIGKILL') };
}

function onOutcome(outcome: SeedOutcome): void {
  const { scenario, seed, realMs } = outcome;
  const tally = tallies.get(scenario);
  if (tally === undefined) return;
  finished++;
  tally.realMs += realMs;
  if ('failure' in outcome) {
    failed++;
    tally.failed++;
    if (tally.failed <= MAX_SHOWN_FAILURES) {
      clearProgress();
      const extra = workerOptions.realCrypto ? ' --crypto real' : '';
      console.error(`FAILED ${scenario}, seed ${seed}. To repeat it:`);
      console.error(`  npm run test:sim -- --scenario '${scenario}' --first ${seed} --seeds 1${extra}`);
      console.error(outcome.failure);
    }
  } else {
    const { virtualMs, events, trace } = outcome.result;
    tally.passed++;
    tally.virtualMs += virtualMs;
    tally.events += events;
    tally.traces.set(seed, trace);
  }
  showProgress(scenario);
}

function summary(scenario: string, { passed, failed: bad, virtualMs, realMs, events, traces }: Tally): string {
  const speed = realMs > 0 ? Math.round(virtualMs / realMs) : 0;
  const all = createHash('sha256');
  for (const seed of [...traces.keys()].sort((a, b) => a - b)) all.update(traces.get(seed) ?? '');
  return (
    `${scenario}: ${passed} passed, ${bad} failed; ${seconds(virtualMs)} s of virtual time in ${seconds(realMs)} s of a core ` +
    `(${speed} times real time), ${events} events, trace ${all.digest('hex').slice(0, 16)}`
  );
}

function showProgress(scenario: string): void {
  if (!process.stdout.isTTY) return;
  const text = `${finished}/${tasks.length}, ${failed} failed, ${seconds(performance.now() - startedAt)} s: ${scenario}`;
  process.stdout.write(`\r\u001b[K${text}`);
}

function clearProgress(): void {
  if (process.stdout.isTTY) process.stdout.write('\r\u001b[K');
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}

function whole(name: string, text: string, min: number): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < min) usage(`--${name} is a whole number from ${min}, not "${text}"`);
  return value;
}

function usage(problem: string): never {
  console.error(`test:sim: ${problem}`);
  process.exit(2);
}
