import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { type Identity, identityFromSeed } from '@pipevine/runtime';
import { nodeClock, nodeCrypto, nodeRandom, udpTransport } from '@pipevine/transports';
import { afterEach, describe, expect, it } from 'vitest';
import { EndpointService } from '../../runtime/endpoint/endpoint-service.ts';
import { encodeHandshakePacket } from '../../runtime/link/datagram-packet.ts';
import { LinkHandshake, PatternCode } from '../../runtime/link/link-handshake.ts';

const SOURCES = 300;

const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Target {
  readonly identity: Identity;
  readonly port: number;
  readonly service: EndpointService;
}

async function target(): Promise<Target> {
  const identity = identityFromSeed(nodeCrypto, nodeRandom.bytes(32));
  const platform = { clock: nodeClock, random: nodeRandom, crypto: nodeCrypto };
  const service = new EndpointService({
    ...platform,
    identity,
    transports: [udpTransport()],
    routes: { addressesOf: () => [] },
  });
  closing.push(() => service.close());
  await service.listen('udp://127.0.0.1:0');
  return { identity, service, port: Number(service.addresses[0]?.split(':').at(-1)) };
}

/** An address that an attacker writes as the sender of its packets; what is said to it meets whoever lives there. */
class Victim {
  bytesIn = 0;
  bytesOut = 0;
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (packet) => {
      this.bytesIn += packet.length;
    });
    closing.push(() => socket.close());
  }

  static async at(address: string): Promise<Victim> {
    const socket = createSocket('udp4');
    socket.bind(0, address);
    await once(socket, 'listening');
    return new Victim(socket);
  }

  /** Sends in the victim's name. */
  async sendAs(packet: Uint8Array, port: number): Promise<void> {
    this.bytesOut += packet.length;
    await new Promise((resolve) => this.#socket.send(packet, port, '127.0.0.1', resolve));
  }
}

async function victims(count: number): Promise<Victim[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => Victim.at(`127.${2 + (i >> 7)}.${i & 0x7f}.9`)));
}

/** Waits until a victim that lives at an address of its own has been answered: what was sent before has been looked at. */
async function settle(port: number): Promise<void> {
  const last = await Victim.at('127.200.1.1');
  const deadline = performance.now() + 20_000;
  while (last.bytesIn === 0) {
    if (performance.now() > deadline) throw new Error('Waited 20 s for an answer to an INITIAL of full size.');
    await last.sendAs(initial(1_200), port);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const none = new Uint8Array(0);
const id = () => nodeRandom.bytes(8);

/** A first packet that is well made. */
function initial(paddedBytes: number, cookie: Uint8Array = none, initiatorId = id()): Uint8Array {
  const identity = identityFromSeed(nodeCrypto, nodeRandom.bytes(32));
  const pattern = PatternCode.xx;
  const random = nodeRandom;
  const init = { role: 'initiator', pattern, identity, crypto: nodeCrypto, random, maxRecordBytes: 65_519 } as const;
  const handshake = new LinkHandshake(init);
  return encodeHandshakePacket(
    { type: 'initial', initiatorId, cookie, pattern, message: handshake.write() },
    paddedBytes,
  );
}

describe('to an address that has not proven itself, no more bytes go than came in its name', () => {
  const kinds: [what: string, packets: () => Uint8Array[]][] = [
    ['first packets of full size', () => [initial(1_200)]],
    ['first packets without padding', () => [initial(0)]],
    ['first packets a byte larger than nothing', () => Array.from({ length: 5 }, () => initial(60))],
    [
      'one first packet again and again',
      () => {
        const initiatorId = id();
        return [initial(400, none, initiatorId), ...Array.from({ length: 8 }, () => initial(0, none, initiatorId))];
      },
    ],
    [
      'first packets with made-up cookies',
      () => [initial(0, nodeRandom.bytes(16)), initial(1_200, nodeRandom.bytes(16))],
    ],
    [
      'third packets, records and noise',
      () => [
        encodeHandshakePacket({ type: 'finish', responderId: id(), message: nodeRandom.bytes(200) }),
        encodeHandshakePacket({
          type: 'response',
          initiatorId: id(),
          responderId: id(),
          message: nodeRandom.bytes(200),
        }),
        encodeHandshakePacket({ type: 'cookie', initiatorId: id(), cookie: nodeRandom.bytes(16) }),
        new Uint8Array([0x40, 0, ...nodeRandom.bytes(60)]),
        nodeRandom.bytes(50),
        nodeRandom.bytes(1),
      ],
    ],
  ];

  it.each(kinds)('%s', async (_what, packets) => {
    const { port } = await target();
    const all = await victims(SOURCES);
    for (const victim of all) for (const packet of packets()) await victim.sendAs(packet, port);
    await settle(port);
    for (const victim of all) expect(victim.bytesIn).toBeLessThanOrEqual(victim.bytesOut);
  });

  it('and after half of the places are taken, a cookie goes, which is less than what asks for it', async () => {
    const { port, service } = await target();
    const all = await victims(SOURCES);
    for (const victim of all) await victim.sendAs(initial(1_200), port);
    await settle(port);
    const answered = all.filter(({ bytesIn }) => bytesIn > 0);
    expect(answered.length).toBeGreaterThan(SOURCES / 2);
    // A whole answer for those who came first, for all others a cookie.
    expect(answered.filter(({ bytesIn }) => bytesIn > 50).length).toBeLessThanOrEqual(
      service.counters.maxHalfOpen / 2 + 2,
    );
    for (const victim of all) expect(victim.bytesIn).toBeLessThanOrEqual(victim.bytesOut);
  });
});
