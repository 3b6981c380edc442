import { type EndpointAddress, formatJoinLink, parseJoinCode } from '@pipevine/runtime';

/** A phone's camera reads a code of this many addresses still well. */
const MAX_SEEDS = 2;
/** Where only this machine, or only this wire, is meant. */
const NEARBY = /\/\/(?:127\.|localhost\b|\[::1\]|\[fe80)/i;

/** The join code with where to find this peer, for networks without multicast; what a QR code shows. */
export function joinLink(code: string, addresses: readonly EndpointAddress[]): string {
  const seeds = addresses.filter((address) => !NEARBY.test(address)).slice(0, MAX_SEEDS);
  return formatJoinLink({ ...parseJoinCode(code), seeds });
}
