import { MemoryStorage, nodeCrypto, seededRandom, VirtualClock } from '@pipevine/transports';
import { describe, expect, it } from 'vitest';
import { groupIdFromBytes } from '../id/group-id.ts';
import { EpochKeys } from './epoch-keys.ts';
import { MAX_KEYS, OLD_EPOCH_MS } from './propagate-defaults.ts';

const random = seededRandom('epoch keys');
const group = groupIdFromBytes(nodeCrypto.signingKey(random.bytes(32)).publicKey);

function keeping() {
  const clock = new VirtualClock();
  const storage = new MemoryStorage({ clock });
  const errors: unknown[] = [];
  const open = () =>
    new EpochKeys({ group, storage, clock, crypto: nodeCrypto, onError: (error) => errors.push(error) });
  const stored = () => [...storage.scan('epoch-key')].length;
  return { clock, storage, open, stored, errors };
}

describe('EpochKeys', () => {
  it('reads an epoch for an hour after it was followed by another, across a restart, and keeps nothing of it then', async () => {
    const { clock, open, stored } = keeping();
    const keys = open();
    const [old, next] = [await clock.run(keys.add(random.bytes(32))), await clock.run(keys.add(random.bytes(32)))];
    keys.retireAllBut(old);
    keys.retireAllBut(next);
    await clock.runFor(OLD_EPOCH_MS - 1_000);
    expect([keys.has(old), keys.has(next)]).toEqual([true, true]);
    const again = open();
    expect([again.has(old), again.has(next)]).toEqual([true, true]);
    await clock.runFor(2_000);
    for (const one of [keys, again]) expect([one.has(old), one.has(next)]).toEqual([false, true]);
    expect(stored()).toBe(1);
  });

  it('counts an epoch again when the one that followed it is void', async () => {
    const { clock, open } = keeping();
    const keys = open();
    const [good, bad] = [await clock.run(keys.add(random.bytes(32))), await clock.run(keys.add(random.bytes(32)))];
    keys.retireAllBut(bad);
    await clock.runFor(1_000);
    keys.retireAllBut(good);
    await clock.runFor(2 * OLD_EPOCH_MS);
    expect([keys.has(good), keys.has(bad)]).toEqual([true, false]);
  });

  it('does not read longer for a clock that is set back', async () => {
    const { clock, storage } = keeping();
    let backMs = 0;
    const wrong = {
      monotonicMs: () => clock.monotonicMs(),
      wallMs: () => clock.wallMs() - backMs,
      setTimer: (delayMs: number, callback: () => void) => clock.setTimer(delayMs, callback),
      endOfTurn: (callback: () => void) => clock.endOfTurn(callback),
    };
    const keys = new EpochKeys({ group, storage, clock: wrong, crypto: nodeCrypto, onError: () => {} });
    const old = await clock.run(keys.add(random.bytes(32)));
    keys.retireAllBut(undefined);
    backMs = 86_400_000;
    expect(keys.has(old)).toBe(false);
  });

  it('is bounded however fast epochs follow each other, the one that counts apart', async () => {
    const { clock, open, stored } = keeping();
    const keys = open();
    let current = '';
    for (let i = 0; i < 3 * MAX_KEYS; i++) {
      current = await clock.run(keys.add(random.bytes(32)));
      keys.retireAllBut(current);
      await clock.runFor(10);
    }
    expect([keys.size, stored(), keys.has(current)]).toEqual([MAX_KEYS, MAX_KEYS, true]);
  });

  it('forgets all when the group is left', async () => {
    const { clock, open, stored } = keeping();
    const keys = open();
    await clock.run(keys.add(random.bytes(32)));
    keys.forget();
    await clock.runFor(10);
    expect([keys.size, stored()]).toEqual([0, 0]);
  });
});
