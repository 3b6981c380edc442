import { isIP, connect as netConnect, type Socket } from 'node:net';
import type { ProxyAddress } from './proxy-settings.ts';
import { openTunnel } from './proxy-tunnel.ts';
import type { WebAddress } from './web-address.ts';

/** Idle time after which TCP asks whether the other side is still there. */
const KEEP_ALIVE_MS = 30_000;

export interface ClientSocketInit {
  readonly target: WebAddress;
  /** The proxy on the way. */
  readonly proxy: ProxyAddress | undefined;
  /** Ask that proxy for a tunnel; without, the socket ends at the proxy. Always so for TLS. */
  readonly tunnel: boolean;
  /** Authorities (PEM) to trust in place of the system's. */
  readonly ca: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * A socket that leads to the target: connected, through the proxy where there is one, and with TLS where the scheme says
 * so. Rejects with what the system, the proxy or TLS said; then, and when the signal aborts, nothing is left open.
 */
export async function openClientSocket({ target, proxy, tunnel, ca, signal }: ClientSocketInit): Promise<Socket> {
  signal.throwIfAborted();
  const socket = netConnect({
    host: proxy?.host ?? target.host,
    port: proxy?.port ?? target.port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_MS,
  });
  // Until its owner listens, and after: an error that nobody hears would end the process. It ends the socket too.
  socket.on('error', () => undefined);
  const onAbort = (): void => {
    socket.destroy(new Error('given up'));
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await whenReady(socket, 'connect');
    if (proxy !== undefined && (tunnel || target.secure)) await openTunnel(socket, target, proxy);
    return target.secure ? await startTls(socket, target, ca) : socket;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

async function startTls(socket: Socket, { host }: WebAddress, ca: string | undefined): Promise<Socket> {
  // TLS costs a small peer 8 MB: loaded when somebody uses it.
  const { connect } = await import('node:tls');
  const name = host.replace(/%.*$/, '');
  const secured = connect({
    socket,
    host: name,
    ...(isIP(name) === 0 && { servername: name }),
    ...(ca !== undefined && { ca }),
    ALPNProtocols: ['http/1.1'],
  });
  secured.on('error', () => undefined);
  await whenReady(secured, 'secureConnect');
  return secured;
}

function whenReady(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error): void => {
      socket.off(event, onReady).off('error', settle).off('close', onClose);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onReady = (): void => settle();
    const onClose = (): void => settle(new Error('the other side hung up'));
    socket.on(event, onReady).on('error', settle).on('close', onClose);
  });
}
