import { describe, expect, it } from 'vitest';
import { crowd, joinAndRead, lossyPipes, runScenario, SCENARIOS } from './scenarios.ts';

const SEEDS = [1, 2, 3];

describe('the simulated overlay', () => {
  for (const scenario of SCENARIOS) {
    it(`holds with seeds ${SEEDS.join(', ')}: ${scenario.name}`, async () => {
      for (const seed of SEEDS) {
        const { virtualMs } = await runScenario(scenario, seed);
        expect(virtualMs).toBeGreaterThan(1_000);
      }
    }, 60_000);
  }

  it('holds with 200 edges on one LAN', async () => {
    const { events } = await runScenario(crowd, 1);
    expect(events).toBeGreaterThan(10_000);
  }, 120_000);

  it('gives the same trace for the same seed, and another for another', async () => {
    for (const scenario of [joinAndRead, lossyPipes]) {
      const first = await runScenario(scenario, 7);
      const again = await runScenario(scenario, 7);
      const other = await runScenario(scenario, 8);
      expect(again).toEqual(first);
      expect(other.trace).not.toBe(first.trace);
    }
  }, 60_000);
});
