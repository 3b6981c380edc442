import { parseEndpointAddress } from '../endpoint/endpoint-address.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import { MAX_CANDIDATES, MAX_OBSERVED, PUNCH_SCHEME } from './punch-defaults.ts';

/** Where packets to an address go: to one other machine, to this one, or to nobody in particular. */
type Reach = 'unicast' | 'loopback' | 'none';

/** Whether probes may go to an address that somebody else has named: one numerical unicast UDP address. */
export function isPunchable(address: EndpointAddress, allowLoopback: boolean): boolean {
  const reach = reachOf(address);
  return reach === 'unicast' || (reach === 'loopback' && allowLoopback);
}

export function isLoopbackAddress(address: EndpointAddress): boolean {
  return reachOf(address) === 'loopback';
}

export function isIPv6Address(address: EndpointAddress): boolean {
  return address.includes('[');
}

/** The own addresses that are worth naming: loopback only where there is nothing else, as on a machine without a network. */
export function ownCandidates(addresses: readonly EndpointAddress[]): readonly EndpointAddress[] {
  const others = addresses.filter((address) => isPunchable(address, false));
  return others.length > 0 ? others : addresses.filter((address) => isPunchable(address, true));
}

/** What is told to the other side: what relays saw, then own addresses. */
export function candidatesOf(
  observed: readonly EndpointAddress[],
  own: readonly EndpointAddress[],
): readonly EndpointAddress[] {
  return [...new Set([...observed.slice(0, MAX_OBSERVED), ...own])].slice(0, MAX_CANDIDATES);
}

function reachOf(address: EndpointAddress): Reach {
  try {
    const { scheme, host, port, path } = parseEndpointAddress(address);
    if (scheme !== PUNCH_SCHEME || path !== '' || port === undefined || port === 0) return 'none';
    return host.includes(':') ? reachOfIPv6(host) : reachOfIPv4(host);
  } catch {
    return 'none';
  }
}

/** RFC 6890. */
function reachOfIPv4(host: string): Reach {
  if (!/^\d+\.\d+\.\d+\.\d+$/.test(host)) return 'none';
  const [first = 0, second = 0] = host.split('.').map(Number);
  if (first === 127) return 'loopback';
  const isLinkLocal = first === 169 && second === 254;
  return first === 0 || first >= 224 || isLinkLocal ? 'none' : 'unicast';
}

/** Global unicast (RFC 4291 section 2.5.4) and unique local addresses (RFC 4193); none that carries an IPv4 address. */
function reachOfIPv6(host: string): Reach {
  if (host === '::1') return 'loopback';
  const first = Number.parseInt(host.split(':')[0] ?? '', 16);
  const isGlobal = first >= 0x2000 && first <= 0x3fff && first !== 0x2002;
  const isUniqueLocal = (first & 0xfe00) === 0xfc00;
  return (isGlobal || isUniqueLocal) && !host.includes('.') && !host.includes('%') ? 'unicast' : 'none';
}
