import type { Endpoint } from '../endpoint/endpoint.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import { isLoopbackAddress, isPunchable } from './candidate.ts';
import type { Probes } from './probes.ts';
import type { PunchOffer } from './punch-codec.ts';
import {
  HEARD_DIAL_MS,
  MAX_CANDIDATES,
  MAX_HEARD,
  PROBE_AT_MS,
  PUNCH_TIMEOUT_MS,
  SECOND_DIALLER_MS,
  SESSION_LIFETIME_MS,
} from './punch-defaults.ts';

export interface PunchSessionInit {
  readonly peer: PeerId;
  readonly endpoint: Pick<Endpoint, 'connect' | 'linkTo'>;
  readonly probes: Probes;
  readonly clock: Clock;
  /** The token that the other side's probes will carry. */
  readonly token: Uint8Array;
  /** Whether this peer's id is the smaller one: it dials first. */
  readonly first: boolean;
  /** Called once: when the attempt is over without a link that this session knows of. */
  readonly onOver: () => void;
}

/**
 * One attempt at one peer (RFC 5128 section 3.3). Both sides send small probes to all addresses of the other, which opens
 * their own NATs for the answers; a probe that arrives shows a way, and only ways so proven are dialled. What a hostile
 * peer can make this side send to an address of its choice are ten probes.
 */
export class PunchSession {
  readonly peer: PeerId;
  readonly #init: PunchSessionInit;
  readonly #expected: { close(): void };
  readonly #over = new AbortController();
  readonly #heard = new Set<EndpointAddress>();
  readonly #rounds: Timer[] = [];
  readonly #dials: Timer[] = [];
  readonly #targets = new Set<EndpointAddress>();
  #lifetime: Timer;
  #local: PunchOffer | undefined;
  #remote: PunchOffer | undefined;

  /** Throws `overloaded` when too many tokens are waited for. */
  constructor(init: PunchSessionInit) {
    this.peer = init.peer;
    this.#init = init;
    this.#expected = init.probes.expect(init.token, (from) => this.#onProbe(from));
    this.#lifetime = init.clock.setTimer(SESSION_LIFETIME_MS, () => this.#end(true));
  }

  get isOver(): boolean {
    return this.#over.signal.aborted;
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** What the other side said; undefined before. */
  get remote(): PunchOffer | undefined {
    return this.#remote;
  }

  /** Whether a probe of the other side came. */
  get heard(): boolean {
    return this.#heard.size > 0;
  }

  /** Begins to send probes; anew when the other side has begun anew. */
  begin(local: PunchOffer, remote: PunchOffer): void {
    if (this.isOver) return;
    const isNew = this.#remote?.token.join() !== remote.token.join();
    this.#local = local;
    this.#remote = remote;
    const allowLoopback = local.candidates.some(isLoopbackAddress);
    for (const address of remote.candidates) if (isPunchable(address, allowLoopback)) this.#target(address);
    if (!isNew) return;
    this.#lifetime.cancel();
    this.#lifetime = this.#init.clock.setTimer(PUNCH_TIMEOUT_MS, () => this.#end(true));
    for (const timer of this.#rounds.splice(0)) timer.cancel();
    for (const atMs of PROBE_AT_MS) this.#rounds.push(this.#init.clock.setTimer(atMs, () => this.#sendProbes()));
  }

  /** Ends it; `onOver` is not called. Idempotent. */
  close(): void {
    this.#end(false);
  }

  #target(address: EndpointAddress): void {
    if (this.#targets.size < MAX_CANDIDATES + MAX_HEARD && !this.#local?.candidates.includes(address)) {
      this.#targets.add(address);
    }
  }

  #sendProbes(): void {
    const { probes } = this.#init;
    if (this.#remote === undefined) return;
    for (const address of this.#targets) probes.send(address, this.#remote.token);
  }

  #onProbe(from: EndpointAddress): void {
    if (this.isOver || this.#heard.has(from) || this.#heard.size >= MAX_HEARD) return;
    this.#heard.add(from);
    // A symmetric NAT shows this address to nobody but us: our probes must go there for the other side to hear us.
    this.#target(from);
    const delayMs = this.#init.first ? 0 : SECOND_DIALLER_MS;
    this.#dials.push(this.#init.clock.setTimer(delayMs, () => this.#dial(from)));
  }

  #dial(heardAt: EndpointAddress): void {
    const { endpoint, peer } = this.#init;
    if (endpoint.linkTo(peer) !== undefined) return;
    endpoint.connect(peer, { heardAt, timeoutMs: HEARD_DIAL_MS, signal: this.signal }).catch((error: unknown) => {
      // Another address may serve; if none does the session ends by its deadline.
      if (!(error instanceof PipevineError)) throw error;
    });
  }

  #end(tell: boolean): void {
    if (this.isOver) return;
    this.#over.abort();
    this.#lifetime.cancel();
    for (const timer of [...this.#rounds, ...this.#dials]) timer.cancel();
    this.#expected.close();
    if (tell) this.#init.onOver();
  }
}
