import { isIP } from 'node:net';
import { type EndpointAddress, PipevineError, parseEndpointAddress } from '@pipevine/runtime';

export interface UdpAddress {
  /** A name or an address; an IPv6 address without brackets, with its zone after `%`. */
  readonly host: string;
  readonly port: number;
}

/** Reads `udp://host:port`, `udp://192.0.2.1:port` or `udp://[2001:db8::1]:port`. Throws `invalid-address`. */
export function parseUdpAddress(address: EndpointAddress): UdpAddress {
  const { scheme, host, port, path } = parseEndpointAddress(address);
  if (scheme !== 'udp' || port === undefined || path !== '' || host === '*') {
    throw new PipevineError(
      'invalid-address',
      `"${address.slice(0, 120)}" is not a UDP address: expected udp://host:port, with brackets around an IPv6 host.`,
    );
  }
  return { host, port };
}

/** The text form; an IPv4 address that came in IPv6 clothing (`::ffff:192.0.2.1`) is written as IPv4. */
export function udpAddressText(host: string, port: number): EndpointAddress {
  const plain = withoutMapping(host);
  return plain.includes(':') ? `udp://[${plain.replace('%', '%25')}]:${port}` : `udp://${plain}:${port}`;
}

/** An IPv4 address as a socket for both families names it (RFC 4291, section 2.5.5.2); any other as it is. */
export function withMapping(host: string): string {
  return isIP(host) === 4 ? `::ffff:${host}` : host;
}

/**
 * What counts as one source when newcomers are counted: an IPv4 address, or the /64 of an IPv6 address, of which one
 * machine may use as many as it likes.
 */
export function sourceOf(host: string): string {
  const plain = withoutMapping(host);
  if (!plain.includes(':')) return plain;
  const [address = ''] = plain.split('%');
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const behind = tail === '' ? 0 : tail.split(':').length;
    while (groups.length + behind < 8) groups.push('0');
  }
  while (groups.length < 4) groups.push('0');
  return groups.slice(0, 4).join(':');
}

function withoutMapping(host: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(host)?.[1] ?? host;
}
