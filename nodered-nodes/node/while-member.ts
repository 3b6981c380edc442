import type { PeerGroup, PipevineError } from '@pipevine/runtime';
import type { OverlaySession } from '../peer/overlay-session.ts';
import { pipevineFailure } from './pipevine-failure.ts';

const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 30_000;
/** Work that ran so long had begun well. */
const STEADY_MS = 60_000;

export interface WhileMemberInit {
  readonly session: OverlaySession;
  /** Aborted when the group is left, or the following ends. */
  work(group: PeerGroup, signal: AbortSignal): Promise<void>;
  /** Another attempt follows by itself. */
  onFailed(error: PipevineError): void;
}

/** Runs `work` for as long as the session is a member of its group, anew for each membership, and again when it fails. */
export function whileMember({ session, work, onFailed }: WhileMemberInit): { end(): Promise<void> } {
  let running: { readonly group: PeerGroup; readonly abort: AbortController } | undefined;
  const underWay = new Set<Promise<void>>();

  const attempts = async (group: PeerGroup, signal: AbortSignal) => {
    for (let failures = 0; !signal.aborted; failures++) {
      const begunMs = performance.now();
      try {
        await work(group, signal);
        return;
      } catch (error) {
        if (signal.aborted) return;
        onFailed(pipevineFailure(error));
      }
      if (performance.now() - begunMs > STEADY_MS) failures = 0;
      const delayMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures, 10));
      await pause(delayMs * (0.5 + Math.random() / 2), signal);
    }
  };

  const follow = () => {
    const { group } = session;
    if (running?.group === group) return;
    running?.abort.abort();
    running = undefined;
    if (group === undefined) return;
    const abort = new AbortController();
    running = { group, abort };
    const attempt = attempts(group, abort.signal).finally(() => underWay.delete(attempt));
    underWay.add(attempt);
  };

  const unsubscribe = session.subscribe(follow);
  follow();
  return {
    end: async () => {
      unsubscribe();
      running?.abort.abort();
      await Promise.all(underWay);
    },
  };
}

function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, delayMs);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
