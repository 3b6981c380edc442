import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { Timer } from '@pipevine/runtime';
import type { MulticastDNS, QueryPacket, ResponseOutgoingPacket } from 'multicast-dns';
import { answerQuery, type DnsAnswer } from './dns-sd-answer.ts';
import { inspectDnsHeader } from './dns-sd-guard.ts';
import { allRecords, type DnsRecord, type ServiceRecords } from './dns-sd-records.ts';
import { SourceRateLimit } from './source-rate-limit.ts';
import type { UdpCounters } from './udp-counters.ts';
import type { UdpLocalNetworkOptions } from './udp-options.ts';

/** Queries looked at: browsers ask a few times a minute. */
const PER_SOURCE = { perSecond: 5, burst: 20 };
const IN_TOTAL = { perSecond: 50, burst: 200 };

/** A record goes to the whole link at most once in this time (RFC 6762, section 6). */
const MULTICAST_INTERVAL_MS = 1000;

/** Others may answer for the same type, so wait for a random part of this (RFC 6762, section 6). */
const SHARED_DELAY_MS = { least: 20, most: 120 };

/** Time between the two unasked announcements (RFC 6762, section 8.3). */
const ANNOUNCE_AGAIN_MS = 1000;

/** Lifetime told to resolvers that know no multicast DNS (RFC 6762, section 6.7). */
const LEGACY_TTL_S = 10;

/** The highest bit of a question's class asks for an answer to the asker alone (RFC 6762, section 5.4). */
const UNICAST_WANTED = 0x8000;

/** Answers queries about one service on one interface. */
export class DnsSdResponder {
  readonly #options: UdpLocalNetworkOptions;
  readonly #counters: UdpCounters;
  readonly #records: ServiceRecords;
  readonly #mdns: MulticastDNS;
  readonly #multicastAtMs = new Map<DnsRecord, number>();
  /** Answers that wait for their random delay, and go out together. */
  readonly #due = new Set<DnsRecord>();
  #dueTimer: Timer | undefined;
  #againTimer: Timer | undefined;
  #closed = false;

  private constructor(
    options: UdpLocalNetworkOptions,
    counters: UdpCounters,
    records: ServiceRecords,
    mdns: MulticastDNS,
  ) {
    this.#options = options;
    this.#counters = counters;
    this.#records = records;
    this.#mdns = mdns;
  }

  /** Undefined, and counted, when the port cannot be shared or the group not be joined. */
  static async open(
    options: UdpLocalNetworkOptions,
    counters: UdpCounters,
    interfaceAddress: string,
    isOnLink: (address: string) => boolean,
    records: ServiceRecords,
  ): Promise<DnsSdResponder | undefined> {
    const { default: multicastDns } = await import('multicast-dns');
    const socket = createSocket({ type: 'udp4', reuseAddr: true });
    const limit = new SourceRateLimit(options.clock, PER_SOURCE, IN_TOTAL);
    guard(socket, (bytes, { address }) => {
      const verdict = inspectDnsHeader(bytes);
      if (verdict === 'response') return false;
      if (verdict === 'malformed') counters.dnsMalformed++;
      else if (!isOnLink(address)) counters.dnsOffLink++;
      else if (!limit.admit(address)) counters.dnsRateLimited++;
      else return true;
      return false;
    });
    const mdns = multicastDns({
      socket,
      port: options.mdnsPort,
      ip: options.mdnsGroup,
      interface: interfaceAddress,
      bind: '0.0.0.0',
    });
    const ready = await new Promise<boolean>((resolve) => {
      mdns.once('ready', () => resolve(true));
      mdns.on('error', () => resolve(false));
      // What the system refused, such as joining the group, or what the decoder cannot read.
      mdns.on('warning', (warning) => {
        if ('syscall' in warning) counters.dnsUnavailable++;
        else counters.dnsMalformed++;
      });
    });
    if (!ready) {
      counters.dnsUnavailable++;
      await new Promise<void>((resolve) => mdns.destroy(resolve));
      return undefined;
    }
    const responder = new DnsSdResponder(options, counters, records, mdns);
    mdns.on('query', (query: QueryPacket, remote: RemoteInfo) => responder.#query(query, remote));
    responder.#announce();
    return responder;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#dueTimer?.cancel();
    this.#againTimer?.cancel();
    const goodbye = allRecords(this.#records).map((record) => ({ ...record, ttl: 0 }));
    await new Promise<void>((resolve) => this.#mdns.respond(packet(goodbye), () => resolve()));
    await new Promise<void>((resolve) => this.#mdns.destroy(resolve));
  }

  #announce(): void {
    this.#multicast(allRecords(this.#records), []);
    this.#againTimer = this.#options.clock.setTimer(ANNOUNCE_AGAIN_MS, () => {
      this.#multicastAtMs.clear();
      this.#multicast(allRecords(this.#records), []);
    });
  }

  #query(query: QueryPacket, remote: RemoteInfo): void {
    if (this.#closed) return;
    const answer = answerQuery(query, this.#records);
    if (answer === undefined) return;
    this.#counters.dnsAnswered++;
    if (remote.port !== this.#options.mdnsPort) this.#answerLegacy(query, answer, remote);
    else if (query.questions?.every(wantsUnicast))
      this.#mdns.respond(packet(answer.answers, answer.additionals), remote);
    else this.#answerAll(answer);
  }

  /** To a resolver that knows only unicast DNS: its id, its questions, short lifetimes, no flush bits. */
  #answerLegacy(query: QueryPacket, { answers, additionals }: DnsAnswer, remote: RemoteInfo): void {
    const plain = (records: readonly DnsRecord[]): DnsRecord[] =>
      records.map((record) => ({ ...record, ttl: Math.min(record.ttl, LEGACY_TTL_S), flush: false }));
    const questions = (query.questions ?? []).map(({ name, type }) => ({ name, type, class: 'IN' as const }));
    this.#mdns.respond({ ...packet(plain(answers), plain(additionals)), id: query.id, questions }, remote);
  }

  #answerAll({ answers, additionals }: DnsAnswer): void {
    const shared = answers.some(({ flush }) => !flush);
    if (!shared) {
      this.#multicast(answers, additionals);
      return;
    }
    for (const record of [...answers, ...additionals]) this.#due.add(record);
    const { least, most } = SHARED_DELAY_MS;
    this.#dueTimer ??= this.#options.clock.setTimer(least + this.#options.random.fraction() * (most - least), () => {
      this.#dueTimer = undefined;
      const due = [...this.#due];
      this.#due.clear();
      this.#multicast(due, []);
    });
  }

  #multicast(answers: readonly DnsRecord[], additionals: readonly DnsRecord[]): void {
    const nowMs = this.#options.clock.monotonicMs();
    const isFresh = (record: DnsRecord): boolean =>
      nowMs - (this.#multicastAtMs.get(record) ?? Number.NEGATIVE_INFINITY) >= MULTICAST_INTERVAL_MS;
    const fresh = answers.filter(isFresh);
    if (fresh.length < answers.length) this.#counters.dnsRateLimited++;
    if (fresh.length === 0) return;
    const extra = additionals.filter(isFresh);
    for (const record of [...fresh, ...extra]) this.#multicastAtMs.set(record, nowMs);
    this.#mdns.respond(packet(fresh, extra));
  }
}

/** Puts `admit` before whoever listens to the socket's messages: the library decodes whatever it hears. */
function guard(socket: Socket, admit: (bytes: Uint8Array, remote: RemoteInfo) => boolean): void {
  const emit = socket.emit;
  socket.emit = (event: string | symbol, ...values: unknown[]): boolean => {
    // A socket's 'message' has these two values; the types of `emit` do not say so.
    if (event === 'message' && !admit(values[0] as Uint8Array, values[1] as RemoteInfo)) return false;
    return Reflect.apply(emit, socket, [event, ...values]);
  };
}

function packet(answers: readonly DnsRecord[], additionals: readonly DnsRecord[] = []): ResponseOutgoingPacket {
  const mutable = (records: readonly DnsRecord[]) =>
    records.map((record) => (record.type === 'TXT' ? { ...record, data: [...record.data] } : record));
  return { answers: mutable(answers), additionals: mutable(additionals) };
}

/** The codec knows no class with the highest bit set, and writes its number. */
function wantsUnicast({ class: name }: { class?: string | undefined }): boolean {
  return (Number(/^UNKNOWN_(\d+)$/.exec(name ?? '')?.[1] ?? 0) & UNICAST_WANTED) !== 0;
}
