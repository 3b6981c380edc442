/**
 * A process of bench/netlab.ts at a place of the laboratory. It reads orders and writes answers, a line of JSON each; `{error}`
 * is the answer of one that failed:
 *
 * - `peer CODE SEED...`: an edge that joins and listens; answers with its id, and does what these ask:
 *   - `{do:'connect', peer}`: binds a secure pipe and a request pipe; answers `{}`.
 *   - `{do:'path'}`: answers `{path}`.
 *   - `{do:'send', size, durationMs}`: answers when all was acknowledged.
 *   - `{do:'ask', rounds}`: round trips of 32 B; answers `{p50Ms, p99Ms}`.
 *   - `{do:'report'}`: what came since the last report: `{bytes, elapsedMs}`.
 * - `tcp-sink PORT`, `tcp-source HOST PORT`: raw TCP, which knows `send` and `report`.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createPeer, type Pipe, parsePeerId, type RequestPipe } from '@pipevine/runtime';
import { nodePlatform, tcpTransport, udpTransport } from '@pipevine/transports';

type Order = { readonly do: string } & Readonly<Record<string, string | number>>;
type Answer = Readonly<Record<string, unknown>>;

const JOIN_MS = 20_000;
const FLUSH_MS = 120_000;

/** Bytes that have come, and when. */
const got = { bytes: 0, firstMs: 0, lastMs: 0 };

function count(bytes: number): void {
  got.lastMs = performance.now();
  // What comes before the first moment takes no time: it does not count.
  if (got.firstMs === 0) got.firstMs = got.lastMs;
  else got.bytes += bytes;
}

function report(): Answer {
  const { bytes, firstMs, lastMs } = got;
  Object.assign(got, { bytes: 0, firstMs: 0, lastMs: 0 });
  return { bytes, elapsedMs: lastMs - firstMs };
}

async function peer(code: string, seeds: readonly string[]): Promise<(order: Order) => Promise<Answer>> {
  const folder = mkdtempSync(join(tmpdir(), 'pipevine-bench-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const transports = [tcpTransport(), udpTransport()];
  const platform = await nodePlatform({ storage: join(folder, 'pipevine.db'), transports });
  const schemes = [...new Set(seeds.map((seed) => seed.split('://')[0]))];
  const listen = schemes.map((scheme) => `${scheme}://0.0.0.0:0`);
  const own = await createPeer({ platform, seed: platform.random.bytes(32), listen, seeds, rendezvous: 'never' });
  const group = await own.join(code, { addresses: seeds, timeoutMs: JOIN_MS });
  group.listen({ name: 'bench' }, (pipe) => pipe.receive((message) => count(message.length)));
  group.serve({ name: 'echo' }, async (body) => body);
  tell({ peer: own.id });
  let stream: Pipe;
  let requests: RequestPipe;
  const orders: Readonly<Record<string, (order: Order) => Promise<Answer> | Answer>> = {
    leases: () => ({ leases: group.relays().leases.length }),
    connect: async (order) => {
      const to = parsePeerId(String(order.peer));
      stream = await group.connect({ peer: to, name: 'bench' });
      requests = await group.requester({ peer: to, name: 'echo' });
      return {};
    },
    path: () => ({ path: stream.path?.type ?? null, links: own.status().links.map(({ address }) => address) }),
    send: async ({ size, durationMs }) => {
      const message = new Uint8Array(Number(size)).fill(7);
      for (const endMs = performance.now() + Number(durationMs); performance.now() < endMs; ) {
        while (stream.trySend(message)) if (performance.now() >= endMs) break;
        await stream.writable({ timeoutMs: FLUSH_MS });
      }
      await stream.flush({ timeoutMs: FLUSH_MS });
      return {};
    },
    ask: async ({ rounds }) => {
      const body = new Uint8Array(32);
      const times: number[] = [];
      for (let round = 0; round < Number(rounds); round++) {
        const from = performance.now();
        await requests.request(body);
        times.push(performance.now() - from);
      }
      times.sort((a, b) => a - b);
      return { p50Ms: times[Math.floor(times.length / 2)], p99Ms: times[Math.floor(times.length * 0.99)] };
    },
    report,
  };
  return async (order) => orders[order.do]?.(order) ?? {};
}

async function tcpSink(port: number): Promise<(order: Order) => Promise<Answer>> {
  const server = createServer((socket) => {
    socket.on('data', (chunk) => count(chunk.length));
    socket.on('end', () => socket.end());
    socket.on('error', () => socket.destroy());
  });
  server.listen(port, '0.0.0.0');
  await once(server, 'listening');
  tell({});
  return async (order) => (order.do === 'report' ? report() : {});
}

async function tcpSource(host: string, port: number): Promise<(order: Order) => Promise<Answer>> {
  tell({});
  return async ({ size, durationMs }) => {
    const socket = connect({ host, port });
    await once(socket, 'connect');
    socket.resume();
    const chunk = Buffer.alloc(Number(size), 7);
    for (const endMs = performance.now() + Number(durationMs); performance.now() < endMs; ) {
      if (!socket.write(chunk)) await once(socket, 'drain');
    }
    // The other side ends when it has read all.
    const closed = once(socket, 'close');
    socket.end();
    await closed;
    return {};
  };
}

function tell(answer: Answer): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

const [role = '', first = '', ...rest] = process.argv.slice(2);
const roles: Readonly<Record<string, () => Promise<(order: Order) => Promise<Answer>>>> = {
  peer: () => peer(first, rest),
  'tcp-sink': () => tcpSink(Number(first)),
  'tcp-source': () => tcpSource(first, Number(rest[0])),
};
const act = await roles[role]?.();
if (act === undefined) throw new Error(`no role ${role}`);
for await (const line of createInterface({ input: process.stdin })) {
  tell(await act(JSON.parse(line)).catch((error: unknown) => ({ error: String(error) })));
}
process.exit(0);
