import type { Clock } from '@pipevine/runtime';
import { nodeClock } from '../node/node-clock.ts';
import type { RateLimit } from './source-rate-limit.ts';

export interface UdpTransportInit {
  /** Accepted connections open at once, over all listeners. Default: 4,096. */
  readonly maxConnections?: number;
  /** Accepted connections open at once from one IPv4 address or IPv6 /64. Default: 256, so that peers behind one NAT fit. */
  readonly maxConnectionsPerRemote?: number;
  /** Packets of unknown addresses that are looked at, from one source. Default: 100 a second, 300 at once. */
  readonly newcomersPerSource?: RateLimit;
  /** The same from all sources together. Default: 4,000 a second and at once, which costs less than half a core. */
  readonly newcomers?: RateLimit;
  /** Probes that are looked at, from one source. Default: 100 a second, 200 at once. */
  readonly probesPerSource?: RateLimit;
  /** The same from all sources together. Default: 1,000 a second and at once. */
  readonly probes?: RateLimit;
  /** An accepted connection that nobody starts is dropped after so long. Default: 10,000 ms. */
  readonly unstartedMs?: number;
  /** `write` asks to stop when the system has not taken so many bytes of one socket. Default: 256 KiB. */
  readonly highWaterBytes?: number;
  readonly clock?: Clock;
}

export type UdpTransportOptions = Required<UdpTransportInit>;

export function udpTransportOptions(init: UdpTransportInit): UdpTransportOptions {
  return {
    maxConnections: init.maxConnections ?? 4096,
    maxConnectionsPerRemote: init.maxConnectionsPerRemote ?? 256,
    newcomersPerSource: init.newcomersPerSource ?? { perSecond: 100, burst: 300 },
    newcomers: init.newcomers ?? { perSecond: 4000, burst: 4000 },
    probesPerSource: init.probesPerSource ?? { perSecond: 100, burst: 200 },
    probes: init.probes ?? { perSecond: 1000, burst: 1000 },
    unstartedMs: init.unstartedMs ?? 10_000,
    highWaterBytes: init.highWaterBytes ?? 256 * 1024,
    clock: init.clock ?? nodeClock,
  };
}
