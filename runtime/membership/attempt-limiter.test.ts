import { describe, expect, it } from 'vitest';
import { AttemptLimiter } from './attempt-limiter.ts';

describe('AttemptLimiter', () => {
  const limits = { windowMs: 1_000, maxPerPeer: 2, maxInTotal: 3 };

  it('stops one peer after its share, and lets others go on', () => {
    const limiter = new AttemptLimiter(limits);
    for (let i = 0; i < 2; i++) limiter.failed('a', 0);
    expect(limiter.allows('a', 999)).toBe(false);
    expect(limiter.allows('b', 999)).toBe(true);
    expect(limiter.refused).toBe(1);
  });

  it('stops all after the total', () => {
    const limiter = new AttemptLimiter(limits);
    for (const peer of ['a', 'b', 'c']) limiter.failed(peer, 0);
    expect(limiter.allows('d', 10)).toBe(false);
  });

  it('lets all try again in the next window', () => {
    const limiter = new AttemptLimiter(limits);
    for (const peer of ['a', 'a', 'c']) limiter.failed(peer, 500);
    expect(limiter.allows('a', 1_499)).toBe(false);
    expect(limiter.allows('a', 1_500)).toBe(true);
    limiter.failed('a', 1_600);
    expect(limiter.recent).toBe(1);
  });

  it('takes back what came to a good end, and nothing from before', () => {
    const limiter = new AttemptLimiter(limits);
    for (let i = 0; i < 10; i++) {
      limiter.failed('a', i);
      limiter.succeeded('a');
    }
    limiter.succeeded('a');
    expect(limiter.recent).toBe(0);
    limiter.failed('a', 20);
    limiter.failed('a', 20);
    limiter.succeeded('b');
    expect(limiter.allows('a', 30)).toBe(false);
  });
});
