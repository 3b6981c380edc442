import { PipevineError } from '../error/pipevine-error.ts';
import type { Identity } from '../id/identity.ts';
import { type PeerId, parsePeerId } from '../id/peer-id.ts';
import { acceptLink } from '../link/accept-link.ts';
import { HandshakeGate } from '../link/handshake-gate.ts';
import type { Link } from '../link/link.ts';
import { HANDSHAKE_TIMEOUT_MS } from '../link/link-defaults.ts';
import type { LinkLimitsInit } from '../link/link-limits.ts';
import type { SessionLink } from '../link/session-link.ts';
import { DONE } from '../link/wire-error.ts';
import type { WaitOptions } from '../pipe/pipe.ts';
import type { Clock } from '../platform/clock.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { Random } from '../platform/random.ts';
import type { Connection, EndpointAddress, Transport, TransportListener } from '../platform/transport.ts';
import { abortable } from './abortable.ts';
import type { DialAttempt } from './dial-book.ts';
import { Dialler } from './dialler.ts';
import type { ConnectOptions, Endpoint, EndpointEvents, LinkUser, RouteSource } from './endpoint.ts';
import {
  CLOSE_TIMEOUT_MS,
  type EndpointLimits,
  type EndpointLimitsInit,
  MAX_LINKS_PER_NEIGHBOUR,
  MAX_RACES,
  MAX_REMEMBERED_ADDRESSES,
  MAX_REMEMBERED_STALLS,
  resolveEndpointLimits,
} from './endpoint-defaults.ts';
import { IncomingGate } from './incoming-gate.ts';
import { LinkSupervisor } from './link-supervisor.ts';
import { Neighbour } from './neighbour.ts';
import { StallBook } from './stall-book.ts';
import { TransportTable } from './transport-table.ts';
import { Wants } from './wants.ts';

export interface EndpointServiceInit {
  readonly identity: Identity;
  readonly clock: Clock;
  readonly random: Random;
  readonly crypto: Crypto;
  readonly transports: readonly Transport[];
  readonly routes: Pick<RouteSource, 'addressesOf'>;
  readonly limits?: EndpointLimitsInit;
  readonly linkLimits?: LinkLimitsInit;
}

/** How full the endpoint's tables are, and what had to be turned away. */
export interface EndpointCounters {
  readonly links: number;
  readonly maxLinks: number;
  readonly refusedLinks: number;
  readonly halfOpen: number;
  readonly maxHalfOpen: number;
  readonly refusedHandshakes: number;
  readonly failedHandshakes: number;
  readonly races: number;
  readonly maxRaces: number;
  readonly wanted: number;
  readonly maxWanted: number;
  readonly rememberedAddresses: number;
  readonly maxRememberedAddresses: number;
}

/** The endpoint over the platform's transports and the links of `runtime/link`. */
export class EndpointService implements Endpoint {
  readonly localPeer: PeerId;
  readonly #init: EndpointServiceInit;
  readonly #limits: EndpointLimits;
  readonly #transports: TransportTable;
  readonly #dialler: Dialler;
  readonly #stalls = new StallBook(MAX_REMEMBERED_STALLS);
  readonly #gate: HandshakeGate;
  readonly #incoming: IncomingGate;
  readonly #wants: Wants;
  readonly #listeners: TransportListener[] = [];
  readonly #neighbours = new Map<PeerId, Neighbour>();
  readonly #supervisors = new Map<Link, LinkSupervisor>();
  readonly #subscribers = new Set<EndpointEvents>();
  readonly #abort = new AbortController();
  #user: LinkUser | undefined;
  #refusedLinks = 0;
  #failedHandshakes = 0;
  #closed: Promise<void> | undefined;

  constructor(init: EndpointServiceInit) {
    this.#init = init;
    this.localPeer = init.identity.id;
    this.#limits = resolveEndpointLimits(init.limits);
    this.#transports = new TransportTable(init.transports);
    this.#dialler = new Dialler({
      ...init,
      transports: this.#transports,
      addressesOf: (peer) => init.routes.addressesOf(peer),
      ownAddresses: () => this.addresses,
      stalls: this.#stalls,
      adopt: (link) => this.#adopt(link),
    });
    const { crypto, random, clock } = init;
    const { maxHalfOpen } = this.#limits;
    // Datagram dialers must prove their address before half of the places are taken.
    const maxHalfOpenBeforeCookies = Math.floor(maxHalfOpen / 2);
    this.#gate = new HandshakeGate({ crypto, random, clock, maxHalfOpen, maxHalfOpenBeforeCookies });
    this.#incoming = new IncomingGate(this.#limits.maxHalfOpenPerHost);
    this.#wants = new Wants({
      clock,
      random,
      maxWanted: this.#limits.maxWanted,
      dialPeer: (peer) => this.connect(peer),
      dialAddress: (address) => this.dial(address),
      isLinked: (peer) => this.#neighbours.has(peer),
    });
  }

  get addresses(): readonly EndpointAddress[] {
    return [...new Set(this.#listeners.flatMap((listener) => listener.addresses))];
  }

  get counters(): EndpointCounters {
    return {
      links: this.#supervisors.size,
      maxLinks: this.#limits.maxLinks,
      refusedLinks: this.#refusedLinks,
      halfOpen: this.#gate.halfOpen,
      maxHalfOpen: this.#limits.maxHalfOpen,
      refusedHandshakes: this.#gate.refused + this.#incoming.refused,
      failedHandshakes: this.#failedHandshakes,
      races: this.#dialler.races,
      maxRaces: MAX_RACES,
      wanted: this.#wants.size,
      maxWanted: this.#limits.maxWanted,
      rememberedAddresses: this.#dialler.rememberedAddresses,
      maxRememberedAddresses: MAX_REMEMBERED_ADDRESSES,
    };
  }

  /** One link a neighbour: the one in use. */
  links(): readonly Link[] {
    return [...this.#neighbours.values()].flatMap((neighbour) => neighbour.primary ?? []);
  }

  linkTo(peer: PeerId): Link | undefined {
    return this.#neighbours.get(peer)?.primary;
  }

  /** How the last attempt at each address of this peer ended, oldest first. */
  attempts(peer: PeerId): readonly DialAttempt[] {
    return this.#dialler.attempts(peer);
  }

  /** Something new is known of this peer, for example an address: if it is wanted, it is dialled now. */
  hint(peer: PeerId): void {
    this.#wants.hint(peer);
  }

  subscribe(events: EndpointEvents): { unsubscribe(): void } {
    this.#subscribers.add(events);
    return { unsubscribe: () => this.#subscribers.delete(events) };
  }

  carry(user: LinkUser): void {
    if (this.#user !== undefined) {
      throw new PipevineError(
        'invalid-argument',
        'The links of an endpoint have one user only, and it is set already.',
      );
    }
    this.#user = user;
  }

  async listen(address: EndpointAddress): Promise<void> {
    this.#requireOpen();
    const listener = await this.#transports.of(address).listen(address, (connection) => this.#onConnection(connection));
    if (this.#closed !== undefined) await listener.close();
    else this.#listeners.push(listener);
  }

  async connect(peer: PeerId, options: ConnectOptions = {}): Promise<Link> {
    this.#requireOpen();
    if (peer === this.localPeer) {
      throw new PipevineError('invalid-argument', 'A peer has no link to itself; bind the pipe, it stays inside.');
    }
    const link = this.linkTo(peer);
    if (link !== undefined) return link;
    return this.#current(await this.#dialler.dialPeer(peer, options));
  }

  async dial(address: EndpointAddress, options: WaitOptions = {}): Promise<Link> {
    this.#requireOpen();
    this.#transports.of(address);
    return this.#current(await this.#dialler.dialAddress(address, options));
  }

  want(target: PeerId | EndpointAddress): { release(): void } {
    this.#requireOpen();
    if (target === this.localPeer) {
      throw new PipevineError('invalid-argument', 'A peer wants no link to itself.');
    }
    if (target.startsWith('urn:')) return this.#wants.wantPeer(parsePeerId(target));
    this.#transports.of(target);
    return this.#wants.wantAddress(target);
  }

  close(): Promise<void> {
    this.#closed ??= this.#shutDown();
    return this.#closed;
  }

  async #shutDown(): Promise<void> {
    this.#wants.close();
    this.#abort.abort();
    this.#dialler.close();
    for (const supervisor of [...this.#supervisors.values()]) supervisor.retire(DONE, 'The peer shuts down.');
    const closing = Promise.allSettled(this.#listeners.map((listener) => listener.close()));
    await abortable(closing, this.#init.clock, { timeoutMs: CLOSE_TIMEOUT_MS }, 'the listeners to close').catch(() => {
      // A listener that hangs must not keep the process from ending.
    });
  }

  /** Another link to the same neighbour may have been the better one. */
  #current(link: Link): Link {
    return this.linkTo(link.remotePeer) ?? link;
  }

  #onConnection(connection: Connection): void {
    const leave = this.#closed === undefined ? this.#incoming.enter(connection.remoteAddress) : undefined;
    if (leave === undefined) return connection.abort();
    const { identity, clock, random, crypto, linkLimits } = this.#init;
    acceptLink({
      connection,
      identity,
      clock,
      random,
      crypto,
      gate: this.#gate,
      signal: this.#abort.signal,
      timeoutMs: HANDSHAKE_TIMEOUT_MS,
      ...(linkLimits === undefined ? {} : { limits: linkLimits }),
    }).then(
      (link) => {
        leave();
        if (link.remotePeer === this.localPeer) return link.close(DONE, '');
        this.#adopt(link);
      },
      () => {
        // Whose fault it was the dialler knows; here it is a number.
        leave();
        this.#failedHandshakes++;
      },
    );
  }

  /**
   * Takes a link that stands into the table and starts it; also one that comes when its race is over, for the other side
   * has it too and may have closed another for it. False when there is no room: it is closed then.
   */
  #adopt(link: SessionLink): boolean {
    const peer = link.remotePeer;
    const user = this.#user;
    if (this.#closed !== undefined || user === undefined) {
      link.close(DONE, 'The peer shuts down.');
      return false;
    }
    let neighbour = this.#neighbours.get(peer);
    // Whom we know or want must get in although strangers have taken all places.
    const isKnown = link.dialled || neighbour !== undefined || this.#wants.isWanted(peer);
    const room = isKnown ? this.#limits.maxLinks * 1.25 : this.#limits.maxLinks;
    if (this.#supervisors.size >= room || (neighbour?.links.size ?? 0) >= MAX_LINKS_PER_NEIGHBOUR) {
      this.#refusedLinks++;
      link.close('overloaded', `This peer has ${this.#supervisors.size} links, its limit; try again later.`);
      return false;
    }
    if (neighbour === undefined) {
      neighbour = new Neighbour({
        peer,
        clock: this.#init.clock,
        isBehind: (link) => this.#isBehind(link),
        onChange: () => this.#onPrimary(peer),
        retire: (old, code, reason) => this.#supervisors.get(old)?.retire(code, reason),
      });
      this.#neighbours.set(peer, neighbour);
    }
    this.#dialler.learnKey(peer, link.remoteStaticKey);
    const supervisor = new LinkSupervisor(link, user.handlerOf(link), (error) => this.#onEnded(link, error));
    this.#supervisors.set(link, supervisor);
    link.start(supervisor);
    // A link that had closed before it was started is gone again.
    if (this.#supervisors.has(link)) neighbour.add(link);
    else if (neighbour.links.size === 0) this.#neighbours.delete(peer);
    return true;
  }

  #onPrimary(peer: PeerId): void {
    const link = this.linkTo(peer);
    if (link === undefined) return;
    this.#dialler.reached(peer, link);
    this.#wants.linkUp(peer);
    for (const subscriber of [...this.#subscribers]) subscriber.onLinkUp(link);
  }

  #isBehind({ remotePeer, remoteAddress }: Link): boolean {
    return this.#stalls.isBehind(remotePeer, remoteAddress, this.#init.clock.monotonicMs());
  }

  #onEnded(link: Link, error: PipevineError | undefined): void {
    this.#supervisors.delete(link);
    if (error?.code === 'timeout') {
      this.#stalls.stalled(link.remotePeer, link.remoteAddress, this.#init.clock.monotonicMs());
    }
    const neighbour = this.#neighbours.get(link.remotePeer);
    if (neighbour?.links.has(link) !== true) return;
    neighbour.remove(link);
    if (neighbour.links.size > 0) return;
    this.#neighbours.delete(link.remotePeer);
    for (const subscriber of [...this.#subscribers]) subscriber.onLinkDown(link);
    this.#wants.linkDown(link.remotePeer);
  }

  #requireOpen(): void {
    if (this.#closed !== undefined) throw new PipevineError('closed', 'The endpoint was closed.');
  }
}
