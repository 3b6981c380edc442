import type { ServiceDirectory } from '@pipevine/runtime';
import { DnsSdAnnouncer } from './dns-sd-announcer.ts';
import { newUdpCounters, type UdpCounters } from './udp-counters.ts';
import { type UdpLocalNetworkInit, udpOptions } from './udp-options.ts';

export interface DnsSdDirectory extends ServiceDirectory {
  readonly counters: Readonly<UdpCounters>;
}

/**
 * Announcements by DNS-SD (RFC 6763) over multicast DNS (RFC 6762). The DNS library is loaded when it is first used. Where
 * port 5353 cannot be shared, announcing is left out and counted as `dnsUnavailable`: peers find each other without it.
 */
export function dnsSdDirectory(init: UdpLocalNetworkInit = {}): DnsSdDirectory {
  const options = udpOptions(init);
  const counters = newUdpCounters();
  return { counters, announce: (announcement) => DnsSdAnnouncer.open(options, counters, announcement) };
}
