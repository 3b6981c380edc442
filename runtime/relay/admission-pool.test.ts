import { VirtualClock } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { PipevineError } from '../error/pipevine-error.ts';
import { type PeerId, peerIdFromBytes } from '../id/peer-id.ts';
import { AdmissionPool } from './admission-pool.ts';
import { STRANGER_ADMISSIONS } from './relay-defaults.ts';

const peer = (number: number): PeerId => {
  const bytes = new Uint8Array(32);
  new DataView(bytes.buffer).setUint32(0, number);
  return peerIdFromBytes(bytes);
};

const UNLIMITED_RATE = { binderBurst: 1e6, binderPerSecond: 1, targetBurst: 1e6, targetPerSecond: 1 };
const FEW = { maxPipes: 6, maxPerBinder: 2, maxPerTarget: 3, ...UNLIMITED_RATE };

function code(take: () => unknown): string {
  try {
    take();
    return 'taken';
  } catch (error) {
    return error instanceof PipevineError ? error.code : String(error);
  }
}

describe('the pipes to membership services that are open at one time', () => {
  it('are few of one binder, few to one target, and few in all', () => {
    const pool = new AdmissionPool(new VirtualClock(), FEW);
    const take = (binder: number, target: number) => code(() => pool.take(peer(binder), peer(target)));
    expect([take(1, 10), take(1, 11), take(1, 12)]).toEqual(['taken', 'taken', 'overloaded']);
    expect([take(2, 10), take(3, 10), take(4, 10)]).toEqual(['taken', 'taken', 'overloaded']);
    expect([take(5, 13), take(6, 14), take(7, 15)]).toEqual(['taken', 'taken', 'overloaded']);
    expect(pool.status).toEqual({ used: 6, limit: 6, dropped: 3 });
  });

  it('make room when they are over', () => {
    const pool = new AdmissionPool(new VirtualClock(), FEW);
    const first = pool.take(peer(1), peer(10));
    pool.take(peer(1), peer(11));
    first.release();
    first.release();
    expect(code(() => pool.take(peer(1), peer(12)))).toBe('taken');
    expect(pool.status.used).toBe(2);
  });

  it('make room for others when they have had their turn, the oldest first', async () => {
    const clock = new VirtualClock();
    const pool = new AdmissionPool(clock, FEW);
    const displaced: number[] = [];
    for (const binder of [1, 2, 3]) {
      const place = pool.take(peer(binder), peer(10));
      place.onDisplaced = () => void displaced.push(binder);
      await clock.runFor(1_000);
    }
    expect(code(() => pool.take(peer(4), peer(10)))).toBe('overloaded');
    await clock.runFor(8_000);
    expect(code(() => pool.take(peer(4), peer(10)))).toBe('taken');
    expect(displaced).toEqual([1]);
    expect(pool.status.used).toBe(3);
  });

  it('come at a bounded rate: a flood from ever new keys leaves room for other targets', () => {
    const clock = new VirtualClock();
    const pool = new AdmissionPool(clock, STRANGER_ADMISSIONS);
    let taken = 0;
    for (let i = 0; i < 10_000; i++) {
      try {
        pool.take(peer(1_000 + i), peer(10)).release();
        taken++;
      } catch (error) {
        expect(error).toMatchObject({ code: 'overloaded' });
      }
    }
    expect(taken).toBe(STRANGER_ADMISSIONS.targetBurst);
    expect(code(() => pool.take(peer(1), peer(11)))).toBe('taken');
  });

  it('of one binder that asks and asks cost its target nothing', () => {
    const pool = new AdmissionPool(new VirtualClock(), STRANGER_ADMISSIONS);
    for (let i = 0; i < 1_000; i++) code(() => pool.take(peer(1), peer(10)).release());
    expect(code(() => pool.take(peer(2), peer(10)))).toBe('taken');
  });
});
