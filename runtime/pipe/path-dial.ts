import { abortable } from '../endpoint/abortable.ts';
import type { Endpoint } from '../endpoint/endpoint.ts';
import type { GroupId } from '../id/group-id.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import type { Link } from '../link/link.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { WaitOptions } from './pipe.ts';
import { RELAY_STAGGER_MS } from './pipe-defaults.ts';
import type { PipePath } from './pipe-path.ts';
import type { PipePaths } from './pipe-paths.ts';

export interface PathDialInit {
  readonly endpoint: Pick<Endpoint, 'connect'>;
  readonly clock: Clock;
  readonly paths: PipePaths;
}

/** A way to a peer, and the link that it begins with. */
export interface OpenPath extends PipePath {
  readonly link: Link;
}

/**
 * Finds a way to a peer: over a link that is up, else by dialling the peer or its host, and a little later beside that
 * over a relay, linked ones first. `refused` are relays that need not be asked again. Rejects as `Endpoint.connect` does
 * for the peer itself: that says most.
 */
export async function dialPath(
  init: PathDialInit,
  to: { readonly peer: PeerId; readonly group: GroupId; readonly refused: ReadonlySet<PeerId> },
  options: WaitOptions,
): Promise<OpenPath> {
  const { endpoint, clock, paths } = init;
  const direct = paths.direct(to.peer);
  const relays = paths.relays(to.peer, to.group).filter((relay) => !to.refused.has(relay));
  if (paths.isLinked(direct.via) || relays.length === 0) {
    return { ...direct, link: await endpoint.connect(direct.via, options) };
  }
  relays.sort((a, b) => Number(paths.isLinked(b)) - Number(paths.isLinked(a)));
  const over = new AbortController();
  const signal = options.signal === undefined ? over.signal : AbortSignal.any([options.signal, over.signal]);
  let timer: Timer | undefined;
  const found = new Promise<OpenPath>((resolve, reject) => {
    const next: PipePath[] = relays.map((via) => ({ via, type: 'relayed' }));
    let pending = 0;
    let directError: unknown;
    const start = (path: PipePath): void => {
      pending++;
      endpoint.connect(path.via, { ...options, signal }).then(
        (link) => resolve({ ...path, link }),
        (error: unknown) => {
          pending--;
          if (path === direct) directError = error;
          if (!over.signal.aborted) more();
          if (pending === 0) reject(directError ?? error);
        },
      );
    };
    const more = (): void => {
      timer?.cancel();
      const path = next.shift();
      if (path === undefined) return;
      start(path);
      timer = clock.setTimer(RELAY_STAGGER_MS, more);
    };
    start(direct);
    timer = clock.setTimer(RELAY_STAGGER_MS, more);
  });
  try {
    return await abortable(found, clock, options, `a way to peer ${shortPeerId(to.peer)}`);
  } finally {
    timer?.cancel();
    over.abort();
  }
}
