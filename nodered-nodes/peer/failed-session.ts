import type { PipevineError } from '@pipevine/runtime';
import type { OverlaySession } from './overlay-session.ts';

/** Stands for a peer whose settings make none. */
export function failedSession(error: PipevineError): OverlaySession {
  return {
    state: { phase: 'failed', error, links: 0 },
    peer: undefined,
    group: undefined,
    ready: async () => {
      throw error;
    },
    subscribe: () => () => {},
  };
}
