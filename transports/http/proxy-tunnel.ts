import type { Socket } from 'node:net';
import { PipevineError } from '@pipevine/runtime';
import type { ProxyAddress } from './proxy-settings.ts';
import { authorityOf } from './web-address.ts';

/** A proxy that says more than this before it has said yes or no is none. */
const MAX_HEAD_BYTES = 8 * 1024;

/**
 * Asks a proxy at the other end of `socket` for a tunnel (CONNECT, RFC 9110 section 9.3.6). Afterwards what the socket
 * carries is between this peer and the target; it flows, so whoever takes it listens in the same turn. Rejects with
 * `unreachable` and what the proxy said, or with the socket's error; the socket is the caller's to destroy then.
 */
export function openTunnel(
  socket: Socket,
  target: { readonly host: string; readonly port: number },
  proxy: ProxyAddress,
): Promise<void> {
  const authority = authorityOf(target);
  const authorization = proxy.authorization === undefined ? '' : `Proxy-Authorization: ${proxy.authorization}\r\n`;
  return new Promise((resolve, reject) => {
    let head = '';
    const settle = (error?: Error): void => {
      socket.off('data', onData).off('error', settle).off('close', onClose);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onClose = (): void => settle(new PipevineError('unreachable', `${nameOf(proxy)} hung up.`));
    const onData = (data: Buffer): void => {
      // Only what is new can complete the end; three characters before it may belong to that.
      const from = Math.max(0, head.length - 3);
      head += data.toString('latin1');
      const end = head.indexOf('\r\n\r\n', from);
      if (end >= 0) settle(refusal(proxy, authority, head, end));
      else if (head.length > MAX_HEAD_BYTES) {
        settle(
          new PipevineError('unreachable', `${nameOf(proxy)} answered more than ${MAX_HEAD_BYTES} bytes of header.`),
        );
      }
    };
    socket.on('data', onData).on('error', settle).on('close', onClose);
    socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${authorization}\r\n`);
  });
}

function refusal(proxy: ProxyAddress, authority: string, head: string, end: number): PipevineError | undefined {
  const status = /^HTTP\/1\.[01] (\d{3})(?: [^\r\n]*)?\r\n/.exec(head)?.[1];
  const refuse = (text: string): PipevineError => new PipevineError('unreachable', `${nameOf(proxy)} ${text}`);
  if (status === undefined) return refuse('does not speak HTTP: check its address.');
  if (status === '407') return refuse('wants a user name and password: write http://user:password@host:port.');
  if (!status.startsWith('2')) return refuse(`refused a tunnel to ${authority} (status ${status}).`);
  // Both protocols inside begin with the client, so bytes that come now are the proxy's own.
  if (head.length > end + 4) return refuse('sent bytes of its own into the tunnel.');
  return undefined;
}

function nameOf(proxy: ProxyAddress): string {
  return `The proxy ${authorityOf(proxy)}`;
}
