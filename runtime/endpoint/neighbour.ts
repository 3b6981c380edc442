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
  /** Whether the transport of a link has let one to this neighbour fall silent lately. */
  readonly isBehind: (link: Link) => boolean;
  /** Another link has become the one to use. */
  readonly onChange: () => void;
  /** Closes a link and calls `remove` for it before it returns. */
  readonly retire: (link: Link, code: string, reason: string) => void;
}

/** A link that was asked for a sign of life. */
interface Asked {
  /** Records that had come when it was asked. */
  readonly heard: number;
  /** When it counts as dead, in monotonic time. */
  readonly untilMs: number;
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
  readonly #asked = new Map<Link, Asked>();
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
    const best = preferred(old, link, this.#init.isBehind);
    if (best === link) this.#elect(link);
    if (best === link && decides(link)) this.#closeOthers(link);
    else this.#probeOthers(link);
  }

  /** A link has closed. */
  remove(link: Link): void {
    this.#links.delete(link);
    this.#asked.delete(link);
    if (this.#primary !== link) return;
    let best: Link | undefined;
    for (const other of this.#links) {
      if (best === undefined || this.#init.isBehind(best) || !this.#init.isBehind(other)) best = other;
    }
    this.#primary = best;
    if (best === undefined) this.#probe?.cancel();
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

  /** Asks the older links for a sign of life: any record will do. One that was asked already has no more time for it. */
  #probeOthers(newest: Link): void {
    const untilMs = this.#init.clock.monotonicMs() + PROBE_TIMEOUT_MS;
    for (const link of [...this.#links]) {
      if (link === newest || this.#asked.has(link)) continue;
      this.#asked.set(link, { heard: link.traffic.recordsIn, untilMs });
      link.queueFrame({ type: FrameType.ping, token: 0 });
    }
    this.#lookAfter(PROBE_FIRST_LOOK_MS);
  }

  #lookAfter(delayMs: number): void {
    this.#probe?.cancel();
    if (this.#asked.size === 0) return;
    this.#probe = this.#init.clock.setTimer(delayMs, () => {
      const nowMs = this.#init.clock.monotonicMs();
      let isAlive = false;
      let leftMs = Infinity;
      for (const [link, { heard, untilMs }] of [...this.#asked]) {
        if (link.traffic.recordsIn > heard) isAlive = this.#asked.delete(link);
        else if (nowMs < untilMs) leftMs = Math.min(leftMs, untilMs - nowMs);
        else this.#init.retire(link, 'timeout', 'This link showed no sign of life when the neighbour opened another.');
      }
      if (isAlive) this.#onAlive();
      this.#lookAfter(Math.min(2 * delayMs, leftMs));
    });
  }

  #onAlive(): void {
    if (this.#primary !== undefined && decides(this.#primary)) this.#closeOthers(this.#primary);
  }
}
