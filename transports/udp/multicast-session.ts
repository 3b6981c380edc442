import type { LocalNetworkInit, LocalNetworkSession } from '@pipevine/runtime';
import { PipevineError } from '@pipevine/runtime';
import type { DgramAsPromised, SocketAsPromised } from 'dgram-as-promised';
import { InterfaceWatch } from './interface-watch.ts';
import { type InterfaceTable, type LinkInterface, linkInterfaces, onLinkCheck } from './link-interfaces.ts';
import { SourceRateLimit } from './source-rate-limit.ts';
import type { UdpCounters } from './udp-counters.ts';
import type { UdpLocalNetworkOptions } from './udp-options.ts';

/** Largest packet, so that none is ever fragmented. */
const MAX_PACKET_BYTES = 1200;

/** Peers say something every few seconds; this leaves room for a storm of restarts and stops a flood. */
const PER_SOURCE = { perSecond: 20, burst: 60 };
const IN_TOTAL = { perSecond: 500, burst: 1000 };

/** Sends of one interface that the system has not finished; a link that takes nothing gets nothing more. */
const MAX_SENDS_WAITING = 64;

interface Sender {
  readonly socket: SocketAsPromised;
  readonly group: string;
  waiting: number;
}

type Family = 'udp4' | 'udp6';

/** Packets to and from one multicast group on every link of the machine: one socket to hear all, one a link to send. */
export class MulticastSession implements LocalNetworkSession {
  readonly #options: UdpLocalNetworkOptions;
  readonly #counters: UdpCounters;
  readonly #init: LocalNetworkInit;
  readonly #dgram: typeof DgramAsPromised;
  readonly #limit: SourceRateLimit;
  readonly #receivers = new Map<Family, SocketAsPromised>();
  /** By interface and family. */
  readonly #senders = new Map<string, Sender>();
  #isOnLink: (address: string) => boolean = () => false;
  #watch: InterfaceWatch | undefined;
  #lastFailure: unknown;
  #state: 'open' | 'closed' = 'open';
  #updating: Promise<void> = Promise.resolve();

  private constructor(
    options: UdpLocalNetworkOptions,
    counters: UdpCounters,
    init: LocalNetworkInit,
    dgram: typeof DgramAsPromised,
  ) {
    this.#options = options;
    this.#counters = counters;
    this.#init = init;
    this.#dgram = dgram;
    this.#limit = new SourceRateLimit(options.clock, PER_SOURCE, IN_TOTAL);
  }

  static async open(
    options: UdpLocalNetworkOptions,
    counters: UdpCounters,
    init: LocalNetworkInit,
  ): Promise<MulticastSession> {
    const { DgramAsPromised: dgram } = await import('dgram-as-promised');
    const session = new MulticastSession(options, counters, init, dgram);
    await session.#start();
    return session;
  }

  send(bytes: Uint8Array): void {
    if (this.#state === 'closed') return;
    if (bytes.length > MAX_PACKET_BYTES) {
      this.#counters.tooLarge++;
      return;
    }
    for (const sender of this.#senders.values()) {
      if (sender.waiting >= MAX_SENDS_WAITING) {
        this.#counters.sendFailures++;
        continue;
      }
      sender.waiting++;
      sender.socket.send(bytes, this.#options.port, sender.group).then(
        () => {
          sender.waiting--;
          this.#counters.sent++;
        },
        () => {
          sender.waiting--;
          this.#counters.sendFailures++;
        },
      );
    }
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#watch?.stop();
    await this.#updating;
    const sockets = [...this.#receivers.values(), ...[...this.#senders.values()].map(({ socket }) => socket)];
    this.#receivers.clear();
    this.#senders.clear();
    await Promise.all(sockets.map((socket) => socket.close()));
  }

  async #start(): Promise<void> {
    const table = this.#options.interfaces();
    await this.#receive('udp4');
    await this.#receive('udp6');
    await this.#update(table);
    if (this.#senders.size === 0) {
      const cause = this.#lastFailure;
      await this.close();
      throw new PipevineError(
        'multicast-unavailable',
        `Multicast to ${this.#options.groupIPv4} port ${this.#options.port} works on no interface` +
          `${cause instanceof Error ? ` (${cause.message})` : ''}. Go on without it: name at least one peer by its address.`,
        { cause },
      );
    }
    this.#watch = new InterfaceWatch(this.#options.clock, this.#options.interfaces, table, (changed) => {
      this.#updating = this.#updating
        .then(() => this.#update(changed))
        .catch(() => {
          this.#counters.interfaceFailures++;
        })
        .then(() => {
          if (this.#state === 'open') this.#init.onChange();
        });
    });
  }

  async #receive(family: Family): Promise<void> {
    const isIPv4 = family === 'udp4';
    const socket = this.#dgram.createSocket(
      { type: family, reuseAddr: true, ipv6Only: !isIPv4 },
      (bytes, { address }) => this.#accept(bytes, address),
    );
    try {
      // Bound to the group, the socket hears nothing that is sent to the machine itself; Windows cannot.
      const address = isIPv4 && process.platform !== 'win32' ? this.#options.groupIPv4 : undefined;
      await socket.bind({ port: this.#options.port, ...(address === undefined ? {} : { address }) });
      this.#receivers.set(family, socket);
    } catch (error) {
      this.#lastFailure ??= error;
      await socket.close();
    }
  }

  /** Joins and serves the interfaces that are there now, and lets go of those that are not. */
  async #update(table: InterfaceTable): Promise<void> {
    const interfaces = linkInterfaces(table);
    this.#isOnLink = onLinkCheck(
      table,
      interfaces.map(({ name }) => name),
    );
    const wanted = new Map(interfaces.flatMap((link) => endpoints(link)).map((endpoint) => [endpoint.key, endpoint]));
    for (const [key, { socket }] of [...this.#senders]) {
      if (wanted.has(key)) continue;
      this.#senders.delete(key);
      await socket.close();
    }
    for (const { key, family, local, source } of wanted.values()) {
      if (this.#senders.has(key) || this.#state === 'closed') continue;
      try {
        this.#join(family, local);
        this.#senders.set(key, await this.#sender(family, local, source));
      } catch (error) {
        this.#lastFailure ??= error;
        this.#counters.interfaceFailures++;
      }
    }
  }

  #join(family: Family, local: string): void {
    const receiver = this.#receivers.get(family);
    if (receiver === undefined) throw this.#lastFailure;
    const group = family === 'udp4' ? this.#options.groupIPv4 : this.#options.groupIPv6;
    try {
      receiver.addMembership(group, local);
    } catch (error) {
      // Joined before, when the interface was last here.
      if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error;
    }
  }

  async #sender(family: Family, local: string, source: string | undefined): Promise<Sender> {
    const socket = this.#dgram.createSocket({ type: family, ipv6Only: family === 'udp6' });
    try {
      await socket.bind({ port: 0, ...(source === undefined ? {} : { address: source }) });
      socket.setMulticastInterface(local);
      socket.setMulticastTTL(1);
      socket.setMulticastLoopback(true);
    } catch (error) {
      await socket.close();
      throw error;
    }
    return { socket, group: family === 'udp4' ? this.#options.groupIPv4 : this.#options.groupIPv6, waiting: 0 };
  }

  #accept(bytes: Uint8Array, address: string): void {
    if (this.#state === 'closed') return;
    if (!this.#isOnLink(address)) {
      this.#counters.offLink++;
    } else if (!this.#limit.admit(address)) {
      this.#counters.rateLimited++;
    } else if (bytes.length > MAX_PACKET_BYTES) {
      this.#counters.tooLarge++;
    } else {
      this.#counters.received++;
      // A copy: the socket reads into one large buffer after the other, and a packet must not keep one alive.
      this.#init.onPacket({ bytes: Uint8Array.from(bytes), host: hostText(address) });
    }
  }
}

interface LinkEndpoint {
  readonly key: string;
  readonly family: Family;
  /** How the system wants the interface named. */
  readonly local: string;
  /** Address to send from. */
  readonly source: string | undefined;
}

function endpoints({ name, ipv4, hasIPv6 }: LinkInterface): LinkEndpoint[] {
  const found: LinkEndpoint[] = [];
  if (ipv4 !== undefined) found.push({ key: `${name} ${ipv4}`, family: 'udp4', local: ipv4, source: ipv4 });
  if (hasIPv6) found.push({ key: `${name} IPv6`, family: 'udp6', local: `::%${name}`, source: undefined });
  return found;
}

/** As it stands in an EndpointAddress. */
function hostText(address: string): string {
  return address.includes(':') ? `[${address.replace('%', '%25')}]` : address;
}
