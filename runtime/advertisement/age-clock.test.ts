import { VirtualClock } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { AgeClock } from './age-clock.ts';

const HOUR = 3_600_000;

describe('AgeClock', () => {
  it('grows with monotonic time and ignores steps of the wall clock while it runs', async () => {
    const clock = new VirtualClock();
    const age = new AgeClock(clock, undefined);
    await clock.runFor(500);
    clock.stepWall(-HOUR);
    expect(age.nowMs()).toBe(500);
    clock.stepWall(5 * HOUR);
    expect(age.nowMs()).toBe(500);
  });

  it('counts the time that the process was off', async () => {
    const clock = new VirtualClock();
    const mark = new AgeClock(clock, undefined).mark();
    await clock.runFor(HOUR);
    expect(new AgeClock(new VirtualClock({ wallMs: clock.wallMs() }), mark).nowMs()).toBe(HOUR);
  });

  it('does not go back when the wall clock was set back', async () => {
    const clock = new VirtualClock();
    await clock.runFor(1_000);
    const before = new AgeClock(clock, undefined);
    await clock.runFor(7_000);
    const mark = before.mark();
    const later = new VirtualClock({ wallMs: clock.wallMs() - HOUR });
    expect(new AgeClock(later, mark).nowMs()).toBe(before.nowMs());
  });

  it('does not take the first setting of a clock for fifty years off', () => {
    const mark = new AgeClock(new VirtualClock({ wallMs: 5_000 }), undefined).mark();
    expect(new AgeClock(new VirtualClock(), mark).nowMs()).toBe(0);
  });

  it('says so when the mark is damaged', () => {
    expect(() => new AgeClock(new VirtualClock(), new Uint8Array([1, 2]))).toThrow(
      expect.objectContaining({ code: 'malformed' }),
    );
  });
});
