import { setTimeout as pause } from 'node:timers/promises';

/** Between two looks, ms: a daemon that is asked all the time does nothing else. */
const PAUSE_MS = 20;

/** Asks until there is an answer; fails at the deadline, naming what was waited for and how it stood last. */
export async function until<T>(
  what: string,
  deadlineMs: number,
  ask: () => Promise<T | undefined> | T | undefined,
  lastSeen: () => unknown = () => undefined,
): Promise<T> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline) {
      const seen = lastSeen();
      const told = seen === undefined ? '' : `; last seen: ${JSON.stringify(seen)}`;
      throw new Error(`Expected ${what} within ${deadlineMs} ms${told}`);
    }
    await pause(PAUSE_MS);
  }
}
