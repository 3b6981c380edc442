import { PipevineError } from '@pipevine/runtime';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { OfflinePolicy } from '../peer/overlay-session.ts';
import { MAX_IN_WORK, MAX_WAITING, MessageWork, type MessageWorkInit } from './message-work.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const away = new PipevineError('unreachable', 'nobody is there');

/** A worker of numbers; `online` says whether they can be delivered. */
function worker(offline: OfflinePolicy | undefined, more: Partial<MessageWorkInit> = {}) {
  const seen = { delivered: [] as number[], done: [] as [number, string | undefined][], online: true };
  const work = new MessageWork({
    handle: async ({ payload }) => {
      if (!seen.online) throw away;
      seen.delivered.push(Number(payload));
    },
    signal: new AbortController().signal,
    ...(offline && { offline }),
    ...more,
  });
  const take = (n: number) =>
    work.take(
      { _msgid: `${n}`, payload: n },
      () => {},
      (error) => seen.done.push([n, error === undefined ? undefined : (error as PipevineError).code]),
    );
  return { work, seen, take };
}

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);

it('delivers in order, and is done with each once', async () => {
  const { seen, take } = worker(undefined);
  for (const n of upTo(1_000)) take(n);
  await vi.advanceTimersByTimeAsync(0);
  expect(seen.delivered).toEqual(upTo(1_000));
  expect(seen.done).toEqual(upTo(1_000).map((n) => [n, undefined]));
});

it('works on so many at a time, and refuses what is more than may wait', async () => {
  let inWork = 0;
  const { seen, take } = worker(undefined, { handle: () => new Promise(() => void inWork++) });
  for (const n of upTo(MAX_IN_WORK + MAX_WAITING + 2)) take(n);
  await vi.advanceTimersByTimeAsync(0);
  expect(inWork).toBe(MAX_IN_WORK);
  expect(seen.done.map(([, code]) => code)).toEqual(['overloaded', 'overloaded']);
});

it('error: tells each that could not be delivered', async () => {
  const { seen, take } = worker({ policy: 'error', limit: 10 });
  seen.online = false;
  for (const n of upTo(3)) take(n);
  await vi.advanceTimersByTimeAsync(0);
  expect(seen.done).toEqual(upTo(3).map((n) => [n, 'unreachable']));
});

it('drop: is done with it, and counts', async () => {
  const { seen, take, work } = worker({ policy: 'drop', limit: 10 });
  seen.online = false;
  for (const n of upTo(3)) take(n);
  await vi.advanceTimersByTimeAsync(0);
  expect(seen.done).toEqual(upTo(3).map((n) => [n, undefined]));
  expect(work.counters).toMatchObject({ dropped: 3, delivered: 0, waiting: 0 });
});

it('queue: keeps so many, refuses the newest, and delivers all in order when it is back', async () => {
  const { seen, take, work } = worker({ policy: 'queue', limit: 100 });
  seen.online = false;
  take(0);
  await vi.advanceTimersByTimeAsync(0);
  for (const n of upTo(150).slice(1)) take(n);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(seen.done).toEqual(
    upTo(150)
      .slice(100)
      .map((n) => [n, 'overloaded']),
  );
  seen.online = true;
  await vi.advanceTimersByTimeAsync(5_000);
  expect(seen.delivered).toEqual(upTo(100));
  expect(work.counters).toMatchObject({ waiting: 0, refused: 50, delivered: 100, undelivered: false });
});

it('queue: tries at once when it is woken', async () => {
  const { seen, take, work } = worker({ policy: 'queue', limit: 100 });
  seen.online = false;
  for (const n of upTo(80)) take(n);
  await vi.advanceTimersByTimeAsync(30_000);
  seen.online = true;
  work.wake();
  await vi.advanceTimersByTimeAsync(0);
  expect(seen.delivered).toEqual(upTo(80));
});

it('queue: what fails for another reason is told, and holds up nobody', async () => {
  const delivered: unknown[] = [];
  const { seen, take } = worker(
    { policy: 'queue', limit: 100 },
    {
      handle: async ({ payload }) => {
        if (payload === 1) throw new PipevineError('refused', 'no');
        delivered.push(payload);
      },
    },
  );
  for (const n of upTo(3)) take(n);
  await vi.advanceTimersByTimeAsync(0);
  expect(delivered).toEqual([0, 2]);
  expect(seen.done).toContainEqual([1, 'refused']);
});

it('is done with what waits when it closes, and says how many those were', async () => {
  const { seen, take, work } = worker({ policy: 'queue', limit: 100 });
  seen.online = false;
  for (const n of upTo(5)) take(n);
  await vi.advanceTimersByTimeAsync(0);
  expect(work.close()).toBe(5);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(seen.done).toHaveLength(5);
});
