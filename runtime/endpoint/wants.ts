import { PipevineError } from '../error/pipevine-error.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Link } from '../link/link.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import { initialWant, nextWantDeadline, stepWant, type WantInput, type WantState } from './want-state.ts';

export interface WantsInit {
  readonly clock: Clock;
  readonly random: Random;
  readonly maxWanted: number;
  readonly dialPeer: (peer: PeerId) => Promise<Link>;
  readonly dialAddress: (address: EndpointAddress) => Promise<Link>;
  readonly isLinked: (peer: PeerId) => boolean;
}

interface Want {
  readonly key: string;
  readonly dial: () => Promise<Link>;
  /** A wanted address has none before somebody answered there. */
  peer: PeerId | undefined;
  holders: number;
  state: WantState;
  timer: Timer | undefined;
}

/** Runs a WantState for each peer and seed address that somebody wants. */
export class Wants {
  readonly #init: WantsInit;
  readonly #wants = new Map<string, Want>();

  constructor(init: WantsInit) {
    this.#init = init;
  }

  get size(): number {
    return this.#wants.size;
  }

  wantPeer(peer: PeerId): { release(): void } {
    return this.#want(peer, peer, () => this.#init.dialPeer(peer));
  }

  wantAddress(address: EndpointAddress): { release(): void } {
    return this.#want(address, undefined, () => this.#init.dialAddress(address));
  }

  isWanted(peer: PeerId): boolean {
    return this.#wants.has(peer);
  }

  linkUp(peer: PeerId): void {
    this.#inputFor(peer, 'link-up');
  }

  linkDown(peer: PeerId): void {
    this.#inputFor(peer, 'link-down');
  }

  hint(peer: PeerId): void {
    this.#inputFor(peer, 'hint');
  }

  close(): void {
    for (const want of this.#wants.values()) want.timer?.cancel();
    this.#wants.clear();
  }

  #want(key: string, peer: PeerId | undefined, dial: () => Promise<Link>): { release(): void } {
    let want = this.#wants.get(key);
    if (want === undefined) {
      if (this.#wants.size >= this.#init.maxWanted) {
        throw new PipevineError('overloaded', `${this.#init.maxWanted} links are wanted already, the limit.`);
      }
      const state = initialWant(this.#init.clock.monotonicMs());
      want = { key, dial, peer, holders: 0, state, timer: undefined };
      this.#wants.set(key, want);
      if (peer !== undefined && this.#init.isLinked(peer)) this.#input(want, 'link-up');
      else this.#setTimer(want);
    }
    want.holders++;
    let held = true;
    return {
      release: () => {
        if (held) this.#release(want);
        held = false;
      },
    };
  }

  #release(want: Want): void {
    if (--want.holders > 0) return;
    want.timer?.cancel();
    if (this.#wants.get(want.key) === want) this.#wants.delete(want.key);
  }

  #inputFor(peer: PeerId, input: WantInput): void {
    for (const want of [...this.#wants.values()]) {
      if (want.peer === peer) this.#input(want, input);
    }
  }

  #input(want: Want, input: WantInput): void {
    if (this.#wants.get(want.key) !== want) return;
    const { clock, random } = this.#init;
    const step = stepWant(want.state, input, clock.monotonicMs(), random.fraction());
    want.state = step.state;
    this.#setTimer(want);
    if (step.effect === 'dial') this.#dial(want);
  }

  #dial(want: Want): void {
    want.dial().then(
      (link) => {
        want.peer = link.remotePeer;
        // The link may have gone again before this was told.
        this.#input(want, this.#init.isLinked(link.remotePeer) ? 'link-up' : 'dial-failed');
      },
      () => this.#input(want, 'dial-failed'),
    );
  }

  #setTimer(want: Want): void {
    want.timer?.cancel();
    const deadline = nextWantDeadline(want.state);
    if (deadline === undefined) return;
    const delayMs = Math.max(0, deadline - this.#init.clock.monotonicMs());
    want.timer = this.#init.clock.setTimer(delayMs, () => this.#input(want, 'timer'));
  }
}
