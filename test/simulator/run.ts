/**
 * More of the simulator than the tests run: `npm run test:sim -- --seeds 100 [--first 1] [--scenario TEXT]`. Prints the seed
 * of each failure, which repeats it.
 */
import { parseArgs } from 'node:util';
import { crowd, runScenario, SCENARIOS } from './scenarios.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20' },
    first: { type: 'string', default: '1' },
    scenario: { type: 'string', default: '' },
  },
});

let failures = 0;
for (const scenario of [...SCENARIOS, crowd].filter(({ name }) => name.includes(values.scenario))) {
  const startedAt = performance.now();
  let virtualMs = 0;
  let events = 0;
  for (let seed = Number(values.first); seed < Number(values.first) + Number(values.seeds); seed++) {
    try {
      const result = await runScenario(scenario, seed);
      virtualMs += result.virtualMs;
      events += result.events;
    } catch (error) {
      failures++;
      console.error(`FAILED ${scenario.name}: --scenario '${scenario.name}' --first ${seed} --seeds 1`);
      console.error(error);
    }
  }
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(
    `${scenario.name}: ${values.seeds} seeds, ${Math.round(virtualMs / 1000)} s of virtual time, ${events} events, ${seconds} s`,
  );
}
console.log(failures === 0 ? 'all passed' : `${failures} failed`);
process.exitCode = failures === 0 ? 0 : 1;
