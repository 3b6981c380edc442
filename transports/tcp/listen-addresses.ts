import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import type { EndpointAddress } from '@pipevine/runtime';
import { tcpAddressText } from './tcp-address.ts';

/**
 * The addresses that others can dial to reach a socket bound to `host`: a wildcard becomes the addresses of the machine's
 * interfaces; link-local ones only where there is nothing better, loopback only where there is nothing else.
 */
export function dialableAddresses(
  host: string,
  port: number,
  interfaces: NodeJS.Dict<NetworkInterfaceInfo[]> = networkInterfaces(),
): EndpointAddress[] {
  if (host !== '0.0.0.0' && host !== '::') return [tcpAddressText(host, port)];
  const found = Object.entries(interfaces).flatMap(([zone, addresses]) =>
    (addresses ?? [])
      .filter(({ family }) => family === 'IPv4' || host === '::')
      .map((address) => ({ rank: rankOf(address), text: textOf(zone, address, port) })),
  );
  const best = Math.min(...found.map(({ rank }) => rank));
  return found.filter(({ rank }) => rank === best).map(({ text }) => text);
}

function rankOf({ internal, address }: NetworkInterfaceInfo): number {
  if (internal) return 2;
  return isLinkLocal(address) ? 1 : 0;
}

function textOf(zone: string, { address, family }: NetworkInterfaceInfo, port: number): EndpointAddress {
  return tcpAddressText(family === 'IPv6' && isLinkLocal(address) ? `${address}%${zone}` : address, port);
}

function isLinkLocal(address: string): boolean {
  return /^(fe[89ab]|169\.254\.)/i.test(address);
}
