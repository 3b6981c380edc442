import type { EndpointAddress } from '@pipevine/runtime';

/** A phone's camera reads a code of this many addresses still well. */
const MAX_LINK_SEEDS = 2;

/** Of no use to another machine, or to none beyond this link. */
export const HERE_ONLY = /\/\/(127\.|localhost|\[::1\]|\[fe80)/i;

/** What a QR code shows: the join code, and where the gateway is, for networks without multicast. */
export function joinLink(code: string, addresses: readonly EndpointAddress[]): string {
  const seeds = addresses
    .filter((address) => !HERE_ONLY.test(address))
    .slice(0, MAX_LINK_SEEDS)
    .map((address) => `seed=${encodeURIComponent(address)}`);
  return `pipevine://join/${code}${seeds.length === 0 ? '' : `?${seeds.join('&')}`}`;
}
