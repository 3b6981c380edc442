import { MAX_ROUTE_RELAYS } from '../advertisement/route-body.ts';
import { may } from '../group/capability.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import type { GroupNeighbour, GroupResolver } from '../resolver/resolver.ts';
import { LEAVE_OUT_AFTER_MS, MIN_ADVERTISE_INTERVAL_MS, NAME_AFTER_MS } from './router-defaults.ts';

export interface NeighbourAdvertiserInit {
  readonly resolver: Pick<GroupResolver, 'neighbours' | 'subscribe'>;
  /** Whether this peer relays in the group, now. */
  readonly mayServe: () => boolean;
  /** Tells the group which relays this relay is linked to; undefined: it relays no more. Called with each change. */
  readonly advertise: (relays: readonly PeerId[] | undefined) => void;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Says to which relays this relay is linked, so that others find ways over both: soon when one is gone, a little later
 * when one has come, and seldom when they come and go.
 */
export class NeighbourAdvertiser {
  readonly #init: NeighbourAdvertiserInit;
  readonly #subscription: { unsubscribe(): void };
  /** In the order in which they came: the eldest are the most likely to stay. */
  #relays: readonly PeerId[] = [];
  #advertised: readonly PeerId[] | undefined;
  #timer: Timer | undefined;
  #dueMs = Infinity;
  #notBeforeMs = -Infinity;

  constructor(init: NeighbourAdvertiserInit) {
    this.#init = init;
    const look = ({ credential }: GroupNeighbour): void => {
      if (may(credential, 'relay')) this.look();
    };
    this.#subscription = init.resolver.subscribe({ onOpen: look, onClosed: look });
    this.look();
  }

  /** What is advertised, or undefined while nothing is. */
  get advertised(): readonly PeerId[] | undefined {
    return this.#advertised;
  }

  /** The neighbours may be others, or the own credential is another one. */
  look(): void {
    const { resolver, mayServe, clock, random } = this.#init;
    const linked = resolver.neighbours().flatMap(({ peer, credential }) => (may(credential, 'relay') ? peer : []));
    this.#relays = [...new Set([...this.#relays.filter((relay) => linked.includes(relay)), ...linked])];
    const wanted = this.#wanted(mayServe());
    if (wanted?.join() === this.#advertised?.join()) return this.#wait(Infinity);
    const isGone = wanted === undefined || this.#advertised?.some((relay) => !wanted.includes(relay)) === true;
    const pauseMs = (isGone ? LEAVE_OUT_AFTER_MS : NAME_AFTER_MS) * (0.5 + random.fraction() / 2);
    const dueMs = Math.max(clock.monotonicMs() + pauseMs, this.#notBeforeMs);
    this.#wait(Math.min(dueMs, this.#dueMs));
  }

  /** Leaves what is advertised as it is. Idempotent. */
  close(): void {
    this.#subscription.unsubscribe();
    this.#wait(Infinity);
  }

  #wanted(serves: boolean): readonly PeerId[] | undefined {
    return serves ? this.#relays.slice(0, MAX_ROUTE_RELAYS) : undefined;
  }

  #wait(dueMs: number): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#dueMs = dueMs;
    if (dueMs === Infinity) return;
    const { clock } = this.#init;
    this.#timer = clock.setTimer(Math.max(0, dueMs - clock.monotonicMs()), () => this.#advertise());
  }

  #advertise(): void {
    const { clock, random, mayServe, advertise } = this.#init;
    this.#wait(Infinity);
    const wanted = this.#wanted(mayServe());
    this.#notBeforeMs = clock.monotonicMs() + MIN_ADVERTISE_INTERVAL_MS * (0.5 + random.fraction() / 2);
    if (wanted?.join() === this.#advertised?.join()) return;
    this.#advertised = wanted;
    advertise(wanted);
  }
}
