import { PipevineError } from '../error/pipevine-error.ts';
import { may } from '../group/capability.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import { type LeaseInput, type LeaseState, leaseOf, nextLeaseDeadline, stepLease } from '../rendezvous/lease-state.ts';
import type { GroupResolver } from '../resolver/resolver.ts';
import { decodeRelayGrant, encodeRelayRequest } from './relay-codec.ts';
import { ASKED_LEASE_MS, LEASE_ANSWER_MS, LEASE_DIAL_MS, RELAY_HANDLER, RENEW_MS } from './relay-defaults.ts';

export interface RelayLeaseInit {
  readonly resolver: Pick<GroupResolver, 'neighbour' | 'connect'>;
  /** Who may be asked, best first. */
  readonly candidates: () => readonly PeerId[];
  /** Whether another lease of this peer is, or is about to be, at that relay. */
  readonly isTaken: (relay: PeerId) => boolean;
  /** `relay` is another one, or none. */
  readonly onChange: () => void;
  readonly clock: Clock;
  readonly random: Random;
}

/** One lease at one relay, kept for as long as there is a relay: the shell of the state machine that a rendezvous' client has. */
export class RelayLease {
  readonly #init: RelayLeaseInit;
  #state: LeaseState = { phase: 'off' };
  #timer: Timer | undefined;

  constructor(init: RelayLeaseInit) {
    this.#init = init;
  }

  /** Where the lease is held. */
  get relay(): PeerId | undefined {
    return leaseOf(this.#state)?.peer;
  }

  /** The same, or who is being asked. */
  get asking(): PeerId | undefined {
    return this.#state.phase === 'asking' ? this.#state.peer : this.relay;
  }

  start(): void {
    this.#input({ type: 'start' });
  }

  /** Gives the lease back. */
  stop(): void {
    this.#input({ type: 'stop' });
  }

  /** A relay can be asked now that could not before. */
  hint(peer: PeerId): void {
    if (this.relay === undefined) this.#input({ type: 'hint', peer });
  }

  /** That relay is gone. */
  lost(peer: PeerId): void {
    this.#input({ type: 'lost', peer });
  }

  #input(input: LeaseInput): void {
    const { clock, random, candidates, isTaken } = this.#init;
    const before = this.relay;
    const free = (): readonly PeerId[] => candidates().filter((peer) => !isTaken(peer));
    const step = stepLease(this.#state, input, free, clock.monotonicMs(), random.fraction());
    this.#state = step.state;
    this.#timer?.cancel();
    const deadlineMs = nextLeaseDeadline(step.state);
    if (deadlineMs < Infinity) {
      const delayMs = Math.max(0, deadlineMs - clock.monotonicMs());
      this.#timer = clock.setTimer(delayMs, () => this.#input({ type: 'timer' }));
    }
    if (this.relay !== before) this.#init.onChange();
    if (step.effect?.type === 'ask') void this.#ask(step.effect.peer, step.effect.leaseId);
    else if (step.effect?.type === 'cancel') this.#cancel(step.effect.peer, step.effect.leaseId);
  }

  async #ask(peer: PeerId, leaseId: Uint8Array | undefined): Promise<void> {
    try {
      const { resolver } = this.#init;
      const neighbour = resolver.neighbour(peer) ?? (await resolver.connect(peer, { timeoutMs: LEASE_DIAL_MS }));
      if (!may(neighbour.credential, 'relay')) {
        throw new PipevineError('refused', 'The peer said to be a relay has no such capability.');
      }
      const request = encodeRelayRequest({ type: 'lease', leaseId, lifetimeMs: ASKED_LEASE_MS });
      const grant = decodeRelayGrant(await neighbour.request(RELAY_HANDLER, request, { timeoutMs: LEASE_ANSWER_MS }));
      this.#input({ type: 'granted', peer, ...grant, renewInMs: RENEW_MS });
    } catch (error) {
      if (!(error instanceof PipevineError)) throw error;
      this.#input({ type: 'failed', peer });
    }
  }

  #cancel(peer: PeerId, leaseId: Uint8Array): void {
    // Best effort: a lease that nobody cancels expires.
    this.#init.resolver
      .neighbour(peer)
      ?.request(RELAY_HANDLER, encodeRelayRequest({ type: 'cancel', leaseId }), { timeoutMs: LEASE_ANSWER_MS })
      .catch((error: unknown) => {
        if (!(error instanceof PipevineError)) throw error;
      });
  }
}
