import { createSocket } from 'node:dgram';
import { createConnection, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { type Finding, fail, ok, warn } from './finding.ts';

/** The group of local discovery, so that what a switch or a firewall does to it shows. */
const GROUP = '239.255.80.86';
const MULTICAST_WAIT_MS = 1_000;
const CONNECT_WAIT_MS = 3_000;

/** Sends a packet to the discovery group on each interface and waits to hear it. */
export async function checkMulticast(): Promise<Finding[]> {
  const addresses = Object.entries(networkInterfaces()).flatMap(([name, list]) =>
    (list ?? [])
      .filter((each) => each.family === 'IPv4' && !each.internal)
      .map((each) => ({ name, address: each.address })),
  );
  if (addresses.length === 0) {
    return [
      warn('multicast', 'no network interface but the loopback', 'connect a network; --seed works over loopback, too'),
    ];
  }
  return Promise.all(
    addresses.map(async ({ name, address }) => {
      const fault = await hearOwnPacket(address);
      return fault === undefined
        ? ok('multicast', `${name} (${address}) carries it`)
        : warn(
            'multicast',
            `${name} (${address}): ${fault}`,
            'allow UDP multicast in the firewall, or name peers with --seed',
          );
    }),
  );
}

function hearOwnPacket(address: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const token = Buffer.from(`pipevine doctor ${process.pid} ${Math.random()}`);
    const socket = createSocket({ type: 'udp4', reuseAddr: true });
    const done = (fault: string | undefined) => {
      clearTimeout(timer);
      socket.close();
      resolve(fault);
    };
    const timer = setTimeout(() => done('the own packet did not come back'), MULTICAST_WAIT_MS);
    socket.on('error', (error) => done(error.message));
    socket.on('message', (message) => {
      if (token.equals(message)) done(undefined);
    });
    // A port of its own: peers must not have to sort out these packets.
    socket.bind(0, () => {
      try {
        socket.addMembership(GROUP, address);
        socket.setMulticastInterface(address);
        socket.setMulticastTTL(1);
        socket.setMulticastLoopback(true);
        socket.send(token, socket.address().port, GROUP, (error) => {
          if (error !== null) done(error.message);
        });
      } catch (error) {
        done(error instanceof Error ? error.message : String(error));
      }
    });
  });
}

/** Whether a port could be listened on. `option` is the flag that chooses another. */
export function checkPort(what: string, host: string, port: number, option: string): Promise<Finding> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      const at = `${host}:${port}`;
      const message = error.code === 'EADDRINUSE' ? `${at} is in use by another program` : `${at}: ${error.message}`;
      resolve(fail('port', `${what}: ${message}`, `stop that program, or choose another with ${option}`));
    });
    server.listen(port, host, () => server.close(() => resolve(ok('port', `${what}: ${host}:${port} is free`))));
  });
}

/** Whether something answers at the address of a broker or a seed. */
export function checkReachable(
  check: string,
  what: string,
  host: string,
  port: number,
  advice: string,
): Promise<Finding> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port });
    const done = (finding: Finding) => {
      socket.destroy();
      resolve(finding);
    };
    socket.setTimeout(CONNECT_WAIT_MS, () => done(fail(check, `${what} does not answer`, advice)));
    socket.once('connect', () => done(ok(check, `${what} answers`)));
    socket.once('error', (error) => done(fail(check, `${what} cannot be reached (${error.message})`, advice)));
  });
}
