import type { Connection, EndpointAddress, LocalPacket, PipevineError, Transport } from '@pipevine/runtime';
import { describe, expect, it } from 'vitest';
import { MemoryNetwork } from './memory-network.ts';
import type { MemoryProcess } from './memory-process.ts';
import type { NetworkConditions } from './network-conditions.ts';
import { VirtualClock } from './virtual-clock.ts';

function transportOf(process: MemoryProcess, scheme: 'mem' | 'memd'): Transport {
  const transport = process.transports.find(({ schemes }) => schemes.includes(scheme));
  if (transport === undefined) throw new Error(`No transport for ${scheme}`);
  return transport;
}

interface Side {
  readonly connection: Connection;
  readonly received: number[];
  readonly closed: (PipevineError | undefined)[];
}

function listenTo(connection: Connection): Side {
  const side: Side = { connection, received: [], closed: [] };
  connection.start({
    onBytes: (bytes) => {
      side.received.push(...bytes);
    },
    onWritable: () => undefined,
    onClosed: (error) => {
      side.closed.push(error);
    },
  });
  return side;
}

async function world(conditions: Partial<NetworkConditions> = {}, seed: number | string = 1) {
  const clock = new VirtualClock();
  const network = new MemoryNetwork({ clock, seed, conditions, streamTimeoutMs: 10_000 });
  const a = network.boot('a');
  const b = network.boot('b');
  const connect = async (scheme: 'mem' | 'memd', address: EndpointAddress = `${scheme}://b`) => {
    const accepted: Side[] = [];
    const listener = await transportOf(b, scheme).listen(address, (connection) => accepted.push(listenTo(connection)));
    const near = listenTo(await clock.run(transportOf(a, scheme).dial(address)));
    return { near, accepted, listener };
  };
  return { clock, network, a, b, connect };
}

describe('packets', () => {
  it('are lost, doubled, reordered and damaged about as often as the conditions say', async () => {
    const { clock, network, connect } = await world({
      loss: 0.1,
      duplication: 0.05,
      reordering: 0.2,
      corruption: 0.02,
      jitterMs: 1,
    });
    const { near, accepted } = await connect('memd');
    for (let i = 0; i < 5000; i++) {
      near.connection.write([Uint8Array.of(i & 0xff)]);
      await clock.runFor(1);
    }
    await clock.runFor(1000);
    const { lost, duplicated, reordered, corrupted, delivered, sent } = network.counters;
    expect(sent).toBe(5000);
    expect(lost).toBeGreaterThan(400);
    expect(lost).toBeLessThan(600);
    expect(duplicated).toBeGreaterThan(150);
    expect(duplicated).toBeLessThan(320);
    expect(reordered).toBeGreaterThan(700);
    expect(corrupted).toBeGreaterThan(50);
    expect(delivered).toBe(5000 - lost + duplicated);
    expect(accepted[0]?.received).toHaveLength(delivered);
  });

  it('wait for a slow path, and are dropped beyond its queue', async () => {
    const { clock, network, connect } = await world({ bytesPerSecond: 1000, queueBytes: 5000, delayMs: 10 });
    const { near, accepted } = await connect('memd');
    for (let i = 0; i < 10; i++) near.connection.write([new Uint8Array(1000)]);
    await clock.runFor(1500);
    expect(accepted[0]?.received).toHaveLength(1000);
    await clock.runFor(20_000);
    expect(network.counters.overflowed).toBe(4);
    expect(accepted[0]?.received).toHaveLength(6000);
  });

  it('reach nobody where nobody listens, and are counted', async () => {
    const { clock, network, a } = await world();
    const lone = await clock.run(transportOf(a, 'memd').dial('memd://b:7'));
    lone.write([Uint8Array.of(1)]);
    await clock.runFor(100);
    expect(network.counters.unheard).toBe(1);
  });

  it('do not cross a partition', async () => {
    const { clock, network, connect } = await world();
    const { near, accepted } = await connect('memd');
    network.partition(['a'], ['b']);
    near.connection.write([Uint8Array.of(1)]);
    await clock.runFor(100);
    network.heal();
    near.connection.write([Uint8Array.of(2)]);
    await clock.runFor(100);
    expect(network.counters.blocked).toBe(1);
    expect(accepted[0]?.received).toEqual([2]);
  });
});

describe('streams', () => {
  it('lose nothing on a bad path: what is lost comes later, in order', async () => {
    const { clock, connect } = await world({
      loss: 0.2,
      jitterMs: 30,
      reordering: 0.5,
      cutting: 0.5,
      duplication: 0.2,
    });
    const { near, accepted } = await connect('mem');
    const sent = Array.from({ length: 2000 }, (_, i) => i & 0xff);
    for (let i = 0; i < sent.length; i += 10) near.connection.write([Uint8Array.from(sent.slice(i, i + 10))]);
    await clock.runFor(60_000);
    expect(accepted[0]?.received).toEqual(sent);
  });

  it('take the time that a slow path needs', async () => {
    const { clock, connect } = await world({ bytesPerSecond: 1000, delayMs: 0 });
    const { near, accepted } = await connect('mem');
    near.connection.write([new Uint8Array(1000)]);
    near.connection.write([new Uint8Array(1000)]);
    await clock.runFor(1100);
    expect(accepted[0]?.received).toHaveLength(1000);
    await clock.runFor(1000);
    expect(accepted[0]?.received).toHaveLength(2000);
  });

  it('stall in a partition and go on when it heals in time', async () => {
    const { clock, network, connect } = await world();
    const { near, accepted } = await connect('mem');
    network.partition(['a'], ['b']);
    near.connection.write([Uint8Array.of(1)]);
    near.connection.write([Uint8Array.of(2)]);
    await clock.runFor(9000);
    expect(accepted[0]?.received).toEqual([]);
    network.heal();
    near.connection.write([Uint8Array.of(3)]);
    await clock.runFor(100);
    expect(accepted[0]?.received).toEqual([1, 2, 3]);
    expect(near.closed).toEqual([]);
  });

  it('die in a partition that lasts, and the other side learns it when it heals', async () => {
    const { clock, network, connect } = await world();
    const { near, accepted } = await connect('mem');
    network.partition(['a'], ['b']);
    near.connection.write([Uint8Array.of(1)]);
    await clock.runFor(11_000);
    expect(near.closed[0]).toMatchObject({ code: 'unreachable' });
    expect(accepted[0]?.closed).toEqual([]);
    network.heal();
    await clock.runFor(100);
    expect(accepted[0]?.received).toEqual([]);
    expect(accepted[0]?.closed[0]).toMatchObject({ code: 'closed' });
    expect(near.closed).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });

  it('carry one way when only the other is blocked', async () => {
    const { clock, network, connect } = await world();
    const { near, accepted } = await connect('mem');
    network.block('b', 'a');
    near.connection.write([Uint8Array.of(1)]);
    accepted[0]?.connection.write([Uint8Array.of(2)]);
    await clock.runFor(100);
    expect(accepted[0]?.received).toEqual([1]);
    expect(near.received).toEqual([]);
  });

  it('are dialled again by themselves while the path is down, until the time is over', async () => {
    const { clock, network, a, b } = await world();
    await transportOf(b, 'mem').listen('mem://b', () => undefined);
    network.partition(['a'], ['b']);
    clock.setTimer(2500, () => network.heal());
    const connection = await clock.run(transportOf(a, 'mem').dial('mem://b'));
    expect(connection.remoteAddress).toBe('mem://b');
    expect(clock.monotonicMs()).toBeGreaterThan(2500);
  });
});

describe('a crash', () => {
  it('resets connections, frees addresses, and runs nothing more of the process', async () => {
    const { clock, network, a, b, connect } = await world();
    const { near, accepted } = await connect('mem');
    let ticks = 0;
    b.clock.setTimer(50, () => ticks++);
    near.connection.write([Uint8Array.of(1)]);
    b.crash();
    b.crash();
    await clock.runFor(100);
    expect(near.closed[0]).toMatchObject({ code: 'closed' });
    expect(accepted[0]?.received).toEqual([]);
    expect(accepted[0]?.closed).toEqual([]);
    expect(ticks).toBe(0);
    await expect(clock.run(transportOf(a, 'mem').dial('mem://b'))).rejects.toMatchObject({ code: 'unreachable' });
    const reborn = network.boot('b');
    await transportOf(reborn, 'mem').listen('mem://b', () => undefined);
    await clock.run(transportOf(a, 'mem').dial('mem://b'));
  });

  it('leaves a dial of the dead process unsettled, and no half connection', async () => {
    const { clock, a, b } = await world({ delayMs: 10 });
    const accepted: Side[] = [];
    await transportOf(b, 'mem').listen('mem://b', (connection) => accepted.push(listenTo(connection)));
    let settled = false;
    const note = (): void => {
      settled = true;
    };
    transportOf(a, 'mem').dial('mem://b').then(note, note);
    clock.setTimer(15, () => a.crash());
    await clock.runFor(20_000);
    expect(settled).toBe(false);
    expect(accepted[0]?.closed).toHaveLength(1);
  });

  it('by power loss is noticed by what is sent, once the machine runs again', async () => {
    const { clock, network, connect } = await world();
    const { near } = await connect('mem');
    network.host('b').losePower();
    near.connection.write([Uint8Array.of(1)]);
    await clock.runFor(5000);
    expect(near.closed).toEqual([]);
    network.boot('b');
    await clock.runFor(100);
    expect(near.closed[0]).toMatchObject({ code: 'closed', message: expect.stringContaining('restarted') });
  });

  it('by power loss is noticed after the stream timeout where the machine stays off', async () => {
    const { clock, network, connect } = await world();
    const { near } = await connect('mem');
    network.host('b').losePower();
    near.connection.write([Uint8Array.of(1)]);
    await clock.runFor(10_100);
    expect(near.closed[0]).toMatchObject({ code: 'unreachable' });
  });
});

describe('the LAN', () => {
  async function hear(
    process: MemoryProcess,
  ): Promise<{ packets: LocalPacket[]; changes: number[]; send(text: string): void }> {
    const packets: LocalPacket[] = [];
    const changes: number[] = [];
    const session = await process.localNetwork.open({
      onPacket: (packet) => packets.push(packet),
      onChange: () => changes.push(process.clock.monotonicMs()),
    });
    return { packets, changes, send: (text) => session.send(Uint8Array.from(Buffer.from(text))) };
  }

  it('carries multicast to every host on it, the sender included, and to no other', async () => {
    const { clock, network, a, b } = await world();
    network.host('c').moveToLan('elsewhere');
    const heard = await Promise.all([a, b, network.boot('c')].map(hear));
    heard[0]?.send('hello');
    await clock.runFor(100);
    expect(heard.map(({ packets }) => packets.map(({ host, bytes }) => `${host}: ${Buffer.from(bytes)}`))).toEqual([
      ['a: hello'],
      ['a: hello'],
      [],
    ]);
  });

  it('tells those who move to another one', async () => {
    const { clock, network, a, b } = await world();
    const heard = await Promise.all([a, b].map(hear));
    network.host('b').moveToLan('elsewhere');
    await clock.runFor(10);
    expect(heard.map(({ changes }) => changes.length)).toEqual([0, 1]);
    heard[0]?.send('hello');
    await clock.runFor(10);
    expect(heard[1]?.packets).toEqual([]);
  });

  it('drops packets that are too large, and counts them', async () => {
    const { clock, network, a } = await world();
    const own = await hear(a);
    own.send('x'.repeat(1201));
    await clock.runFor(10);
    expect(own.packets).toEqual([]);
    expect(network.counters.overflowed).toBe(1);
  });

  it('keeps announcements while they are open', async () => {
    const { a } = await world();
    const announcement = { type: '_pipevine._tcp', name: 'a', port: 1, text: {} };
    const open = await a.localNetwork.announce(announcement);
    expect(a.localNetwork.announcements).toEqual([announcement]);
    await open.close();
    expect(a.localNetwork.announcements).toEqual([]);
  });
});

it('runs the same from the same seed, and differently from another', async () => {
  const run = async (seed: number): Promise<string> => {
    const { clock, network, connect } = await world(
      { loss: 0.1, jitterMs: 50, reordering: 0.3, duplication: 0.1, cutting: 0.5 },
      seed,
    );
    const trace: string[] = [];
    const { near, accepted } = await connect('mem');
    const packets = await connect('memd');
    for (let i = 0; i < 100; i++) {
      near.connection.write([Uint8Array.of(i, i)]);
      packets.near.connection.write([Uint8Array.of(i)]);
      await clock.runFor(10);
      trace.push(`${clock.eventCount} ${accepted[0]?.received.length} ${packets.accepted[0]?.received.join()}`);
    }
    return `${trace.join('\n')}\n${JSON.stringify(network.counters)}`;
  };
  expect(await run(5)).toBe(await run(5));
  expect(await run(5)).not.toBe(await run(6));
});
