import type {
  LocalNetwork,
  LocalNetworkInit,
  LocalNetworkSession,
  ServiceAnnouncement,
  ServiceDirectory,
} from '@pipevine/runtime';
import type { MemoryProcess } from './memory-process.ts';

/** Largest packet, as on a real LAN. */
const MAX_PACKET_BYTES = 1200;

/** Multicast among the hosts of one LAN of the memory network. As with real multicast, the sender hears itself. */
export class MemoryLocalNetwork implements LocalNetwork, ServiceDirectory {
  readonly #process: MemoryProcess;
  readonly #sessions = new Set<LocalNetworkInit>();
  readonly #announcements = new Set<ServiceAnnouncement>();

  constructor(process: MemoryProcess) {
    this.#process = process;
  }

  /** What this process announces now, for tests to look at. */
  get announcements(): readonly ServiceAnnouncement[] {
    return [...this.#announcements];
  }

  async open(init: LocalNetworkInit): Promise<LocalNetworkSession> {
    this.#sessions.add(init);
    return {
      send: (bytes) => {
        if (this.#sessions.has(init)) this.#send(bytes);
      },
      close: async () => {
        this.#sessions.delete(init);
      },
    };
  }

  async announce(announcement: ServiceAnnouncement): Promise<{ close(): Promise<void> }> {
    this.#announcements.add(announcement);
    return {
      close: async () => {
        this.#announcements.delete(announcement);
      },
    };
  }

  /** The host was plugged into another LAN. */
  changed(): void {
    this.#process.clock.setTimer(0, () => {
      for (const session of [...this.#sessions]) session.onChange();
    });
  }

  #send(bytes: Uint8Array): void {
    const { host, alive } = this.#process;
    if (!alive) return;
    const { network, lan, name } = host;
    if (bytes.length > MAX_PACKET_BYTES) {
      network.counters.overflowed++;
      return;
    }
    for (const target of network.hosts) {
      if (target.lan !== lan || target.localNetworks.size === 0) continue;
      network.sendPacket(name, target.name, bytes, (packet) => {
        if (target.lan !== lan) return;
        for (const localNetwork of [...target.localNetworks]) localNetwork.#receive(name, packet);
      });
    }
  }

  #receive(host: string, bytes: Uint8Array): void {
    for (const session of [...this.#sessions]) session.onPacket({ bytes: bytes.slice(), host });
  }
}
