import { describe, expect, it } from 'vitest';
import { nodeClock } from './node-clock.ts';
import { nodeRandom } from './node-random.ts';

describe('end of turn', () => {
  it('comes after code that awaits several times in the same turn', async () => {
    const trace: string[] = [];
    const over = new Promise<void>((resolve) => {
      nodeClock.endOfTurn(() => {
        trace.push('end');
        resolve();
      });
    });
    for (let i = 0; i < 5; i++) {
      await undefined;
      trace.push(`await ${i}`);
    }
    await over;
    expect(trace).toEqual(['await 0', 'await 1', 'await 2', 'await 3', 'await 4', 'end']);
  });

  it('comes before the next event of the loop', async () => {
    const trace: string[] = [];
    await new Promise<void>((resolve) => {
      setImmediate(() => {
        setImmediate(() => {
          trace.push('next event');
          resolve();
        });
        nodeClock.endOfTurn(() => trace.push('end'));
      });
    });
    expect(trace).toEqual(['end', 'next event']);
  });
});

describe('timers', () => {
  it('do not fire at once when the delay is longer than setTimeout can wait', async () => {
    let fired = false;
    const timer = nodeClock.setTimer(2 ** 40, () => {
      fired = true;
    });
    await new Promise<void>((resolve) => {
      nodeClock.setTimer(5, resolve);
      // The timer under test is unref'd, like all: something must keep the loop alive meanwhile.
      setTimeout(() => undefined, 20);
    });
    expect(fired).toBe(false);
    timer.cancel();
    timer.cancel();
  });

  it('without a delay call back in the next turn', async () => {
    const trace: string[] = [];
    nodeClock.setTimer(0, () => trace.push('no delay'));
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect(trace).toEqual(['no delay']);
  });

  it('call back once, and not after cancel', async () => {
    const trace: string[] = [];
    nodeClock.setTimer(0, () => trace.push('cancelled')).cancel();
    await new Promise<void>((resolve) => {
      nodeClock.setTimer(1, () => {
        trace.push('fired');
        resolve();
      });
      setTimeout(() => undefined, 20);
    });
    expect(trace).toEqual(['fired']);
  });

  it('refuse a delay that is no number', () => {
    expect(() => nodeClock.setTimer(Number.NaN, () => undefined)).toThrow('NaN');
  });
});

it('draws fractions in [0, 1) and bytes of the asked length', () => {
  for (let i = 0; i < 1000; i++) {
    const fraction = nodeRandom.fraction();
    expect(fraction).toBeGreaterThanOrEqual(0);
    expect(fraction).toBeLessThan(1);
  }
  expect(nodeRandom.bytes(32)).toHaveLength(32);
  expect(nodeRandom.bytes(32)).not.toEqual(nodeRandom.bytes(32));
  expect(nodeRandom.bytes(0)).toHaveLength(0);
});
