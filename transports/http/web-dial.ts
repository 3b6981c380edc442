import type { Clock, Connection, DialOptions, EndpointAddress } from '@pipevine/runtime';
import { watchDial } from '../dial-deadline.ts';
import { parseWebAddress, requireDialable, type WebAddress, type WebSchemes } from './web-address.ts';
import { webDialFailure } from './web-failure.ts';

/** Opens a connection within the caller's deadline; `open` is told by its signal to give up. Rejects as `Transport.dial` does. */
export async function dialWeb(
  address: EndpointAddress,
  schemes: WebSchemes,
  clock: Clock,
  options: DialOptions | undefined,
  open: (target: WebAddress, signal: AbortSignal) => Promise<Connection>,
): Promise<Connection> {
  const target = parseWebAddress(address, schemes);
  requireDialable(address, target);
  const giveUp = new AbortController();
  return new Promise((resolve, reject) => {
    const watch = watchDial(clock, address, options, (error) => {
      reject(error);
      giveUp.abort();
    });
    open(target, giveUp.signal).then(
      (connection) => {
        watch.settle();
        resolve(connection);
      },
      (error: unknown) => {
        watch.settle();
        reject(webDialFailure(address, error));
      },
    );
  });
}
