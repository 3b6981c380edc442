import type { ServiceAnnouncement } from '@pipevine/runtime';

/** A resource record as the DNS codec takes it. `flush`: no other host has records of this name and type. */
export type DnsRecord = { readonly name: string; readonly ttl: number; readonly flush: boolean } & (
  | { readonly type: 'PTR' | 'A' | 'AAAA'; readonly data: string }
  | {
      readonly type: 'SRV';
      readonly data: {
        readonly priority: number;
        readonly weight: number;
        readonly port: number;
        readonly target: string;
      };
    }
  | { readonly type: 'TXT'; readonly data: readonly string[] }
);

/** Lifetimes of RFC 6762, section 10: with a host name, and without. */
const HOST_TTL_S = 120;
const OTHER_TTL_S = 4500;

const MAX_LABEL_BYTES = 63;
const MAX_TEXT_BYTES = 255;

/** All records of one service on one interface. */
export interface ServiceRecords {
  /** `_services._dns-sd._udp.local`: which types are here (RFC 6763, section 9). */
  readonly types: DnsRecord;
  /** The type points to the instance. */
  readonly pointer: DnsRecord;
  readonly service: DnsRecord;
  readonly text: DnsRecord;
  readonly addresses: readonly DnsRecord[];
}

/** The records of an announcement, for an interface with these addresses. `hostLabel` names this host alone. */
export function serviceRecords(
  announcement: ServiceAnnouncement,
  hostLabel: string,
  addresses: readonly { readonly address: string; readonly family: 'IPv4' | 'IPv6' }[],
): ServiceRecords {
  const type = `${announcement.type}.local`;
  const instance = `${instanceLabel(announcement.name)}.${type}`;
  const host = `${hostLabel}.local`;
  return {
    types: { name: '_services._dns-sd._udp.local', type: 'PTR', ttl: OTHER_TTL_S, flush: false, data: type },
    pointer: { name: type, type: 'PTR', ttl: OTHER_TTL_S, flush: false, data: instance },
    service: {
      name: instance,
      type: 'SRV',
      ttl: HOST_TTL_S,
      flush: true,
      data: { priority: 0, weight: 0, port: announcement.port, target: host },
    },
    text: { name: instance, type: 'TXT', ttl: OTHER_TTL_S, flush: true, data: textStrings(announcement.text) },
    addresses: addresses.map(({ address, family }) => ({
      name: host,
      type: family === 'IPv4' ? 'A' : 'AAAA',
      ttl: HOST_TTL_S,
      flush: true,
      data: address,
    })),
  };
}

export function allRecords({ types, pointer, service, text, addresses }: ServiceRecords): DnsRecord[] {
  return [types, pointer, service, text, ...addresses];
}

/** One label: the codec takes a dot for the end of it, and more than 63 bytes do not fit. */
export function instanceLabel(name: string): string {
  let label = '';
  for (const character of name.replaceAll('.', '-')) {
    if (Buffer.byteLength(label + character) > MAX_LABEL_BYTES) break;
    label += character;
  }
  return label === '' ? 'pipevine' : label;
}

/** `key=value` strings (RFC 6763, section 6); one that does not fit is left out. An empty record has one empty string. */
function textStrings(text: Readonly<Record<string, string>>): string[] {
  const strings = Object.entries(text)
    .map(([key, value]) => `${key}=${value}`)
    .filter((entry) => Buffer.byteLength(entry) <= MAX_TEXT_BYTES);
  return strings.length === 0 ? [''] : strings;
}
