import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/**
 * Raw TCP as the yardstick: messages with a four-byte length before each, nothing else. Coalesced: one write a turn of
 * the loop for all messages of the turn. Alone: one write, and one turn, a message.
 */
export interface RawServer {
  readonly port: number;
  close(): void;
}

/** Counts the messages that come; echoes them when `echo` is set. */
export async function rawServer(onMessage: (bytes: number) => void, echo: boolean): Promise<RawServer> {
  const server = createServer({ noDelay: true }, (socket) => {
    readMessages(socket, (message) => {
      onMessage(message.length - 4);
      if (echo) socket.write(message);
    });
    socket.on('error', () => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { port: address.port, close: () => server.close() };
}

/** Calls back with each whole message, its length prefix included. */
export function readMessages(socket: Socket, onMessage: (message: Uint8Array) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    let bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    let at = 0;
    while (bytes.length - at >= 4) {
      const length = bytes.readUInt32BE(at);
      if (bytes.length - at < 4 + length) break;
      onMessage(bytes.subarray(at, at + 4 + length));
      at += 4 + length;
    }
    bytes = bytes.subarray(at);
    rest = bytes;
  });
}

export async function rawClient(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  return socket;
}

/** Writes `count` copies of a message as one chunk. Returns false when the socket is full. */
export function writeBatch(socket: Socket, message: Uint8Array, count: number): boolean {
  const stride = message.length + 4;
  const chunk = Buffer.allocUnsafe(stride * count);
  for (let index = 0, at = 0; index < count; index++, at += stride) {
    chunk.writeUInt32BE(message.length, at);
    chunk.set(message, at + 4);
  }
  return socket.write(chunk);
}
