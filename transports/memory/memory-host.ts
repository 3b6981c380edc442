import type { MemoryDatagramSocket } from './memory-datagram-socket.ts';
import type { MemoryLocalNetwork } from './memory-local-network.ts';
import type { MemoryNetwork } from './memory-network.ts';
import { MemoryProcess } from './memory-process.ts';
import type { MemoryStreamListener } from './memory-stream-transport.ts';

/** First port that a host gives to whoever asks for any. */
const FIRST_FREE_PORT = 49_152;

/** A machine of the memory network. It outlives the processes that run on it. */
export class MemoryHost {
  readonly network: MemoryNetwork;
  readonly name: string;
  /** By port; undefined is the address without one. */
  readonly streamListeners = new Map<number | undefined, MemoryStreamListener>();
  readonly datagramSockets = new Map<number | undefined, MemoryDatagramSocket>();
  readonly localNetworks = new Set<MemoryLocalNetwork>();
  readonly processes = new Set<MemoryProcess>();
  #lan = 'lan';
  #powered = false;
  #nextPort = FIRST_FREE_PORT;

  constructor(network: MemoryNetwork, name: string) {
    this.network = network;
    this.name = name;
  }

  /** Name of the LAN on which multicast from this host is heard. All hosts start on the one named `lan`. */
  get lan(): string {
    return this.#lan;
  }

  /** Plugs the host into another LAN, and tells its processes that the interfaces changed. */
  moveToLan(lan: string): void {
    this.#lan = lan;
    for (const localNetwork of this.localNetworks) localNetwork.changed();
  }

  /** Whether the machine runs: from its first process on, until it loses power. */
  get powered(): boolean {
    return this.#powered;
  }

  /** Starts a process, and the machine if need be. */
  boot(): MemoryProcess {
    const process = new MemoryProcess(this);
    this.processes.add(process);
    this.#powered = true;
    // Segments for connections that a power cut ended are refused by the machine that runs again, rather than lost.
    this.network.retryStalled();
    return process;
  }

  /**
   * Switches the machine off: all its processes end, and nobody tells the other sides of their connections. They notice
   * when what they send meets the machine after its next boot, or after the network's stream timeout.
   */
  losePower(): void {
    this.#powered = false;
    for (const process of [...this.processes]) process.end('power loss');
  }

  freePort(taken: { has(port: number): boolean }): number {
    for (;;) {
      const port = this.#nextPort;
      this.#nextPort = port === 65_535 ? FIRST_FREE_PORT : port + 1;
      if (!taken.has(port)) return port;
    }
  }
}
