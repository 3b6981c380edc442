import type { Clock } from '../platform/clock.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readArray, readInteger } from '../wire/shape.ts';

/** 2020-01-01: a wall clock before it was never set, and says nothing about how long a peer was off. */
const PLAUSIBLE_WALL_MS = 1_577_836_800_000;

/**
 * The time by which advertisements age: milliseconds that grow with the monotonic clock while the process runs, and
 * by the difference of the wall clock while it does not. It never goes back, whatever the wall clock does, so the time
 * that an advertisement has left never grows. A mark of it is stored with whatever is dated by it.
 */
export class AgeClock {
  readonly #clock: Clock;
  readonly #startMs: number;
  readonly #originMs: number;

  /** `mark` is what `mark()` gave in the process's last life; undefined starts from 0. Throws `malformed`. */
  constructor(clock: Clock, mark: Uint8Array | undefined) {
    this.#clock = clock;
    this.#originMs = clock.monotonicMs();
    this.#startMs = resume(mark, clock.wallMs());
  }

  nowMs(): number {
    return this.#startMs + Math.max(0, Math.floor(this.#clock.monotonicMs() - this.#originMs));
  }

  mark(): Uint8Array {
    return encodeCanonical([this.nowMs(), Math.max(0, Math.floor(this.#clock.wallMs()))]);
  }
}

function resume(mark: Uint8Array | undefined, wallMs: number): number {
  if (mark === undefined) return 0;
  const members = readArray(decodeStrict(mark), 'The mark of the age clock', { length: 2 });
  const ageMs = readInteger(members[0], 'The age');
  const wallThenMs = readInteger(members[1], 'The wall clock');
  // Set back, or set for the first time since: nobody knows how long it was off, and at least not negative.
  const offMs = wallThenMs < PLAUSIBLE_WALL_MS ? 0 : Math.max(0, Math.floor(wallMs) - wallThenMs);
  return ageMs + offMs;
}
