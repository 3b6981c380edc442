import { PipevineError } from '../error/pipevine-error.ts';
import type { EndpointAddress } from '../platform/transport.ts';

/** The parts of an address `scheme://host[:port][/path]`. */
export interface EndpointAddressParts {
  readonly scheme: string;
  /** A name, an IPv4 address, an IPv6 address without its brackets (a zone after `%`), or `*`. */
  readonly host: string;
  readonly port: number | undefined;
  /** With its leading slash; empty when there is none. */
  readonly path: string;
}

/** Longest address, in characters: a DNS name has 253, the rest is scheme, port and path. */
const MAX_ADDRESS_CHARACTERS = 512;

const SHAPE = /^([a-z][a-z0-9+.-]{0,31}):\/\/(?:\[([^\]]*)\]|([^:/[\]]*))(?::(\d{1,5}))?(\/[!-~]*)?$/;
const NAME = /^(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?$/;
const ZONE = /^[A-Za-z0-9_.~-]{1,64}$/;

/** Reads an address. Throws `invalid-address` with what was expected. IPv6 stands in brackets (RFC 3986, zones RFC 6874). */
export function parseEndpointAddress(text: string): EndpointAddressParts {
  const match = text.length <= MAX_ADDRESS_CHARACTERS ? SHAPE.exec(text) : null;
  if (match === null) {
    return refuse(
      text,
      'expected scheme://host:port, for example tcp://192.168.1.5:4001 or tcp://[fe80::1%25eth0]:4001',
    );
  }
  const [, scheme = '', bracketed, plain = '', portText, path = ''] = match;
  const port = portText === undefined ? undefined : Number(portText);
  if (port !== undefined && port > 65_535) refuse(text, `a port is at most 65535, not ${portText}`);
  if (bracketed !== undefined) return { scheme, host: ipv6Host(text, bracketed), port, path };
  if (/^[\d.]+$/.test(plain) ? !isIPv4(plain) : plain !== '*' && !NAME.test(plain)) {
    refuse(text, `"${plain}" is neither a host name nor an IP address (IPv6 goes in brackets)`);
  }
  return { scheme, host: plain, port, path };
}

/** The text of an address; what `parseEndpointAddress` reads. */
export function formatEndpointAddress(parts: EndpointAddressParts): EndpointAddress {
  const host = parts.host.includes(':') ? `[${parts.host.replace('%', '%25')}]` : parts.host;
  return `${parts.scheme}://${host}${parts.port === undefined ? '' : `:${parts.port}`}${parts.path}`;
}

function ipv6Host(text: string, bracketed: string): string {
  const [address = '', zone, more] = bracketed.split(/%(?:25)?/);
  if (!isIPv6(address)) refuse(text, `"${bracketed}" in brackets is not an IPv6 address`);
  if (more !== undefined || (zone !== undefined && !ZONE.test(zone))) {
    refuse(text, `the zone of an IPv6 address is written %25 and the interface's name`);
  }
  return zone === undefined ? address : `${address}%${zone}`;
}

function isIPv4(text: string): boolean {
  const parts = text.split('.');
  return parts.length === 4 && parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

function isIPv6(text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2) return false;
  let groups = 0;
  for (const [index, half] of halves.entries()) {
    if (half === '') continue;
    const parts = half.split(':');
    for (const [at, part] of parts.entries()) {
      const isLast = index === halves.length - 1 && at === parts.length - 1;
      if (isLast && part.includes('.')) {
        if (!isIPv4(part)) return false;
        groups += 2;
      } else if (/^[0-9A-Fa-f]{1,4}$/.test(part)) {
        groups++;
      } else {
        return false;
      }
    }
  }
  return halves.length === 2 ? groups < 8 : groups === 8;
}

function refuse(text: string, why: string): never {
  throw new PipevineError('invalid-address', `"${text.slice(0, 120)}" is not an endpoint address: ${why}.`);
}
