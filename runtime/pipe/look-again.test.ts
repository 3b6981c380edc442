import { VirtualClock } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { type ErrorCode, PipevineError } from '../error/pipevine-error.ts';
import { lookAgain } from './look-again.ts';
import type { WaitOptions } from './pipe.ts';
import { codeOf } from './testing/overlay.ts';

/** Looks that fail, one after the other, and then no more; and when they were taken, in ms. */
function looks(codes: readonly ErrorCode[]) {
  const clock = new VirtualClock();
  const startMs = clock.monotonicMs();
  const left = [...codes];
  const taken: { readonly atMs: number; readonly forMs: number | undefined }[] = [];
  const run = (wait: WaitOptions = {}) =>
    clock.run(
      codeOf(
        lookAgain(clock, wait, async ({ timeoutMs }) => {
          taken.push({ atMs: clock.monotonicMs() - startMs, forMs: timeoutMs });
          const code = left.shift();
          if (code !== undefined) throw new PipevineError(code, 'no way');
        }),
      ),
    );
  return { clock, taken, run, startMs };
}

describe('looking again for a way', () => {
  it('goes on for a second while the peer is unreachable, within the deadline', async () => {
    const found = looks(['unreachable', 'unreachable', 'unreachable']);
    expect(await found.run({ timeoutMs: 5_000 })).toBe('none');
    expect(found.taken).toEqual([
      { atMs: 0, forMs: 5_000 },
      { atMs: 100, forMs: 4_900 },
      { atMs: 400, forMs: 4_600 },
      { atMs: 1_000, forMs: 4_000 },
    ]);
    const none = looks(Array(9).fill('unreachable'));
    expect(await none.run()).toBe('unreachable');
    expect(none.taken).toHaveLength(4);
    const short = looks(Array(9).fill('unreachable'));
    expect(await short.run({ timeoutMs: 400 })).toBe('unreachable');
    expect(short.taken).toHaveLength(2);
  });

  it('takes any other answer for what it is', async () => {
    for (const code of ['refused', 'not-found', 'timeout', 'overloaded'] as const) {
      const { run, taken } = looks([code]);
      expect(await run()).toBe(code);
      expect(taken).toHaveLength(1);
    }
  });

  it('is over as soon as the caller gives up', async () => {
    const { clock, run, taken, startMs } = looks(['unreachable', 'aborted']);
    const caller = new AbortController();
    clock.setTimer(30, () => caller.abort());
    expect(await run({ signal: caller.signal })).toBe('aborted');
    expect(taken).toHaveLength(2);
    expect(clock.monotonicMs() - startMs).toBe(30);
  });
});
