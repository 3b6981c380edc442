import { type ConsumedThing, PipevineError, type ThingSummary, type WaitOptions } from '@pipevine/runtime';
import type { PeerConfigNode } from '../peer/overlay-session.ts';
import { openThingDirectory } from './thing-directory.ts';

export interface ThingUse {
  readonly thing: ConsumedThing;
  readonly summary: ThingSummary;
  /** What is left of the time. */
  wait(): WaitOptions;
}

/**
 * Takes one thing into use for one request: waits for the membership, finds the thing, and lets it go. The way to it is kept by
 * the runtime for the next one. Rejects with `not-found`, `ambiguous`, `unreachable`, `timeout`, `aborted`, or as `work` does.
 */
export async function withThing<T>(
  peer: PeerConfigNode | undefined,
  text: string,
  { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number },
  work: (use: ThingUse) => Promise<T>,
): Promise<T> {
  if (peer === undefined) throw new PipevineError('invalid-argument', 'No peer is chosen.');
  const deadlineMs = performance.now() + timeoutMs;
  const wait = () => ({ signal, timeoutMs: Math.max(1, Math.ceil(deadlineMs - performance.now())) });
  const group = await peer.session.ready(wait());
  const { directory, release } = openThingDirectory(group);
  try {
    const summary = await directory.find(text, wait());
    const thing = await group.consume(summary);
    try {
      return await work({ thing, summary, wait });
    } finally {
      await thing.close();
    }
  } finally {
    release();
  }
}
