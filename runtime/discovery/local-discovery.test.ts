import { MemoryNetwork, nodeCrypto, seededRandom, VirtualClock } from '@pipevine/transports';
import { beforeEach, describe, expect, it } from 'vitest';
import type { EndpointEvents } from '../endpoint/endpoint.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { type GroupId, groupIdFromBytes } from '../id/group-id.ts';
import { identityFromSeed } from '../id/identity.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Link } from '../link/link.ts';
import type { LocalNetworkSession } from '../platform/local-network.ts';
import type { EndpointAddress } from '../platform/transport.ts';
import { groupTag } from './group-tag.ts';
import { LocalDiscovery } from './local-discovery.ts';
import { encodeLocalMessage, type LocalMessage } from './local-packet-codec.ts';

const home = groupIdFromBytes(new Uint8Array(32).fill(1));
const other = groupIdFromBytes(new Uint8Array(32).fill(2));
let clock: VirtualClock;
let network: MemoryNetwork;
let dials: { from: string; to: PeerId; addresses: readonly EndpointAddress[]; atMs: number }[];
/** Who answers at an address. */
let listeners: Map<EndpointAddress, TestPeer>;

class TestPeer {
  readonly id: PeerId;
  readonly name: string;
  readonly groups: GroupId[];
  readonly discovery: LocalDiscovery;
  readonly addresses: EndpointAddress[];
  readonly events: EndpointEvents[] = [];
  readonly linked = new Set<PeerId>();

  constructor(
    name: string,
    options: { groups?: GroupId[]; listens?: boolean; gateway?: boolean; admits?: boolean } = {},
  ) {
    this.name = name;
    this.id = identityFromSeed(nodeCrypto, seededRandom(name).bytes(32)).id;
    this.groups = options.groups ?? [home];
    this.addresses = options.listens === false ? [] : [`mem://${name}:7`];
    for (const address of this.addresses) listeners.set(address, this);
    const process = network.boot(name);
    this.discovery = new LocalDiscovery({
      localNetwork: process.localNetwork,
      clock: process.clock,
      random: seededRandom(name),
      crypto: nodeCrypto,
      groups: () => this.groups,
      isGateway: options.gateway ?? false,
      admits: () => options.admits ?? false,
      endpoint: {
        localPeer: this.id,
        addresses: this.addresses,
        subscribe: (events) => {
          this.events.push(events);
          return { unsubscribe: () => undefined };
        },
        connect: async (to, connecting) => {
          const addresses = connecting?.addresses ?? [];
          dials.push({ from: name, to, addresses, atMs: clock.monotonicMs() });
          const answering = addresses.map((address) => listeners.get(address)).find((peer) => peer?.id === to);
          if (answering === undefined) throw new PipevineError('unreachable', 'Nobody answers.');
          answering.up(this.id);
          return this.up(to);
        },
      },
    });
  }

  up(peer: PeerId): Link {
    // Only what discovery looks at.
    const link = { remotePeer: peer } as Link;
    if (!this.linked.has(peer)) {
      this.linked.add(peer);
      for (const { onLinkUp } of this.events) onLinkUp(link);
    }
    return link;
  }

  down(peer: PeerId): void {
    this.linked.delete(peer);
    for (const { onLinkDown } of this.events) onLinkDown({ remotePeer: peer } as Link);
  }

  start(): Promise<void> {
    return clock.run(this.discovery.start());
  }
}

/** Somebody on the LAN who sends what it likes, and counts what it hears. */
async function stranger(): Promise<{ session: LocalNetworkSession; heard: Uint8Array[] }> {
  const heard: Uint8Array[] = [];
  const { localNetwork } = network.boot('stranger');
  const session = await clock.run(
    localNetwork.open({ onPacket: ({ bytes }) => void heard.push(bytes), onChange: () => undefined }),
  );
  return { session, heard };
}

function message(peer: PeerId, from: Partial<LocalMessage> = {}): LocalMessage {
  const tags = [groupTag(nodeCrypto, home, peer)];
  return { type: 'announce', peer, addresses: ['mem://:9'], tags, gateway: false, admits: false, ...from };
}

const someId = (n: number) => identityFromSeed(nodeCrypto, seededRandom(`forged ${n}`).bytes(32)).id;

beforeEach(() => {
  clock = new VirtualClock();
  network = new MemoryNetwork({ clock, seed: 5 });
  dials = [];
  listeners = new Map();
});

describe('peers of one group on a LAN', () => {
  it('are linked within a second of the start of the second one', async () => {
    const [a, b] = [new TestPeer('a'), new TestPeer('b')];
    await a.start();
    await clock.runFor(120_000);
    await b.start();
    await clock.runFor(1_000);
    expect(a.linked.has(b.id)).toBe(true);
  });

  it('are linked within a second even when most packets get lost twice', async () => {
    network.setConditions({ loss: 0.3 });
    const [a, b] = [new TestPeer('a'), new TestPeer('b')];
    await a.start();
    await b.start();
    await clock.runFor(3_000);
    expect(a.linked.has(b.id)).toBe(true);
  });

  it('do not dial each other at the same time', async () => {
    const [a, b] = [new TestPeer('a'), new TestPeer('b')];
    await a.start();
    await b.start();
    await clock.runFor(5_000);
    expect(dials).toHaveLength(1);
    expect(dials[0]?.to).toBe(a.id < b.id ? b.id : a.id);
  });

  it('link when only one of them can be dialled', async () => {
    const [edge, gateway] = [new TestPeer('edge', { listens: false }), new TestPeer('gateway', { gateway: true })];
    await gateway.start();
    await edge.start();
    await clock.runFor(1_000);
    expect(dials.map(({ from }) => from)).toEqual(['edge']);
    expect(edge.linked.has(gateway.id)).toBe(true);
  });

  it('stay apart when they share no group', async () => {
    const [a, b] = [new TestPeer('a'), new TestPeer('b', { groups: [other] })];
    await a.start();
    await b.start();
    await clock.runFor(60_000);
    expect(dials).toEqual([]);
  });

  it('find each other when one joins the group of the other', async () => {
    const [a, b] = [new TestPeer('a'), new TestPeer('b', { groups: [] })];
    await a.start();
    await b.start();
    await clock.runFor(60_000);
    b.groups.push(home);
    b.discovery.changed();
    await clock.runFor(1_000);
    expect(a.linked.has(b.id)).toBe(true);
  });

  it('are looked for again when the last link is lost', async () => {
    const [a, b] = [new TestPeer('a'), new TestPeer('b')];
    await a.start();
    await b.start();
    await clock.runFor(120_000);
    a.down(b.id);
    b.down(a.id);
    await clock.runFor(1_000);
    expect(a.linked.has(b.id)).toBe(true);
  });

  it('grow quiet: a peer with a neighbour sends no more than one packet a minute', async () => {
    const { heard } = await stranger();
    const [a, b] = [new TestPeer('a'), new TestPeer('b')];
    await a.start();
    await b.start();
    await clock.runFor(300_000);
    heard.length = 0;
    await clock.runFor(600_000);
    expect(heard.length).toBeLessThanOrEqual(24);
    expect(heard.length).toBeGreaterThanOrEqual(16);
  });

  it('are no more than the bound, and no gateway is left out for it', async () => {
    const a = new TestPeer('a', { listens: false });
    const peers = Array.from({ length: 30 }, (_, i) => new TestPeer(`p${i}`, { gateway: i >= 26 }));
    for (const peer of peers) await peer.start();
    await a.start();
    await clock.runFor(120_000);
    expect(a.linked.size).toBeGreaterThanOrEqual(16);
    expect(a.linked.size).toBeLessThanOrEqual(20);
    for (const gateway of peers.slice(26)) expect(a.linked.has(gateway.id)).toBe(true);
  });
});

describe('joining by a code', () => {
  it('hears of peers that admit members, which it would not dial by itself', async () => {
    const [a, b] = [new TestPeer('a', { groups: [] }), new TestPeer('b', { admits: true })];
    await b.start();
    await clock.runFor(100_000);
    await a.start();
    let heard = 0;
    a.discovery.seekAdmission(() => heard++);
    await clock.runFor(1_000);
    expect(heard).toBeGreaterThan(0);
    expect(a.discovery.admitting()).toEqual([{ peer: b.id, addresses: ['mem://b:7'] }]);
    expect(dials).toEqual([]);
  });
});

describe('forged packets', () => {
  it('cause a bounded number of dials, however many come', async () => {
    const a = new TestPeer('a');
    await a.start();
    const { session } = await stranger();
    for (let i = 0; i < 1_000; i++) {
      session.send(encodeLocalMessage(message(someId(i))));
      if (i % 10 === 0) await clock.runFor(10);
    }
    await clock.runFor(10_000);
    expect(dials.length).toBeLessThanOrEqual(16 + 2 * 12);
    expect(a.discovery.status()['local peers heard']?.used).toBeLessThanOrEqual(512);
    expect(a.discovery.status()['local packets']?.dropped).toBeGreaterThan(0);
  });

  it('do not keep a real member from being found', async () => {
    const [a, b] = [new TestPeer('a'), new TestPeer('b')];
    await a.start();
    const { session } = await stranger();
    // Somebody says that b is elsewhere, over and over, and that it is leaving.
    for (let i = 0; i < 50; i++) {
      session.send(encodeLocalMessage(message(b.id)));
      if (i % 5 === 0) session.send(encodeLocalMessage(message(b.id, { type: 'leaving' })));
      await clock.runFor(10);
    }
    await b.start();
    await clock.runFor(60_000);
    expect(a.linked.has(b.id)).toBe(true);
  });

  it('rest a peer that cannot be reached for longer and longer', async () => {
    const a = new TestPeer('a');
    await a.start();
    const { session } = await stranger();
    const ghost = someId(1);
    for (let i = 0; i < 600; i++) {
      session.send(encodeLocalMessage(message(ghost)));
      await clock.runFor(1_000);
    }
    expect(dials.length).toBeGreaterThanOrEqual(5);
    expect(dials.length).toBeLessThanOrEqual(12);
  });

  it('that are malformed are counted and change nothing', async () => {
    const a = new TestPeer('a');
    await a.start();
    const { session } = await stranger();
    const good = encodeLocalMessage(message(someId(1)));
    for (let end = 12; end < good.length; end += 3) session.send(good.slice(0, end));
    session.send(new Uint8Array(0));
    session.send(new TextEncoder().encode('hello'));
    await clock.runFor(1_000);
    expect(dials).toEqual([]);
    expect(a.discovery.status()['local packets']?.dropped).toBeGreaterThan(10);
  });

  it('that ask for an answer get at most two a second', async () => {
    const a = new TestPeer('a');
    await a.start();
    const { session, heard } = await stranger();
    await clock.runFor(300_000);
    heard.length = 0;
    for (let i = 0; i < 200; i++) {
      session.send(encodeLocalMessage(message(someId(i), { type: 'query', addresses: [], tags: [] })));
      await clock.runFor(50);
    }
    expect(heard.length - 200).toBeLessThanOrEqual(25);
  });
});

describe('the local network itself', () => {
  it('is told when the peer leaves', async () => {
    const a = new TestPeer('a', { admits: true });
    const b = new TestPeer('b', { groups: [] });
    await b.start();
    await a.start();
    b.discovery.seekAdmission(() => undefined);
    await clock.runFor(1_000);
    expect(b.discovery.admitting()).toHaveLength(1);
    await clock.run(a.discovery.close());
    await clock.runFor(100);
    expect(b.discovery.admitting()).toHaveLength(0);
  });

  it('is opened again later when it cannot be opened now', async () => {
    const process = network.boot('a');
    let failures = 2;
    const told: string[] = [];
    const discovery = new LocalDiscovery({
      clock: process.clock,
      random: seededRandom(1),
      crypto: nodeCrypto,
      groups: () => [home],
      isGateway: false,
      admits: () => false,
      onUnavailable: ({ code }) => told.push(code),
      endpoint: {
        localPeer: someId(0),
        addresses: [],
        subscribe: () => ({ unsubscribe: () => undefined }),
        connect: async () => {
          throw new PipevineError('unreachable', 'Nobody.');
        },
      },
      localNetwork: {
        open: async (init) => {
          if (failures-- > 0) throw new PipevineError('multicast-unavailable', 'No network yet.');
          return process.localNetwork.open(init);
        },
      },
    });
    const { heard } = await stranger();
    await clock.run(discovery.start());
    await clock.runFor(59_000);
    expect(heard).toHaveLength(0);
    await clock.runFor(2_000);
    expect(told).toEqual(['multicast-unavailable', 'multicast-unavailable']);
    expect(heard.length).toBeGreaterThan(0);
  });
});
