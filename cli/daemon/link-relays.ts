import type { EndpointAddress } from '@pipevine/runtime';
import { HERE_ONLY } from './join-link.ts';

const MAX_RELAYS = 2;
/** What a QR code of 57 by 57 modules holds, in bytes: a phone's camera reads it well, and a terminal has room for it. */
const MAX_LINK_LENGTH = 271;

const PRIVATE =
  /\/\/(10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|\[f[cd]|[^/]*\.local[:/])/i;

/**
 * A join link that also names relays of the group, for whoever is elsewhere. `relays`: the addresses of each, best first; of
 * each one is named, a public one where there is any.
 */
export function linkWithRelays(link: string, relays: readonly (readonly EndpointAddress[])[]): string {
  let all = link;
  for (const [i, addresses] of relays.slice(0, MAX_RELAYS).entries()) {
    const usable = addresses.filter((address) => !HERE_ONLY.test(address));
    const address = usable.find((one) => !PRIVATE.test(one)) ?? usable[0];
    const seed = address && `seed=${encodeURIComponent(address)}`;
    if (seed === undefined || all.includes(seed)) continue;
    const longer = `${all}${all.includes('?') ? '&' : '?'}${seed}`;
    // One is worth a larger code: without it nobody elsewhere could use the link.
    if (i === 0 || longer.length <= MAX_LINK_LENGTH) all = longer;
  }
  return all;
}
