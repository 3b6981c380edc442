import { isIP } from 'node:net';
import { type EndpointAddress, PipevineError } from '@pipevine/runtime';

export interface TcpAddress {
  /** A name or an address; an IPv6 address without brackets, with its zone after `%`. */
  readonly host: string;
  readonly port: number;
}

/** Reads `tcp://host:port`, `tcp://192.0.2.1:port` or `tcp://[2001:db8::1]:port`; a zone is written `%25eth0` (RFC 6874). */
export function parseTcpAddress(address: EndpointAddress): TcpAddress {
  const match = /^tcp:\/\/(?:\[([0-9A-Fa-f:.]+(?:%(?:25)?[A-Za-z0-9_.~-]+)?)\]|([A-Za-z0-9_.-]+)):(\d{1,5})$/.exec(
    address,
  );
  const bracketed = match?.[1]?.replace(/%(25)?/, '%');
  const host = bracketed ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535 || (bracketed !== undefined && isIP(bracketed) !== 6) || isBadIPv4(host)) {
    throw new PipevineError(
      'invalid-address',
      `"${address.slice(0, 120)}" is not a TCP address: expected tcp://host:port, with brackets around an IPv6 host.`,
    );
  }
  return { host, port };
}

/** The text form; an IPv4 address that came in IPv6 clothing (`::ffff:192.0.2.1`) is written as IPv4. */
export function tcpAddressText(host: string, port: number): EndpointAddress {
  const plain = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(host)?.[1] ?? host;
  return plain.includes(':') ? `tcp://[${plain.replace('%', '%25')}]:${port}` : `tcp://${plain}:${port}`;
}

/** Digits and dots alone are meant as an IPv4 address, and would be looked up as a name. */
function isBadIPv4(host: string): boolean {
  return /^[\d.]+$/.test(host) && isIP(host) !== 4;
}
