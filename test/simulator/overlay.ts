import type { Advertisement, AdvertisementQuery } from '@pipevine/runtime';
import { groupOf } from './household.ts';
import type { Machine, Simulation } from './simulation.ts';

/** Whether this member is served: it holds a lease at one of these rendezvous that runs, or serves itself. */
export function isServed(machine: Machine, rendezvous: readonly Machine[]): boolean {
  const { serving, lease } = groupOf(machine).rendezvous();
  return serving || rendezvous.some((one) => one.isRunning && one.peer.id === lease?.rendezvous);
}

/** Where a machine can be dialled. */
export function addressOf(name: string): string {
  return `mem://${name}:7`;
}

/** What a search gives, all of it. */
export async function discovered(
  machine: Machine,
  query: Omit<AdvertisementQuery, 'group'>,
  timeoutMs?: number,
): Promise<Advertisement[]> {
  const found: Advertisement[] = [];
  for await (const one of groupOf(machine).discover(query, timeoutMs === undefined ? {} : { timeoutMs }))
    found.push(one);
  return found;
}

/** Runs the clock until all of the machines pass `test`; gives how long each of them took, in ms, in steps of 50. */
export async function timesUntil(
  simulation: Simulation,
  machines: readonly Machine[],
  test: (machine: Machine) => boolean,
  limitMs: number,
): Promise<number[]> {
  const { clock } = simulation;
  const startMs = clock.monotonicMs();
  const took: number[] = [];
  let waiting = machines;
  for (;;) {
    const still = waiting.filter((machine) => !test(machine));
    const elapsedMs = clock.monotonicMs() - startMs;
    for (let i = still.length; i < waiting.length; i++) took.push(elapsedMs);
    if (still.length === 0) return took;
    if (elapsedMs >= limitMs) {
      const names = still.slice(0, 5).map(({ name }) => name);
      throw new Error(
        `${still.length} of ${machines.length} were not there after ${limitMs} ms: ${names.join(', ')} ...`,
      );
    }
    waiting = still;
    await clock.runFor(50);
  }
}

/** The smallest value that at least `fraction` of the values do not exceed. */
export function percentile(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(fraction * sorted.length) - 1)] ?? 0;
}
