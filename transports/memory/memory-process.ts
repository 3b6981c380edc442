import type { Transport } from '@pipevine/runtime';
import type { MemoryDatagramConnection } from './memory-datagram-connection.ts';
import { MemoryDatagramTransport } from './memory-datagram-transport.ts';
import type { MemoryHost } from './memory-host.ts';
import { MemoryLocalNetwork } from './memory-local-network.ts';
import type { MemoryStream } from './memory-stream.ts';
import { MemoryStreamTransport } from './memory-stream-transport.ts';
import { ProcessClock } from './process-clock.ts';

/** What one process on a host of the memory network has: its clock, its transports, its ear on the LAN. */
export class MemoryProcess {
  readonly host: MemoryHost;
  /** Use it for the peer that runs here: it stops with the process. */
  readonly clock: ProcessClock;
  readonly transports: readonly Transport[];
  readonly localNetwork: MemoryLocalNetwork;
  readonly streams = new Set<MemoryStream>();
  readonly datagrams = new Set<MemoryDatagramConnection>();

  constructor(host: MemoryHost) {
    this.host = host;
    this.clock = new ProcessClock(host.network.clock);
    this.transports = [new MemoryStreamTransport(this), new MemoryDatagramTransport(this)];
    this.localNetwork = new MemoryLocalNetwork(this);
    host.localNetworks.add(this.localNetwork);
  }

  get alive(): boolean {
    return this.clock.alive;
  }

  /**
   * Ends the process as SIGKILL does: its timers never fire, its promises never settle, its listeners vanish, the other
   * sides of its connections see them reset. Idempotent.
   */
  crash(): void {
    this.end('crash');
  }

  /** For the host: `power loss` leaves the other sides in the dark. */
  end(reason: 'crash' | 'power loss'): void {
    if (!this.alive) return;
    this.clock.kill();
    const { host } = this;
    host.processes.delete(this);
    host.localNetworks.delete(this.localNetwork);
    for (const [port, listener] of host.streamListeners) {
      if (listener.process === this) host.streamListeners.delete(port);
    }
    for (const [port, socket] of host.datagramSockets) {
      if (socket.process === this) host.datagramSockets.delete(port);
    }
    for (const stream of [...this.streams]) stream.vanish(reason === 'power loss');
    this.streams.clear();
    this.datagrams.clear();
  }
}
