import type { VirtualClock } from '@pipevine/transports';
import type { Pipe } from '../pipe.ts';
import { numbered, numberOf } from './overlay.ts';

export interface Latencies {
  readonly sent: number;
  readonly received: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Sends a small message every so often, and says how long each took to the other end's reader. */
export async function latencies(
  clock: VirtualClock,
  [from, to]: readonly [Pipe, Pipe],
  { count = 200, everyMs = 20, bytes = 32 }: { count?: number; everyMs?: number; bytes?: number } = {},
): Promise<Latencies> {
  const sentMs: number[] = [];
  const took: number[] = [];
  to.receive((message) => void took.push(clock.monotonicMs() - (sentMs[numberOf(message)] ?? Number.NaN)));
  for (let i = 0; i < count; i++) {
    sentMs.push(clock.monotonicMs());
    void from.send(numbered(i, bytes), { timeoutMs: 600_000 });
    await clock.runFor(everyMs);
  }
  await clock.run(from.flush({ timeoutMs: 600_000 }));
  took.sort((a, b) => a - b);
  const quantile = (q: number): number => took[Math.min(took.length - 1, Math.floor(took.length * q))] ?? Number.NaN;
  return { sent: count, received: took.length, p50Ms: quantile(0.5), p99Ms: quantile(0.99), maxMs: quantile(1) };
}

/** Sends as much as the pipe takes until stopped; counts what arrives. Its end is awaited by `stop`. */
export function keepBusy(
  [from, to]: readonly [Pipe, Pipe],
  bytes: number,
): { received: () => number; stop(): Promise<void> } {
  let received = 0;
  let running = true;
  to.receive((message) => {
    received += message.length;
  });
  const message = new Uint8Array(bytes);
  const send = async (): Promise<void> => {
    while (running) if (!from.trySend(message)) await from.send(message, { timeoutMs: 600_000 });
  };
  const sending = send();
  return {
    received: () => received,
    stop: async () => {
      running = false;
      await sending;
    },
  };
}
