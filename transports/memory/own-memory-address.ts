import { type EndpointAddress, PipevineError } from '@pipevine/runtime';
import { parseMemoryAddress } from './memory-address.ts';
import type { MemoryHost } from './memory-host.ts';

/** The port that a listener on `address` of this host gets; a free one for port 0. Throws when it is taken or foreign. */
export function ownMemoryAddress(
  scheme: string,
  address: EndpointAddress,
  host: MemoryHost,
  taken: { has(port: number | undefined): boolean },
): number | undefined {
  const target = parseMemoryAddress(scheme, address);
  if (target.host !== '*' && target.host !== host.name) {
    throw new PipevineError(
      'invalid-address',
      `${address} is not on this host: expected ${scheme}://${host.name} or ${scheme}://*.`,
    );
  }
  const port = target.port === 0 ? host.freePort(taken) : target.port;
  if (taken.has(port)) {
    throw new PipevineError(
      'address-in-use',
      `${address} is in use already. Listen on another port, or on ${scheme}://${host.name}:0 for a free one.`,
    );
  }
  return port;
}
