import { VirtualClock } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { Deadline } from './deadline.ts';

function setUp() {
  const clock = new VirtualClock();
  const [first, second] = [new AbortController(), new AbortController()];
  const make = () => new Deadline(clock, 1_000, [first.signal, second.signal]);
  return { clock, first, second, make };
}

describe('a deadline', () => {
  it('aborts its signal when the time is over', async () => {
    const { clock, make } = setUp();
    const { signal } = make();
    await clock.runFor(999);
    expect(signal.aborted).toBe(false);
    await clock.runFor(1);
    expect(signal.aborted).toBe(true);
  });

  it('aborts it with the first of its sources, also one that was aborted before', () => {
    const { second, make } = setUp();
    const { signal } = make();
    second.abort();
    expect(signal.aborted).toBe(true);
    expect(make().signal.aborted).toBe(true);
  });

  it('leaves it as it is once it has ended, whatever comes', async () => {
    const { clock, first, make } = setUp();
    const deadline = make();
    deadline.end();
    first.abort();
    deadline.abort();
    await clock.runFor(2_000);
    expect(deadline.signal.aborted).toBe(false);
  });

  it('can be cut short', () => {
    const deadline = setUp().make();
    deadline.abort();
    deadline.abort();
    expect(deadline.signal.aborted).toBe(true);
  });
});
