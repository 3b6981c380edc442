import { describe, expect, it } from 'vitest';
import { ProcessClock } from './process-clock.ts';
import { seededRandom } from './seeded-random.ts';
import { VirtualClock } from './virtual-clock.ts';

describe('the virtual clock', () => {
  it('fires timers by time, and those of one time in the order they were set', async () => {
    const clock = new VirtualClock();
    const trace: string[] = [];
    clock.setTimer(20, () => trace.push(`c ${clock.monotonicMs()}`));
    clock.setTimer(10, () => trace.push(`a ${clock.monotonicMs()}`));
    clock.setTimer(10, () => trace.push(`b ${clock.monotonicMs()}`));
    await clock.runUntilIdle();
    expect(trace).toEqual(['a 10', 'b 10', 'c 20']);
  });

  it('keeps the order of a sorted list for many random timers, a third of them cancelled', async () => {
    const clock = new VirtualClock();
    const random = seededRandom(1);
    const fired: [number, number][] = [];
    const expected: [number, number][] = [];
    for (let i = 0; i < 3000; i++) {
      const due = random.integer(200);
      const timer = clock.setTimer(due, () => fired.push([due, i]));
      if (random.fraction() < 0.66) timer.cancel();
      else expected.push([due, i]);
    }
    expected.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    expect(clock.pendingTimers).toBe(expected.length);
    await clock.runUntilIdle();
    expect(fired).toEqual(expected);
  });

  it('drains microtasks, then ends of turn, before the next timer, however long the chain', async () => {
    const clock = new VirtualClock();
    const trace: string[] = [];
    clock.setTimer(1, async () => {
      clock.endOfTurn(() => {
        trace.push(`end ${clock.monotonicMs()}`);
        void Promise.resolve().then(() => trace.push('microtask of the end'));
      });
      for (let i = 0; i < 50; i++) await undefined;
      trace.push('fifty awaits');
    });
    clock.setTimer(1, () => trace.push('second timer'));
    await clock.runUntilIdle();
    expect(trace).toEqual(['fifty awaits', 'end 1', 'microtask of the end', 'second timer']);
  });

  it('ends at exactly the asked time', async () => {
    const clock = new VirtualClock();
    let fired = 0;
    clock.setTimer(100, () => fired++);
    clock.setTimer(101, () => fired++);
    await clock.runFor(100);
    expect([clock.monotonicMs(), fired]).toEqual([100, 1]);
    await clock.runFor(0.5);
    expect([clock.monotonicMs(), fired]).toEqual([100.5, 1]);
  });

  it('runs a promise to its value, or to its rejection', async () => {
    const clock = new VirtualClock();
    const after = (ms: number): Promise<number> => new Promise((resolve) => clock.setTimer(ms, () => resolve(ms)));
    expect(await clock.run(after(5000))).toBe(5000);
    await expect(clock.run(after(1).then(() => Promise.reject(new Error('no'))))).rejects.toThrow('no');
    await expect(clock.run(new Promise(() => undefined), 10)).rejects.toMatchObject({ code: 'timeout' });
  });

  it('waits for what is under way, also when it is run from a tick', async () => {
    const clock = new VirtualClock();
    const later = async (): Promise<number> => {
      for (let i = 0; i < 5; i++) await undefined;
      return new Promise((resolve) => clock.setTimer(10, () => resolve(clock.monotonicMs())));
    };
    const fired = new Promise<number>((resolve, reject) => {
      process.nextTick(() => clock.run(later(), 1_000).then(resolve, reject));
    });
    expect(await fired).toBe(10);
  });

  it('gives up on a condition after the limit', async () => {
    const clock = new VirtualClock();
    const again = (): void => {
      clock.setTimer(10, again);
    };
    again();
    await expect(clock.runUntil(() => false, 1000)).rejects.toMatchObject({ code: 'timeout' });
    expect(clock.monotonicMs()).toBe(1000);
    await expect(clock.runUntilIdle(1000)).rejects.toMatchObject({ code: 'timeout' });
  });

  it('refuses a second run meanwhile', async () => {
    const clock = new VirtualClock();
    const first = clock.runFor(10);
    await expect(clock.runFor(10)).rejects.toMatchObject({ code: 'busy' });
    await first;
  });

  it('steps wall time without touching monotonic time', () => {
    const clock = new VirtualClock({ wallMs: 1000 });
    clock.stepWall(-400);
    expect([clock.wallMs(), clock.monotonicMs()]).toEqual([600, 0]);
  });

  it('runs nothing more of a process that was killed', async () => {
    const clock = new VirtualClock();
    const own = new ProcessClock(clock);
    const trace: string[] = [];
    own.setTimer(10, () => trace.push('before'));
    own.setTimer(30, () => trace.push('after'));
    clock.setTimer(20, () => {
      own.endOfTurn(() => trace.push('end'));
      own.kill();
      own.setTimer(1, () => trace.push('late'));
    });
    await clock.runUntilIdle();
    expect(trace).toEqual(['before']);
  });

  it('steps the wall clock of one process alone', () => {
    const clock = new VirtualClock({ wallMs: 0 });
    const own = new ProcessClock(clock);
    own.stepWall(5);
    expect([own.wallMs(), clock.wallMs()]).toEqual([5, 0]);
  });
});

describe('seeded random', () => {
  it('repeats itself for one seed and differs for another', () => {
    const draw = (seed: number | string): string => Buffer.from(seededRandom(seed).bytes(64)).toString('hex');
    expect(draw(7)).toBe(draw(7));
    expect(draw(7)).not.toBe(draw(8));
    expect(draw('7/x')).toBe(Buffer.from(seededRandom(7).fork('x').bytes(64)).toString('hex'));
  });

  it('spreads fractions evenly over [0, 1)', () => {
    const random = seededRandom('even');
    const buckets = new Array<number>(10).fill(0);
    for (let i = 0; i < 10_000; i++) {
      const bucket = random.integer(10);
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    }
    for (const count of buckets) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  it('gives bytes of every length', () => {
    for (let length = 0; length < 10; length++) expect(seededRandom(1).bytes(length)).toHaveLength(length);
  });
});
