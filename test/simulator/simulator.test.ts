import { nodeCrypto } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { QUICK_SCENARIOS } from './all-scenarios.ts';
import { controlPlane } from './control-plane.ts';
import { crowd, joinAndRead, lossyPipes, runScenario } from './scenarios.ts';
import { fiveMinutesOfPartition, fortySybils, oneOfThreeKilled } from './wide-scenarios.ts';

/** `npm run test:sim` runs more. */
const SEEDS = [1, 2, 3];

describe('the simulated overlay', () => {
  for (const scenario of QUICK_SCENARIOS) {
    it(`holds with seeds ${SEEDS.join(', ')}: ${scenario.name}`, async () => {
      for (const seed of SEEDS) {
        const { events } = await runScenario(scenario, seed);
        expect(events).toBeGreaterThan(100);
      }
    }, 60_000);
  }

  for (const scenario of [crowd, oneOfThreeKilled, fiveMinutesOfPartition, fortySybils]) {
    it(`holds with many peers: ${scenario.name}`, async () => {
      const { events } = await runScenario(scenario, 1);
      expect(events).toBeGreaterThan(5_000);
    }, 120_000);
  }

  it('holds with the real primitives of Node, too', async () => {
    for (const scenario of [joinAndRead, controlPlane]) await runScenario(scenario, 4, { crypto: nodeCrypto });
  }, 60_000);

  it('gives the same trace for the same seed, and another for another', async () => {
    for (const scenario of [joinAndRead, lossyPipes, controlPlane]) {
      const first = await runScenario(scenario, 7);
      const again = await runScenario(scenario, 7);
      const other = await runScenario(scenario, 8);
      expect(again).toEqual(first);
      expect(other.trace).not.toBe(first.trace);
    }
  }, 60_000);
});
