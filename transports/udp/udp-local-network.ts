import type { LocalNetwork } from '@pipevine/runtime';
import { MulticastSession } from './multicast-session.ts';
import { newUdpCounters, type UdpCounters } from './udp-counters.ts';
import { type UdpLocalNetworkInit, udpOptions } from './udp-options.ts';

export interface UdpLocalNetwork extends LocalNetwork {
  readonly counters: Readonly<UdpCounters>;
}

/**
 * The local network by UDP multicast. Sockets are opened when they are first used.
 */
export function udpLocalNetwork(init: UdpLocalNetworkInit = {}): UdpLocalNetwork {
  const options = udpOptions(init);
  const counters = newUdpCounters();
  return {
    counters,
    open: (session) => MulticastSession.open(options, counters, session),
  };
}
