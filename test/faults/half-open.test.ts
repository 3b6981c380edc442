import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { identityFromSeed } from '@pipevine/runtime';
import { nodeClock, nodeCrypto, nodeRandom, tcpTransport, udpTransport } from '@pipevine/transports';
import { afterEach, describe, expect, it } from 'vitest';
import { EndpointService } from '../../runtime/endpoint/endpoint-service.ts';
import { encodeHandshakePacket } from '../../runtime/link/datagram-packet.ts';
import { PatternCode } from '../../runtime/link/link-handshake.ts';

const HALF_OPEN = 1_000;
/** What a handshake may take longer while they are there. */
const ALLOWED_MS = 200;
const HANDSHAKES = 15;

const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function endpoint(): EndpointService {
  const service = new EndpointService({
    identity: identityFromSeed(nodeCrypto, nodeRandom.bytes(32)),
    clock: nodeClock,
    random: nodeRandom,
    crypto: nodeCrypto,
    transports: [tcpTransport(), udpTransport()],
    routes: { addressesOf: () => [] },
  });
  service.carry({
    handlerOf: () => ({ onData() {}, onFrame() {}, onRecordEnd() {}, onWritable() {}, onClosed() {} }),
  });
  closing.push(() => service.close());
  return service;
}

async function listening(address: string): Promise<{ service: EndpointService; address: string; port: number }> {
  const service = endpoint();
  await service.listen(address);
  const [first = ''] = service.addresses;
  return { service, address: first, port: Number(first.split(':').at(-1)) };
}

/** The median time of several handshakes, each by a peer that was never seen, in ms. */
async function handshakeMs(address: string): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < HANDSHAKES; i++) {
    const dialler = endpoint();
    const at = performance.now();
    await dialler.dial(address, { timeoutMs: 4_000 });
    times.push(performance.now() - at);
    await dialler.close();
  }
  times.sort((a, b) => a - b);
  return times[Math.floor(HANDSHAKES / 2)] ?? Infinity;
}

async function until(isSo: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`Waited 20 s until ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A loopback address of its own for each attacker; legitimate peers come from 127.0.0.1. */
function sourceOf(attacker: number): string {
  return `127.${1 + (attacker >> 8)}.${attacker & 0xff}.${1 + (attacker % 200)}`;
}

/** TCP connections that never say a word, kept as many as they were. */
async function silentConnections(port: number, count: number, sources: number): Promise<{ open: () => number }> {
  const sockets = new Set<Socket>();
  let running = true;
  closing.push(() => {
    running = false;
    for (const socket of sockets) socket.destroy();
  });
  const open = async (i: number): Promise<void> => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: sourceOf(i % sources) });
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => {
      sockets.delete(socket);
      // Whom the listener throws out comes back, though not as fast as the machine can.
      if (running) setTimeout(() => running && void open(i), 1_000).unref();
    });
    await new Promise<void>((resolve) => {
      socket.on('connect', resolve);
      socket.on('close', resolve);
    });
  };
  await Promise.all(Array.from({ length: count }, (_, i) => open(i)));
  return { open: () => sockets.size };
}

/** First packets of a handshake, each of an address that never answers. */
async function firstPackets(port: number, count: number): Promise<void> {
  const sockets: UdpSocket[] = [];
  closing.push(() => {
    for (const socket of sockets) socket.close();
  });
  for (let i = 0; i < count; i++) {
    const socket = createSocket('udp4');
    sockets.push(socket);
    socket.bind(0, sourceOf(i));
    await once(socket, 'listening');
    const message = nodeRandom.bytes(32);
    const initiatorId = nodeRandom.bytes(8);
    const none = new Uint8Array(0);
    const pattern = PatternCode.xx;
    const packet = encodeHandshakePacket({ type: 'initial', initiatorId, cookie: none, pattern, message }, 1_200);
    socket.send(packet, port, '127.0.0.1');
  }
}

describe(`${HALF_OPEN} half-open connections leave a legitimate handshake at most ${ALLOWED_MS} ms slower`, () => {
  it('when they are TCP connections of one host that say nothing', async () => {
    const { address, port } = await listening('tcp://127.0.0.1:0');
    const without = await handshakeMs(address);
    await silentConnections(port, HALF_OPEN, 1);
    expect(await handshakeMs(address)).toBeLessThan(without + ALLOWED_MS);
  });

  it('when they are TCP connections of a thousand hosts that say nothing', async () => {
    const { address, port } = await listening('tcp://127.0.0.1:0');
    const without = await handshakeMs(address);
    await silentConnections(port, HALF_OPEN, HALF_OPEN);
    expect(await handshakeMs(address)).toBeLessThan(without + ALLOWED_MS);
  });

  it('when they are first packets of UDP handshakes from a thousand addresses', async () => {
    const { address, port, service } = await listening('udp://127.0.0.1:0');
    const without = await handshakeMs(address);
    await firstPackets(port, HALF_OPEN);
    const { maxHalfOpen } = service.counters;
    // Half of the places are taken, all others were asked for a cookie.
    await until(() => service.counters.halfOpen >= maxHalfOpen / 2, 'the handshakes have begun');
    await until(() => service.counters.failedHandshakes >= HALF_OPEN / 2, 'cookies were asked for');
    expect(await handshakeMs(address)).toBeLessThan(without + ALLOWED_MS);
  });
});
