import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';

export interface ForwardProxy {
  readonly url: string;
  /** What was asked of it, such as `CONNECT 127.0.0.1:1` or `POST http://127.0.0.1:1/x`. */
  readonly asked: string[];
  close(): Promise<void>;
}

export interface ForwardProxyInit {
  /** The value that Proxy-Authorization must have. */
  readonly authorization?: string;
  /** Looks at each plain request: `drop` hangs up before it is passed on, `lose` after the answer came, `repeat` passes it on twice. */
  readonly misbehave?: (method: string, url: string) => 'drop' | 'lose' | 'repeat' | undefined;
}

/** A small HTTP proxy on loopback: tunnels, absolute-form requests, and what bad ones do to requests. */
export async function forwardProxy({ authorization, misbehave }: ForwardProxyInit = {}): Promise<ForwardProxy> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const refuses = (incoming: IncomingMessage): boolean =>
    authorization !== undefined && incoming.headers['proxy-authorization'] !== authorization;
  const server = createServer((incoming, response) => {
    const { method = '', url = '' } = incoming;
    asked.push(`${method} ${url}`);
    if (refuses(incoming)) {
      response.writeHead(407).end();
      return;
    }
    const act = misbehave?.(method, url);
    if (act === 'drop') incoming.socket.destroy();
    else collect(incoming, (body) => pass(incoming, body, act, response));
  });
  server.on('connection', (socket) => sockets.add(socket));
  server.on('connect', (incoming, socket, head) => {
    const target = incoming.url ?? '';
    asked.push(`CONNECT ${target}`);
    if (refuses(incoming)) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      return;
    }
    const [, host = '', port = ''] = /^\[?([^\]]*)\]?:(\d+)$/.exec(target) ?? [];
    const onward = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.write(head);
      socket.pipe(onward).pipe(socket);
    });
    sockets.add(onward);
    for (const [one, other] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  return {
    url: `http://${authorization === undefined ? '' : 'ann:secret@'}127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : 0}`,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function collect(incoming: IncomingMessage, done: (body: Buffer) => void): void {
  const parts: Buffer[] = [];
  incoming.on('data', (part: Buffer) => parts.push(part));
  incoming.on('end', () => done(Buffer.concat(parts)));
  incoming.on('error', () => undefined);
}

function pass(
  incoming: IncomingMessage,
  body: Buffer,
  act: 'lose' | 'repeat' | undefined,
  response: ServerResponse,
  isRepeat = false,
): void {
  const onward = request(incoming.url ?? '', { method: incoming.method ?? 'GET', agent: false });
  onward.on('error', () => response.destroy());
  response.on('close', () => onward.destroy());
  onward.on('response', (answer) => {
    collect(answer, (bytes) => {
      if (act === 'lose') response.destroy();
      else if (act === 'repeat' && !isRepeat) pass(incoming, body, act, response, true);
      else {
        response
          .writeHead(answer.statusCode ?? 500, { 'content-type': answer.headers['content-type'] ?? '' })
          .end(bytes);
      }
    });
  });
  onward.end(body);
}
