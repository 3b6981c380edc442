import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPeer, type Peer, type PeerGroup, type Pipe, parsePeerId } from '@pipevine/runtime';
import { nodePlatform } from '@pipevine/transports';
import { rawClient, rawServer, readMessages, writeBatch } from './raw-tcp.ts';

/** Orders from the bench to one of its processes. */
export type Order =
  | { readonly do: 'stream'; readonly size: number; readonly mode: 'coalesced' | 'alone'; readonly durationMs: number }
  | { readonly do: 'echo'; readonly size: number; readonly rounds: number }
  | { readonly do: 'lone'; readonly size: number; readonly rounds: number }
  | { readonly do: 'report' };

export interface StreamReport {
  readonly messages: number;
  readonly bytes: number;
  /** From the first message to the last. */
  readonly elapsedMs: number;
  readonly cpuMs: number;
}

export interface EchoReport {
  readonly p50Us: number;
  readonly p99Us: number;
}

export interface LoneReport {
  readonly bytesOut: number;
  readonly bytesBack: number;
}

/** Where a source finds its sink. */
export interface SinkReady {
  readonly port?: number;
  readonly address?: string;
  readonly code?: string;
  readonly peer?: string;
}

const MESSAGES_PER_TURN_BYTES = 64 * 1024;

function tell(message: object): void {
  process.send?.(message);
}

async function temporaryPeer(name: string, listen: readonly string[], seeds: readonly string[] = []): Promise<Peer> {
  const folder = mkdtempSync(join(tmpdir(), 'pipevine-bench-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const platform = await nodePlatform({ storage: join(folder, 'pipevine.db') });
  return createPeer({ platform, name, seed: platform.random.bytes(32), listen, seeds });
}

/** Counts what comes between two reports. */
class Counter {
  #messages = 0;
  #bytes = 0;
  #first = 0;
  #last = 0;
  #cpu = process.cpuUsage();

  readonly count = (bytes: number): void => {
    if (this.#messages++ === 0) this.#first = performance.now();
    this.#bytes += bytes;
    if ((this.#messages & 63) === 0) this.#last = performance.now();
  };

  report(): StreamReport {
    const cpu = process.cpuUsage(this.#cpu);
    const report = {
      messages: this.#messages,
      bytes: this.#bytes,
      elapsedMs: this.#last - this.#first,
      cpuMs: (cpu.user + cpu.system) / 1000,
    };
    this.#messages = 0;
    this.#bytes = 0;
    this.#cpu = process.cpuUsage();
    return report;
  }
}

/** A relay for a sink and a source that nobody can dial. */
async function relay(): Promise<void> {
  const peer = await temporaryPeer('relay', ['tcp://127.0.0.1:0']);
  const group = await peer.createGroup({ name: 'bench' });
  tell({ address: peer.addresses[0] ?? '', code: await peer.invite(group.id, { uses: 2 }) } satisfies SinkReady);
}

/** A member of the relay's group, with a lease there. */
async function behindRelay(name: string, ready: SinkReady): Promise<{ peer: Peer; group: PeerGroup }> {
  const { code = '', address = '' } = ready;
  const peer = await temporaryPeer(name, [], [address]);
  const group = await peer.join(code, { addresses: [address] });
  while (group.relays().leases.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  return { peer, group };
}

function serve(group: PeerGroup, counter: Counter): void {
  group.listen({ name: 'stream' }, (pipe) => pipe.receive((message) => counter.count(message.length)));
  group.listen({ name: 'echo' }, (pipe) => pipe.receive((message) => pipe.send(message)));
}

async function sink(kind: string, ready: SinkReady): Promise<void> {
  const counter = new Counter();
  if (kind === 'raw') {
    const stream = await rawServer(counter.count, false);
    tell({ port: stream.port } satisfies SinkReady);
  } else if (kind === 'raw-echo') {
    const echo = await rawServer(() => {}, true);
    tell({ port: echo.port } satisfies SinkReady);
  } else if (kind === 'relayed') {
    const { peer, group } = await behindRelay('sink', ready);
    serve(group, counter);
    tell({ ...ready, peer: peer.id } satisfies SinkReady);
  } else {
    const peer = await temporaryPeer('sink', ['tcp://127.0.0.1:0']);
    const group = await peer.createGroup({ name: 'bench' });
    serve(group, counter);
    const code = await peer.invite(group.id, {});
    tell({ address: peer.addresses[0] ?? '', code, peer: peer.id } satisfies SinkReady);
  }
  process.on('message', (order: Order) => {
    if (order.do === 'report') tell(counter.report());
  });
}

/** What a source needs of raw TCP and of a pipe alike. */
interface Outlet {
  /** Queues as many messages as one turn takes; false when it must wait for `writable`. */
  turn(message: Uint8Array, count: number): boolean;
  writable(): Promise<unknown>;
  flush(): Promise<unknown>;
}

function rawOutlet(socket: Socket): Outlet {
  return {
    turn: (message, count) => writeBatch(socket, message, count),
    writable: () => once(socket, 'drain'),
    flush: async () => {
      if (socket.writableLength > 0) await once(socket, 'drain');
    },
  };
}

function pipeOutlet(pipe: Pipe): Outlet {
  return {
    turn(message, count) {
      for (let index = 0; index < count; index++) if (!pipe.trySend(message)) return false;
      return true;
    },
    writable: () => pipe.writable(),
    flush: () => pipe.flush(),
  };
}

async function stream(outlet: Outlet, order: Extract<Order, { do: 'stream' }>): Promise<{ cpuMs: number }> {
  const message = new Uint8Array(order.size).fill(7);
  const count = order.mode === 'alone' ? 1 : Math.max(1, Math.floor(MESSAGES_PER_TURN_BYTES / order.size));
  const cpu = process.cpuUsage();
  const end = performance.now() + order.durationMs;
  await new Promise<void>((resolve) => {
    const turn = () => {
      if (performance.now() >= end) return resolve();
      if (outlet.turn(message, count)) setImmediate(turn);
      else void outlet.writable().then(turn);
    };
    turn();
  });
  await outlet.flush();
  const used = process.cpuUsage(cpu);
  return { cpuMs: (used.user + used.system) / 1000 };
}

async function echo(
  order: Extract<Order, { do: 'echo' }>,
  send: (message: Uint8Array) => void,
  onReply: (handler: () => void) => void,
): Promise<EchoReport> {
  const message = new Uint8Array(order.size).fill(7);
  const times: number[] = [];
  const warmUp = Math.floor(order.rounds / 5);
  await new Promise<void>((resolve) => {
    let sent = 0;
    let at = 0;
    const next = () => {
      at = performance.now();
      send(message);
    };
    onReply(() => {
      if (sent++ >= warmUp) times.push(performance.now() - at);
      if (times.length >= order.rounds) resolve();
      else setImmediate(next);
    });
    next();
  });
  times.sort((a, b) => a - b);
  const quantile = (q: number) => Math.round((times[Math.floor(times.length * q)] ?? 0) * 1000);
  return { p50Us: quantile(0.5), p99Us: quantile(0.99) };
}

/** What one message costs on the link when nothing else is under way. */
async function lone(peer: Peer, pipe: Pipe, order: Extract<Order, { do: 'lone' }>): Promise<LoneReport> {
  const message = new Uint8Array(order.size).fill(7);
  const out: number[] = [];
  const back: number[] = [];
  const traffic = () => peer.status().links[0] ?? { bytesIn: 0, bytesOut: 0 };
  for (let round = 0; round < order.rounds; round++) {
    const before = traffic();
    pipe.trySend(message);
    await pipe.flush();
    const after = traffic();
    out.push(after.bytesOut - before.bytesOut);
    back.push(after.bytesIn - before.bytesIn);
  }
  const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
  return { bytesOut: median(out), bytesBack: median(back) };
}

async function besideSink({ code = '', address = '' }: SinkReady): Promise<{ peer: Peer; group: PeerGroup }> {
  const peer = await temporaryPeer('source', []);
  return { peer, group: await peer.join(code, { addresses: [address] }) };
}

async function source(kind: string, ready: SinkReady): Promise<void> {
  if (kind === 'raw' || kind === 'raw-echo') {
    const socket = await rawClient(ready.port ?? 0);
    process.on('message', async (order: Order) => {
      if (order.do === 'stream') tell(await stream(rawOutlet(socket), order));
      if (order.do === 'echo') {
        tell(
          await echo(
            order,
            (message) => rawOutlet(socket).turn(message, 1),
            (handler) => readMessages(socket, handler),
          ),
        );
      }
    });
  } else {
    const { peer, group } = kind === 'relayed' ? await behindRelay('source', ready) : await besideSink(ready);
    const sinkPeer = parsePeerId(ready.peer ?? '');
    const streaming = await group.connect({ peer: sinkPeer, name: 'stream' });
    const echoing = await group.connect({ peer: sinkPeer, name: 'echo' });
    const wanted = kind === 'relayed' ? 'relayed' : 'direct';
    if (streaming.path?.type !== wanted) throw new Error(`The pipe of the bench is to be ${wanted}.`);
    process.on('message', async (order: Order) => {
      if (order.do === 'stream') tell(await stream(pipeOutlet(streaming), order));
      if (order.do === 'lone') tell(await lone(peer, streaming, order));
      if (order.do === 'echo') {
        tell(
          await echo(
            order,
            (message) => echoing.trySend(message),
            (handler) => echoing.receive(handler),
          ),
        );
      }
    });
  }
  tell({});
}

// The bench has ended, however it did.
process.on('disconnect', () => process.exit());
const [role = '', kind = '', ready = '{}'] = process.argv.slice(2);
if (role === 'relay') await relay();
else await (role === 'sink' ? sink : source)(kind, JSON.parse(ready));
