import { networkInterfaces } from 'node:os';
import type { Clock, Random } from '@pipevine/runtime';
import { nodeClock } from '../node/node-clock.ts';
import { nodeRandom } from '../node/node-random.ts';
import type { InterfaceTable } from './link-interfaces.ts';

export interface UdpLocalNetworkInit {
  /** UDP port of the multicast group. Default: 40186. All peers of a LAN must agree. */
  readonly port?: number;
  /** Default: 239.255.80.86, of the site-local scope (RFC 2365) and kept to the link by TTL 1. */
  readonly groupIPv4?: string;
  /** Default: ff12::7069:7065, transient and link-local (RFC 4291, section 2.7). */
  readonly groupIPv6?: string;
  /** Port of multicast DNS. Default: 5353 (RFC 6762); another one is for tests. */
  readonly mdnsPort?: number;
  /** Default: 224.0.0.251 (RFC 6762). */
  readonly mdnsGroup?: string;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Default: os.networkInterfaces. */
  readonly interfaces?: () => InterfaceTable;
}

export type UdpLocalNetworkOptions = Required<UdpLocalNetworkInit>;

export function udpOptions(init: UdpLocalNetworkInit): UdpLocalNetworkOptions {
  return {
    port: init.port ?? 40_186,
    groupIPv4: init.groupIPv4 ?? '239.255.80.86',
    groupIPv6: init.groupIPv6 ?? 'ff12::7069:7065',
    mdnsPort: init.mdnsPort ?? 5353,
    mdnsGroup: init.mdnsGroup ?? '224.0.0.251',
    clock: init.clock ?? nodeClock,
    random: init.random ?? nodeRandom,
    interfaces: init.interfaces ?? networkInterfaces,
  };
}
