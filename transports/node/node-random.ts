import { randomFillSync, randomInt } from 'node:crypto';
import type { Random } from '@pipevine/runtime';

/** randomInt's range is at most 2^48 - 1. */
const FRACTION_STEPS = 2 ** 47;

/** Random numbers of the operating system's generator. */
export const nodeRandom: Random = {
  bytes: (length) => randomFillSync(new Uint8Array(length)),
  fraction: () => randomInt(FRACTION_STEPS) / FRACTION_STEPS,
};
