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
import {
  BEHIND_MS,
  CONNECT_TIMEOUT_MS,
  MAX_RACES,
  MAX_REMEMBERED_ADDRESSES,
  MAX_REMEMBERED_KEYS,
} from './endpoint-defaults.ts';
import type { StallBook } from './stall-book.ts';
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
  /** Which ways to a peer go behind others. */
  readonly stalls: Pick<StallBook, 'isBehind'>;
  /** Takes a link that stands; false when there is no room for it, and it is closed. */
  readonly adopt: (link: SessionLink) => boolean;
}

/** Makes links to peers and addresses: one race for each goal at a time, whoever asks. */
export class Dialler {
  readonly #init: DiallerInit;
  readonly #book = new DialBook(MAX_REMEMBERED_ADDRESSES);
  readonly #keys = new StaticKeys(MAX_REMEMBERED_KEYS);
  readonly #races = new Map<string, DialRace<Link>>();
  /** Addresses that wait for a better way to the peer that was found there before. */
  readonly #heldBack = new Map<EndpointAddress, PeerId>();

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
    for (const [address, expected] of [...this.#heldBack]) {
      if (expected === peer) this.#races.get(address)?.win(link);
    }
  }

  dialPeer(peer: PeerId, options: ConnectOptions): Promise<Link> {
    const { addresses: named = [], heardAt } = options;
    const goal = `peer ${shortPeerId(peer)}`;
    const timeoutMs = options.timeoutMs ?? CONNECT_TIMEOUT_MS;
    const race = this.#race(goal, peer, timeoutMs, peer);
    if (heardAt !== undefined) race.urge(heardAt);
    const known = [...this.#init.addressesOf(peer), ...this.#book.provenAddresses(peer)];
    const isBehind = this.#behind(peer, [...named, ...known]);
    for (const address of named) this.#enter(race, peer, address, true, isBehind(address));
    for (const address of known) this.#enter(race, peer, address, false, isBehind(address));
    race.advance();
    return abortable(race.result, this.#init.clock, { ...options, timeoutMs }, `a link to ${goal}`);
  }

  dialAddress(address: EndpointAddress, options: WaitOptions): Promise<Link> {
    const timeoutMs = options.timeoutMs ?? CONNECT_TIMEOUT_MS;
    const race = this.#race(address, address, timeoutMs, undefined);
    this.#enter(race, undefined, address, true, this.#holdBack(address));
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
      this.#heldBack.delete(key);
    };
    race.result.then(forget, forget);
    return race;
  }

  /** Which of a peer's addresses go behind: those of schemes that stalled, unless all others did, too. */
  #behind(peer: PeerId, addresses: readonly EndpointAddress[]): (address: EndpointAddress) => boolean {
    const { stalls, clock, transports, ownAddresses } = this.#init;
    const now = clock.monotonicMs();
    const isStalled = (address: EndpointAddress): boolean => stalls.isBehind(peer, address, now);
    if (!addresses.some(isStalled)) return () => false;
    const own = ownAddresses();
    const hasBetter = addresses.some(
      (address) => !isStalled(address) && !own.includes(address) && transports.has(address),
    );
    return hasBetter ? isStalled : () => false;
  }

  /** Whether an address has to wait for another way to the peer that was found there before. */
  #holdBack(address: EndpointAddress): boolean {
    const peer = this.#book.provenPeer(address);
    if (peer === undefined) return false;
    const known = [address, ...this.#init.addressesOf(peer), ...this.#book.provenAddresses(peer)];
    if (!this.#behind(peer, known)(address)) return false;
    this.#heldBack.set(address, peer);
    return true;
  }

  #enter(
    race: DialRace<Link>,
    peer: PeerId | undefined,
    address: EndpointAddress,
    named: boolean,
    isBehind: boolean,
  ): void {
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
    const restsUntilMs = this.#book.restsUntilMs(peer, address, named);
    const notBeforeMs = isBehind ? this.#init.clock.monotonicMs() + BEHIND_MS : 0;
    race.add(address, Math.max(restsUntilMs, notBeforeMs), lastError);
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
