export type FlashPhase = 'writing' | 'verifying';

export interface FlashProgress {
  readonly phase: FlashPhase;
  /** Done in this phase. */
  readonly bytes: number;
  /** Undefined while a compressed image has not been read to its end. */
  readonly totalBytes: number | undefined;
  /** 0 to 1, which it is when the phase is over; of a compressed image by what was read of its file. */
  readonly fraction: number;
  /** Bytes a second of late; undefined at first. */
  readonly rate: number | undefined;
  readonly leftMs: number | undefined;
}

interface Sample {
  readonly atMs: number;
  readonly bytes: number;
  readonly fraction: number;
}

/** The rate is that of the last seconds: cards have caches that let them begin fast. */
const WINDOW_MS = 10_000;
const SAMPLE_MS = 500;

/** Rate and time left of one phase. `now`: a monotonic time in milliseconds. */
export class ProgressMeter {
  readonly #phase: FlashPhase;
  readonly #now: () => number;
  readonly #samples: Sample[];

  constructor(phase: FlashPhase, now: () => number) {
    this.#phase = phase;
    this.#now = now;
    this.#samples = [{ atMs: now(), bytes: 0, fraction: 0 }];
  }

  at(bytes: number, fraction: number, totalBytes: number | undefined): FlashProgress {
    const atMs = this.#now();
    while (this.#samples.length > 1 && atMs - (this.#samples[0]?.atMs ?? 0) > WINDOW_MS) this.#samples.shift();
    const [oldest] = this.#samples;
    if (atMs - (this.#samples.at(-1)?.atMs ?? 0) >= SAMPLE_MS) this.#samples.push({ atMs, bytes, fraction });
    const elapsedMs = atMs - (oldest?.atMs ?? atMs);
    const gained = fraction - (oldest?.fraction ?? 0);
    return {
      phase: this.#phase,
      bytes,
      totalBytes,
      fraction,
      rate: elapsedMs > 0 ? Math.round(((bytes - (oldest?.bytes ?? 0)) / elapsedMs) * 1_000) : undefined,
      leftMs: elapsedMs > 0 && gained > 0 ? Math.round(((1 - fraction) / gained) * elapsedMs) : undefined,
    };
  }
}
