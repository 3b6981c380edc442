import { MemoryStorage, VirtualClock } from '@pipevine/transports';
import { expect, it } from 'vitest';
import { MAX_REMEMBERED_SEEDS, rememberedSeeds, rememberSeeds } from './remembered-seeds.ts';

it('keeps the newest addresses, and no more than the bound', () => {
  const storage = new MemoryStorage({ clock: new VirtualClock() });
  // What is committed can be read at once; only its durability takes time, which stands still here.
  for (let i = 0; i < MAX_REMEMBERED_SEEDS + 3; i++) rememberSeeds(storage, [`tcp://host-${i}:1`], i);
  rememberSeeds(storage, ['tcp://host-5:1'], 100);
  const kept = rememberedSeeds(storage);
  expect(kept).toHaveLength(MAX_REMEMBERED_SEEDS);
  expect(kept).toContain('tcp://host-5:1');
  expect(kept).not.toContain('tcp://host-2:1');
});
