import { SourceRateLimit } from './source-rate-limit.ts';
import { sourceOf } from './udp-address.ts';
import type { UdpTransportCounters } from './udp-transport-counters.ts';
import type { UdpTransportOptions } from './udp-transport-options.ts';

/** Packets that wait in all connections together, in bytes. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

/** Decides which strangers get a connection, and bounds what all of them may keep waiting; one for all sockets of a transport. */
export class UdpAdmission {
  readonly #options: UdpTransportOptions;
  readonly #counters: UdpTransportCounters;
  readonly #rate: SourceRateLimit;
  readonly #openBySource = new Map<string, number>();
  #waitingBytes = 0;

  constructor(options: UdpTransportOptions, counters: UdpTransportCounters) {
    this.#options = options;
    this.#counters = counters;
    this.#rate = new SourceRateLimit(options.clock, options.newcomersPerSource, options.newcomers);
  }

  /** Lets a stranger in; the caller calls what it gets once, when the connection has closed. Undefined: drop the packet. */
  enter(host: string): (() => void) | undefined {
    const source = sourceOf(host);
    const counters = this.#counters;
    if (!this.#rate.admit(source)) {
      counters.rateLimited++;
      return undefined;
    }
    if (counters.open >= this.#options.maxConnections) {
      counters.refusedTotal++;
      return undefined;
    }
    const open = this.#openBySource.get(source) ?? 0;
    if (open >= this.#options.maxConnectionsPerRemote) {
      counters.refusedPerRemote++;
      return undefined;
    }
    counters.accepted++;
    counters.open++;
    this.#openBySource.set(source, open + 1);
    return () => {
      counters.open--;
      const left = (this.#openBySource.get(source) ?? 1) - 1;
      if (left > 0) this.#openBySource.set(source, left);
      else this.#openBySource.delete(source);
    };
  }

  /** Whether so many bytes more may wait. */
  wait(bytes: number): boolean {
    if (this.#waitingBytes + bytes > MAX_WAITING_BYTES) return false;
    this.#waitingBytes += bytes;
    return true;
  }

  /** They wait no more. */
  waited(bytes: number): void {
    this.#waitingBytes -= bytes;
  }
}
