import { abortable } from '../endpoint/abortable.ts';
import type { Endpoint } from '../endpoint/endpoint.ts';
import type { GroupId } from '../id/group-id.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import type { Link } from '../link/link.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { WaitOptions } from './pipe.ts';
import { RELAY_STAGGER_MS } from './pipe-defaults.ts';
import { type PipePaths, pathKey, type RoutedPath } from './pipe-paths.ts';

export interface PathDialInit {
  readonly endpoint: Pick<Endpoint, 'connect'>;
  readonly clock: Clock;
  readonly paths: PipePaths;
}

/** A way to a peer, and the link that it begins with. */
export interface OpenPath extends RoutedPath {
  readonly link: Link;
}

/**
 * Finds a way to a peer: over a link that is up, else by dialling the peer or its host, and a little later beside that
 * over relays, linked ones first. Where none of these is known to lead to the peer, others are asked from the start.
 * `refused` are ways, by `pathKey`, that need not be asked again. Rejects as `Endpoint.connect` does for the
 * peer itself: that says most.
 */
export async function dialPath(
  init: PathDialInit,
  to: { readonly peer: PeerId; readonly group: GroupId; readonly refused: ReadonlySet<string> },
  options: WaitOptions,
): Promise<OpenPath> {
  const { endpoint, clock, paths } = init;
  const direct = paths.direct(to.peer);
  const begun = new Set<string>();
  /** Ways that were not begun yet, linked ones first. */
  const left = (): RoutedPath[] =>
    paths
      .relayed(to.peer, to.group)
      .filter((path) => !to.refused.has(pathKey(path)) && !begun.has(pathKey(path)))
      .sort((a, b) => Number(paths.isLinked(b.via)) - Number(paths.isLinked(a.via)));
  const seeks = paths.wantsRoutes(to.peer, to.group, (path) => to.refused.has(pathKey(path)));
  if (paths.isLinked(direct.via) || (left().length === 0 && !seeks)) {
    return { ...direct, link: await endpoint.connect(direct.via, options) };
  }
  const over = new AbortController();
  const signal = options.signal === undefined ? over.signal : AbortSignal.any([options.signal, over.signal]);
  let timer: Timer | undefined;
  const found = new Promise<OpenPath>((resolve, reject) => {
    let pending = 0;
    let directError: unknown;
    const ended = (error: unknown): void => {
      pending--;
      if (!over.signal.aborted) more();
      if (pending === 0) reject(directError ?? error);
    };
    const start = (path: RoutedPath): void => {
      pending++;
      begun.add(pathKey(path));
      endpoint.connect(path.via, { ...options, signal }).then(
        (link) => resolve({ ...path, link }),
        (error: unknown) => {
          if (path === direct) directError = error;
          ended(error);
        },
      );
    };
    const more = (): void => {
      timer?.cancel();
      const [path] = left();
      if (path === undefined) return;
      start(path);
      timer = clock.setTimer(RELAY_STAGGER_MS, more);
    };
    start(direct);
    if (seeks) {
      pending++;
      void paths.seek(to.peer, to.group, signal).then(() => ended(directError));
    }
    timer = clock.setTimer(RELAY_STAGGER_MS, more);
  });
  try {
    return await abortable(found, clock, options, `a way to peer ${shortPeerId(to.peer)}`);
  } finally {
    timer?.cancel();
    over.abort();
  }
}
