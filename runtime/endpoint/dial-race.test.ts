import { VirtualClock } from '@pipevine/transports';
import { describe, expect, test } from 'vitest';
import { type ErrorCode, PipevineError } from '../error/pipevine-error.ts';
import { DialRace } from './dial-race.ts';
import { MAX_PARALLEL_DIALS } from './endpoint-defaults.ts';

/** What happens at an address, and after how many ms. */
type Script = Record<string, { readonly afterMs: number; readonly code?: ErrorCode }>;

function race(script: Script, timeoutMs = 10_000) {
  const clock = new VirtualClock();
  const started: [string, number][] = [];
  const aborted: string[] = [];
  const dialRace = new DialRace<string>({
    clock,
    goal: 'peer test',
    timeoutMs,
    attempt: (address, signal) => {
      started.push([address, clock.monotonicMs()]);
      signal.addEventListener('abort', () => aborted.push(address));
      const { afterMs, code } = script[address] ?? { afterMs: 1e6 };
      return new Promise((resolve, reject) => {
        clock.setTimer(afterMs, () =>
          code === undefined ? resolve(address) : reject(new PipevineError(code, `no: ${code}`)),
        );
      });
    },
  });
  for (const address of Object.keys(script)) dialRace.add(address, 0, undefined);
  dialRace.advance();
  return { clock, dialRace, started, aborted, settled: dialRace.result.catch((error: PipevineError) => error) };
}

describe('a race of dials', () => {
  test('starts the next address after a quarter of a second, and the first to succeed wins', async () => {
    const { clock, settled, started, aborted } = race({
      a: { afterMs: 9_000 },
      b: { afterMs: 400 },
      c: { afterMs: 9_000 },
    });
    expect(await clock.run(settled)).toBe('b');
    expect(started).toEqual([
      ['a', 0],
      ['b', 250],
      ['c', 500],
    ]);
    expect(aborted).toContain('a');
    expect(aborted).toContain('c');
  });

  test('tries at once where the goal was heard, beyond the places of the others, and a few such only', async () => {
    const slow = Object.fromEntries(
      Array.from({ length: MAX_PARALLEL_DIALS + 2 }, (_, i) => [`a${i}`, { afterMs: 9_000 }]),
    );
    const { clock, dialRace, started, settled } = race(slow);
    await clock.runFor(2_000);
    expect(started).toHaveLength(MAX_PARALLEL_DIALS);
    for (const address of ['heard', 'heard', 'a0', `a${MAX_PARALLEL_DIALS - 1}`, 'x', 'y', 'z']) dialRace.urge(address);
    expect(started.slice(MAX_PARALLEL_DIALS)).toEqual([
      ['heard', 2_000],
      ['a0', 2_000],
      ['x', 2_000],
      ['y', 2_000],
    ]);
    dialRace.win('heard');
    dialRace.urge('too late');
    expect(await clock.run(settled)).toBe('heard');
    expect(started).toHaveLength(MAX_PARALLEL_DIALS + 4);
  });

  test('tries an address once more for who names it, when the attempt under way has lasted for a second', async () => {
    const { clock, dialRace, started, settled } = race({ a: { afterMs: 9_000 } });
    await clock.runFor(900);
    dialRace.repeat('a');
    await clock.runFor(200);
    for (let i = 0; i < 20; i++) dialRace.repeat('a');
    dialRace.repeat('never heard of');
    expect(started).toEqual([
      ['a', 0],
      ['a', 1_100],
    ]);
    for (let i = 0; i < 20; i++) {
      await clock.runFor(1_000);
      dialRace.repeat('a');
    }
    expect(started.length).toBeLessThanOrEqual(MAX_PARALLEL_DIALS);
    expect(await settled).toBe('a');
  });

  test('does not wait when an address fails', async () => {
    const { clock, settled, started } = race({ a: { afterMs: 10, code: 'unreachable' }, b: { afterMs: 10 } });
    expect(await clock.run(settled)).toBe('b');
    expect(started[1]).toEqual(['b', 10]);
  });

  test('rejects with the reason that says most', async () => {
    const { clock, settled } = race({
      a: { afterMs: 10, code: 'unreachable' },
      b: { afterMs: 20, code: 'wrong-peer' },
      c: { afterMs: 30, code: 'timeout' },
    });
    expect(await clock.run(settled)).toMatchObject({ code: 'wrong-peer', message: expect.stringContaining('a: no') });
  });

  test('ends at its deadline', async () => {
    const { clock, settled } = race({ a: { afterMs: 60_000 } }, 3_000);
    expect(await clock.run(settled)).toMatchObject({ code: 'timeout' });
    expect(clock.monotonicMs()).toBe(3_000);
  });

  test('without any address says what to do', async () => {
    const { clock, settled } = race({});
    expect(await clock.run(settled)).toMatchObject({ code: 'unreachable', message: expect.stringContaining('--seed') });
  });

  test('waits for an address that rests, unless that would be too late', async () => {
    const { clock, dialRace, started, settled } = race({ a: { afterMs: 1_000, code: 'refused' } });
    dialRace.add('b', 5_000, undefined);
    dialRace.add('c', 50_000, new PipevineError('refused', 'c said no'));
    dialRace.advance();
    await clock.runFor(6_000);
    expect(started).toEqual([
      ['a', 0],
      ['b', 5_000],
    ]);
    expect(await clock.run(settled)).toMatchObject({ code: 'refused', message: expect.stringContaining('c said no') });
  });
});
