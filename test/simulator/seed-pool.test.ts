import { VirtualClock } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { type SeedOutcome, SeedPool, type SeedTask } from './seed-pool.ts';

const RESULT = { trace: 'ab', events: 1, virtualMs: 1 };

/** Runs seeds that take a second; `trouble` says which do not end well. */
async function poolOf(seeds: number, jobs: number, trouble: (seed: number) => 'hangs' | 'dies' | undefined) {
  const clock = new VirtualClock();
  const tasks = Array.from({ length: seeds }, (_, seed): SeedTask => ({ scenario: 's', seed }));
  const outcomes: SeedOutcome[] = [];
  let running = 0;
  let mostRunning = 0;
  let started = 0;
  const pool = new SeedPool({
    tasks,
    jobs,
    limitMs: 60_000,
    clock,
    onOutcome: (outcome) => outcomes.push(outcome),
    start: ({ onOutcome, onEnded }) => {
      started++;
      mostRunning = Math.max(mostRunning, ++running);
      let alive = true;
      const end = (): void => {
        if (alive) running--;
        alive = false;
      };
      return {
        run: (task) => {
          clock.setTimer(1_000, () => {
            if (trouble(task.seed) === 'hangs') return;
            if (trouble(task.seed) === 'dies') {
              end();
              onEnded('out of memory');
            } else if (alive) onOutcome({ ...task, result: RESULT, realMs: 1_000 });
          });
        },
        kill: end,
      };
    },
  });
  await clock.run(pool.run());
  const failures = outcomes.flatMap((one) => ('failure' in one ? [`${one.seed}: ${one.failure}`] : []));
  const seen = outcomes.map(({ seed }) => seed).sort((a, b) => a - b);
  return { failures, seen, all: tasks.map(({ seed }) => seed), running, mostRunning, started, ms: clock.monotonicMs() };
}

describe('a pool of seeds', () => {
  it('runs every seed once, on all its runners, and leaves none', async () => {
    const { failures, seen, all, running, mostRunning, ms } = await poolOf(10, 2, () => undefined);
    expect(seen).toEqual(all);
    expect([failures, running, mostRunning, ms]).toEqual([[], 0, 2, 5_000]);
  });

  it('counts what hangs and what dies as failures of that seed alone', async () => {
    const trouble = (seed: number) => (seed === 1 ? 'hangs' : seed === 4 || seed === 9 ? 'dies' : undefined);
    const { failures, seen, all, running, started } = await poolOf(10, 2, trouble);
    expect(seen).toEqual(all);
    expect(failures.sort()).toEqual([
      '1: It had not ended after 60 s and was killed.',
      '4: out of memory',
      '9: out of memory',
    ]);
    expect(running).toBe(0);
    expect(started).toBeLessThanOrEqual(5);
  });

  it('starts no more runners than there are seeds, and ends at once without any', async () => {
    expect((await poolOf(1, 8, () => undefined)).started).toBe(1);
    expect((await poolOf(0, 8, () => undefined)).started).toBe(0);
  });
});
