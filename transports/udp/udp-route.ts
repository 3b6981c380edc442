import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { DgramAsPromised } from 'dgram-as-promised';
import type { UdpAddress } from './udp-address.ts';

/** How packets get to an address. */
export interface UdpRoute {
  /** The address as the system writes it. */
  readonly host: string;
  readonly port: number;
  /** The address of this machine that they are sent from. */
  readonly source: string;
}

/** The address of a host: of a name, the one that the system puts first. Rejects with what the system says. */
export async function resolveHost(host: string): Promise<string> {
  return isIP(host) === 0 ? (await lookup(host)).address : host;
}

/**
 * Asks the system for the route, by a socket that is connected and sends nothing. Rejects with what the system says
 * when there is none.
 */
export async function findRoute(dgram: typeof DgramAsPromised, { host, port }: UdpAddress): Promise<UdpRoute> {
  const address = await resolveHost(host);
  const scout = dgram.createSocket(isIP(address) === 6 ? 'udp6' : 'udp4');
  try {
    await new Promise<void>((resolve, reject) => {
      scout.socket.once('error', reject);
      scout.socket.connect(port, address, () => resolve());
    });
    return { host: scout.socket.remoteAddress().address, port, source: scout.address().address };
  } finally {
    await scout.close();
  }
}
