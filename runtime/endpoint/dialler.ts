import { PipevineError } from '../error/pipevine-error.ts';
import type { Identity } from '../id/identity.ts';
import { type PeerId, shortPeerId } from '../id/peer-id.ts';
import { dialLink } from '../link/dial-link.ts';
import type { Link } from '../link/link.ts';
import type { LinkLimitsInit } from '../link/link-limits.ts';
import type { SessionLink } from '../link/session-link.ts';
import { DONE } from '../link/wire-error.ts';
import type { WaitOptions } from '../pipe/pipe.ts';
import type { Clock } from '../platform/clock.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import { abortable } from './abortable.ts';
import { type DialAttempt, DialBook } from './dial-book.ts';
import { DialRace } from './dial-race.ts';
import type { ConnectOptions } from './endpoint.ts';
import { CONNECT_TIMEOUT_MS, MAX_RACES, MAX_REMEMBERED_ADDRESSES, MAX_REMEMBERED_KEYS } from './endpoint-defaults.ts';
import { StaticKeys } from './static-keys.ts';
import type { TransportTable } from './transport-table.ts';

export interface DiallerInit {
  readonly identity: Identity;
  readonly clock: Clock;
  readonly random: Random;
  readonly crypto: Crypto;
  readonly transports: TransportTable;
  readonly linkLimits?: LinkLimitsInit;
  readonly addressesOf: (peer: PeerId) => readonly EndpointAddress[];
  readonly ownAddresses: () => readonly EndpointAddress[];
  /** Takes a link that stands; false when there is no room for it, and it is closed. */
  readonly adopt: (link: SessionLink) => boolean;
}

/** Makes links to peers and addresses: one race for each goal at a time, whoever asks. */
export class Dialler {
  readonly #init: DiallerInit;
  readonly #book = new DialBook(MAX_REMEMBERED_ADDRESSES);
  readonly #keys = new StaticKeys(MAX_REMEMBERED_KEYS);
  readonly #races = new Map<string, DialRace<Link>>();

  constructor(init: DiallerInit) {
    this.#init = init;
  }

  /** Goals being dialled now. */
  get races(): number {
    return this.#races.size;
  }

  get rememberedAddresses(): number {
    return this.#book.size;
  }

  attempts(peer: PeerId): readonly DialAttempt[] {
    return this.#book.attempts(peer);
  }

  /** Remembers the static key of a neighbour: the next dial takes a round trip less. */
  learnKey(peer: PeerId, key: Uint8Array): void {
    this.#keys.set(peer, key);
  }

  /** A link to this peer stands, whoever dialled: nobody needs to go on trying. */
  reached(peer: PeerId, link: Link): void {
    this.#races.get(peer)?.win(link);
  }

  dialPeer(peer: PeerId, options: ConnectOptions): Promise<Link> {
    const { addresses: named = [], heardAt } = options;
    const goal = `peer ${shortPeerId(peer)}`;
    const timeoutMs = options.timeoutMs ?? CONNECT_TIMEOUT_MS;
    const race = this.#race(goal, peer, timeoutMs, peer);
    if (heardAt !== undefined) race.urge(heardAt);
    for (const address of named) this.#enter(race, peer, address, true);
    for (const address of this.#init.addressesOf(peer)) this.#enter(race, peer, address, false);
    for (const address of this.#book.provenAddresses(peer)) this.#enter(race, peer, address, false);
    race.advance();
    return abortable(race.result, this.#init.clock, { ...options, timeoutMs }, `a link to ${goal}`);
  }

  dialAddress(address: EndpointAddress, options: WaitOptions): Promise<Link> {
    const timeoutMs = options.timeoutMs ?? CONNECT_TIMEOUT_MS;
    const race = this.#race(address, address, timeoutMs, undefined);
    this.#enter(race, undefined, address, true);
    race.advance();
    return abortable(race.result, this.#init.clock, { ...options, timeoutMs }, `a link to ${address}`);
  }

  close(): void {
    for (const race of [...this.#races.values()]) race.fail(new PipevineError('closed', 'The endpoint was closed.'));
  }

  /** The race towards a goal, begun now or by someone before. */
  #race(goal: string, key: string, timeoutMs: number, peer: PeerId | undefined): DialRace<Link> {
    const known = this.#races.get(key);
    if (known !== undefined) return known;
    if (this.#races.size >= MAX_RACES) {
      throw new PipevineError('overloaded', `${MAX_RACES} peers are being dialled already; try again in a moment.`);
    }
    // Whoever joins later may have more time; its own deadline is enforced where it waits.
    const raceMs = Math.max(timeoutMs, CONNECT_TIMEOUT_MS);
    const race = new DialRace<Link>({
      clock: this.#init.clock,
      goal,
      timeoutMs: raceMs,
      attempt: (address, signal) => this.#attempt(peer, address, signal, raceMs),
    });
    this.#races.set(key, race);
    const forget = (): void => {
      this.#races.delete(key);
    };
    race.result.then(forget, forget);
    return race;
  }

  #enter(race: DialRace<Link>, peer: PeerId | undefined, address: EndpointAddress, named: boolean): void {
    if (peer !== undefined && this.#init.ownAddresses().includes(address)) return;
    try {
      this.#init.transports.of(address);
    } catch (error) {
      // An address that only others can use is no news; one that the caller named is.
      if (named && error instanceof PipevineError) race.add(address, Infinity, error);
      return;
    }
    const last = this.#book.lastOutcome(peer, address);
    const lastError =
      last === undefined || last.outcome === 'linked' ? undefined : new PipevineError(last.outcome, last.message);
    race.add(address, this.#book.restsUntilMs(peer, address, named), lastError);
    if (named) race.repeat(address);
  }

  async #attempt(
    peer: PeerId | undefined,
    address: EndpointAddress,
    signal: AbortSignal,
    timeoutMs: number,
  ): Promise<Link> {
    const { clock, identity, adopt } = this.#init;
    try {
      const link = await this.#link(peer, address, signal, timeoutMs);
      if (link.remotePeer === identity.id) {
        link.close(DONE, '');
        throw new PipevineError('wrong-peer', `${address} leads to this peer itself.`);
      }
      this.#book.linked(link.remotePeer, address, clock.wallMs());
      if (!adopt(link))
        throw new PipevineError('overloaded', 'This peer has as many links as it may have; close some.');
      return link;
    } catch (cause) {
      const error =
        cause instanceof PipevineError
          ? cause
          : new PipevineError('internal', `Dialling failed: ${String(cause)}`, { cause });
      if (!signal.aborted) this.#book.failed(peer, address, error, clock.wallMs(), clock.monotonicMs());
      throw error;
    }
  }

  async #link(
    peer: PeerId | undefined,
    address: EndpointAddress,
    signal: AbortSignal,
    timeoutMs: number,
  ): Promise<SessionLink> {
    const key = peer === undefined ? undefined : this.#keys.get(peer);
    if (key === undefined || peer === undefined) return this.#linkOnce(peer, address, signal, timeoutMs, undefined);
    try {
      return await this.#linkOnce(peer, address, signal, timeoutMs, key);
    } catch (error) {
      // Whoever is there does not hold this key: ask who it is.
      if (!(error instanceof PipevineError) || error.code !== 'protocol' || signal.aborted) throw error;
      this.#keys.delete(peer);
      return this.#linkOnce(peer, address, signal, timeoutMs, undefined);
    }
  }

  async #linkOnce(
    peer: PeerId | undefined,
    address: EndpointAddress,
    signal: AbortSignal,
    timeoutMs: number,
    key: Uint8Array | undefined,
  ): Promise<SessionLink> {
    const { identity, clock, random, crypto, transports, linkLimits } = this.#init;
    const connection = await transports.of(address).dial(address, { signal, timeoutMs });
    return dialLink({
      connection,
      identity,
      clock,
      random,
      crypto,
      signal,
      ...(linkLimits === undefined ? {} : { limits: linkLimits }),
      ...(peer === undefined ? {} : { expectedPeer: peer }),
      ...(key === undefined ? {} : { remoteStaticKey: key }),
    });
  }
}
