import type { PeerId } from '../id/peer-id.ts';
import type { Link } from '../link/link.ts';
import { DONE } from '../link/wire-error.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import { FrameType } from '../wire/frame.ts';
import { PROBE_FIRST_LOOK_MS, PROBE_TIMEOUT_MS } from './endpoint-defaults.ts';
import { decides, preferred } from './link-election.ts';

export interface NeighbourInit {
  readonly peer: PeerId;
  readonly clock: Clock;
  /** Another link has become the one to use. */
  readonly onChange: () => void;
  /** Closes a link and calls `remove` for it before it returns. */
  readonly retire: (link: Link, code: string, reason: string) => void;
}

/**
 * The links to one neighbour. There should be one. When a simultaneous dial or a restart makes more, the peer with the
 * smaller id closes all but the best one; either side closes an old link that shows no sign of life at once, instead
 * of waiting for the keep-alive.
 */
export class Neighbour {
  readonly peer: PeerId;
  readonly #init: NeighbourInit;
  readonly #links = new Set<Link>();
  #primary: Link | undefined;
  #probe: Timer | undefined;

  constructor(init: NeighbourInit) {
    this.peer = init.peer;
    this.#init = init;
  }

  /** The link to use. */
  get primary(): Link | undefined {
    return this.#primary;
  }

  get links(): ReadonlySet<Link> {
    return this.#links;
  }

  /** A new link stands, and its receiver has been started. */
  add(link: Link): void {
    this.#links.add(link);
    const old = this.#primary;
    if (old === undefined) return this.#elect(link);
    const best = preferred(old, link);
    if (best === link) this.#elect(link);
    if (best === link && decides(link)) this.#closeOthers(link);
    else this.#probeOld(old);
  }

  /** A link has closed. */
  remove(link: Link): void {
    this.#links.delete(link);
    if (this.#primary !== link) return;
    let newest: Link | undefined;
    for (const other of this.#links) newest = other;
    this.#primary = newest;
    if (newest === undefined) this.#probe?.cancel();
    else this.#init.onChange();
  }

  #elect(link: Link): void {
    this.#primary = link;
    this.#init.onChange();
  }

  #closeOthers(survivor: Link): void {
    this.#probe?.cancel();
    for (const link of [...this.#links]) {
      if (link !== survivor) this.#init.retire(link, DONE, 'Another link to the same neighbour has taken its place.');
    }
  }

  /** Asks the older link for a sign of life: any record will do. */
  #probeOld(old: Link): void {
    this.#probe?.cancel();
    const heard = old.traffic.recordsIn;
    const startMs = this.#init.clock.monotonicMs();
    old.queueFrame({ type: FrameType.ping, token: 0 });
    const look = (afterMs: number): void => {
      this.#probe = this.#init.clock.setTimer(afterMs, () => {
        if (!this.#links.has(old)) return;
        if (old.traffic.recordsIn > heard) return this.#onAlive();
        const leftMs = startMs + PROBE_TIMEOUT_MS - this.#init.clock.monotonicMs();
        if (leftMs > 0) return look(Math.min(afterMs * 2, leftMs));
        this.#init.retire(old, 'timeout', 'This link showed no sign of life when the neighbour opened another.');
      });
    };
    look(PROBE_FIRST_LOOK_MS);
  }

  #onAlive(): void {
    if (this.#primary !== undefined && decides(this.#primary)) this.#closeOthers(this.#primary);
  }
}
