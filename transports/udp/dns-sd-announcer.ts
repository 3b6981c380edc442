import type { ServiceAnnouncement } from '@pipevine/runtime';
import { serviceRecords } from './dns-sd-records.ts';
import { DnsSdResponder } from './dns-sd-responder.ts';
import { InterfaceWatch } from './interface-watch.ts';
import { type InterfaceTable, linkInterfaces, onLinkCheck } from './link-interfaces.ts';
import type { UdpCounters } from './udp-counters.ts';
import type { UdpLocalNetworkOptions } from './udp-options.ts';

/** One announced service: a responder on each interface, which says that interface's addresses to those on its link. */
export class DnsSdAnnouncer {
  readonly #options: UdpLocalNetworkOptions;
  readonly #counters: UdpCounters;
  readonly #announcement: ServiceAnnouncement;
  /** Own name of the host: the machine's name belongs to the system's responder, if there is one. */
  readonly #hostLabel: string;
  readonly #responders = new Map<string, DnsSdResponder>();
  #watch: InterfaceWatch | undefined;
  #updating: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  private constructor(options: UdpLocalNetworkOptions, counters: UdpCounters, announcement: ServiceAnnouncement) {
    this.#options = options;
    this.#counters = counters;
    this.#announcement = announcement;
    this.#hostLabel = `pipevine-${Buffer.from(options.random.bytes(5)).toString('hex')}`;
  }

  static async open(
    options: UdpLocalNetworkOptions,
    counters: UdpCounters,
    announcement: ServiceAnnouncement,
  ): Promise<DnsSdAnnouncer> {
    const announcer = new DnsSdAnnouncer(options, counters, announcement);
    const table = options.interfaces();
    await announcer.#update(table);
    announcer.#watch = new InterfaceWatch(options.clock, options.interfaces, table, (changed) => {
      announcer.#updating = announcer.#updating
        .then(() => announcer.#update(changed))
        .catch(() => {
          counters.dnsUnavailable++;
        });
    });
    return announcer;
  }

  /** Says goodbye on every link, then lets go of the port. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#watch?.stop();
    await this.#updating;
    await Promise.all([...this.#responders.values()].map((responder) => responder.close()));
    this.#responders.clear();
  }

  async #update(table: InterfaceTable): Promise<void> {
    const links = linkInterfaces(table).filter(({ ipv4 }) => ipv4 !== undefined);
    const wanted = new Map(links.map((link) => [JSON.stringify(link), link]));
    for (const [key, responder] of [...this.#responders]) {
      if (wanted.has(key)) continue;
      this.#responders.delete(key);
      await responder.close();
    }
    for (const [key, link] of wanted) {
      if (this.#responders.has(key) || this.#closing !== undefined) continue;
      const records = serviceRecords(this.#announcement, this.#hostLabel, link.addresses);
      const isOnLink = onLinkCheck(table, [link.name]);
      const responder = await DnsSdResponder.open(this.#options, this.#counters, link.ipv4 ?? '', isOnLink, records);
      if (responder !== undefined) this.#responders.set(key, responder);
    }
  }
}
