import { isIP } from 'node:net';
import type { EndpointAddress, ProbeInit, ProbePort } from '@pipevine/runtime';
import { SourceRateLimit } from './source-rate-limit.ts';
import { parseUdpAddress, sourceOf, udpAddressText, withMapping } from './udp-address.ts';
import type { UdpSocket } from './udp-socket.ts';
import type { UdpTransportCounters } from './udp-transport-counters.ts';
import type { UdpTransportOptions } from './udp-transport-options.ts';

/** Probes that all sockets of a transport send and receive. None is ever answered here. */
export class UdpProbes {
  readonly #counters: UdpTransportCounters;
  readonly #rate: SourceRateLimit;
  readonly #sockets: ReadonlySet<UdpSocket>;
  readonly #takers = new Set<ProbeInit>();

  /** `sockets` are those that listen, or did. */
  constructor(options: UdpTransportOptions, counters: UdpTransportCounters, sockets: ReadonlySet<UdpSocket>) {
    this.#counters = counters;
    this.#rate = new SourceRateLimit(options.clock, options.probesPerSource, options.probes);
    this.#sockets = sockets;
  }

  open(init: ProbeInit): ProbePort {
    this.#takers.add(init);
    return {
      send: (to, packet) => {
        if (this.#takers.has(init)) this.#send(to, packet);
      },
      close: () => {
        this.#takers.delete(init);
      },
    };
  }

  /** For the sockets: whether that packet is a probe, and has been dealt with. */
  take(packet: Uint8Array, host: string, port: number): boolean {
    for (const init of this.#takers) {
      if (packet[0] === init.mark && packet.length === init.bytes) return this.#deliver(packet, host, port);
    }
    return false;
  }

  #deliver(packet: Uint8Array, host: string, port: number): true {
    if (port === 0 || !this.#rate.admit(sourceOf(host))) {
      this.#counters.probesRefused++;
      return true;
    }
    this.#counters.probesReceived++;
    const from = udpAddressText(host, port);
    for (const init of [...this.#takers]) {
      if (packet[0] === init.mark && packet.length === init.bytes) init.onProbe(packet.slice(), from);
    }
    return true;
  }

  #send(to: EndpointAddress, packet: Uint8Array): void {
    const { host, port } = parseUdpAddress(to);
    if (isIP(host) === 0 || port === 0) return;
    for (const socket of this.#socketsFor(host)) {
      const remote = { host: socket.host === '::' ? withMapping(host) : host, port };
      socket.sendProbe(remote, packet);
      this.#counters.probesSent++;
    }
  }

  /** The one bound to every address that comes first, as a dial takes it; else all that may reach it. */
  #socketsFor(host: string): readonly UdpSocket[] {
    const isIPv6 = host.includes(':');
    const reaching = [...this.#sockets].filter((socket) => {
      if (!socket.isListening || !socket.isOpen) return false;
      if (socket.host === '::') return true;
      if (socket.host.includes(':') !== isIPv6) return false;
      return socket.isWildcard || isLoopback(socket.host) === isLoopback(host);
    });
    const wildcard = reaching.find((socket) => socket.isWildcard);
    return wildcard === undefined ? reaching : [wildcard];
  }
}

function isLoopback(host: string): boolean {
  return host === '::1' || host.startsWith('127.');
}
