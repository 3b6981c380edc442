import { type Connection, type Identity, identityFromSeed } from '@pipevine/runtime';
import { acceptLink, dialLink, HandshakeGate, type SessionLink } from '@pipevine/runtime/protocol';
import { afterEach, expect, it } from 'vitest';
import { nodeClock } from '../node/node-clock.ts';
import { nodeCrypto } from '../node/node-crypto.ts';
import { nodeRandom } from '../node/node-random.ts';
import { udpTransport } from './udp-transport.ts';

const platform = { clock: nodeClock, random: nodeRandom, crypto: nodeCrypto };
const ALICE = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(0xa1));
const BOB = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(0xb2));

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function until(isDone: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!isDone()) {
    if (performance.now() > deadline) throw new Error(`Waited 10 s to see that ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Remembers what comes over a link, and how it ended. */
function listenTo(link: SessionLink): { payloads: number[]; closed: string[] } {
  const seen = { payloads: [] as number[], closed: [] as string[] };
  link.start({
    onData: (_channel, payload) => seen.payloads.push(payload[0] ?? -1),
    onFrame: () => undefined,
    onRecordEnd: () => undefined,
    onWritable: () => undefined,
    onClosed: (error) => seen.closed.push(error?.code ?? 'done'),
  });
  return seen;
}

async function peer(identity: Identity, address = 'udp://127.0.0.1:0') {
  const transport = udpTransport();
  const gate = new HandshakeGate(platform);
  const connections: Connection[] = [];
  const accepted: SessionLink[] = [];
  const listener = await transport.listen(address, (connection) => {
    connections.push(connection);
    acceptLink({ ...platform, connection, identity, gate }).then(
      (link) => accepted.push(link),
      () => undefined,
    );
  });
  const dial = async (to: string): Promise<SessionLink> => {
    const connection = await transport.dial(to);
    connections.push(connection);
    return dialLink({ ...platform, connection, identity });
  };
  /** All is gone at once, and nobody is told: what a kill leaves. */
  const crash = async (): Promise<void> => {
    for (const connection of connections) connection.abort();
    await listener.close();
  };
  closing.push(crash);
  return { transport, gate, accepted, dial, crash, address: listener.addresses[0] ?? '' };
}

it('a peer that restarts on its port gets a link at once, while the one of its former life still stands', async () => {
  const alice = await peer(ALICE);
  const bob = await peer(BOB);
  const first = await bob.dial(alice.address);
  listenTo(first);
  await until(() => alice.accepted.length === 1, 'the first link is accepted');
  const old = listenTo(alice.accepted[0] as SessionLink); // Its presence is what was waited for.
  await bob.crash();

  const reborn = await peer(BOB, bob.address);
  const second = await reborn.dial(alice.address);
  const atBob = listenTo(second);
  await until(() => alice.accepted.length === 2, 'the second link is accepted');
  const [formerLink, link] = alice.accepted as [SessionLink, SessionLink]; // Both are there, as was seen.
  expect(link.remoteAddress).toBe(formerLink.remoteAddress);
  expect([old.closed, alice.transport.counters.open]).toEqual([[], 2]);

  const atAlice = listenTo(link);
  second.queueData(1, Uint8Array.of(7), 0, false);
  link.queueData(1, Uint8Array.of(8), 0, false);
  await until(() => atAlice.payloads.length === 1 && atBob.payloads.length === 1, 'data passes both ways');
  expect([atAlice.payloads, atBob.payloads, old.payloads]).toEqual([[7], [8], []]);
  formerLink.close('done', '');
  second.queueData(1, Uint8Array.of(9), 1, false);
  await until(() => atAlice.payloads.length === 2, 'the new link has taken the place of the old');
});

it('two peers that dial each other from their listening ports at once both get a link, whichever packet was first', async () => {
  for (let round = 0; round < 5; round++) {
    const alice = await peer(ALICE);
    const bob = await peer(BOB);
    const [a, b] = await Promise.all([alice.dial(bob.address), bob.dial(alice.address)]);
    const [atA, atB] = [listenTo(a), listenTo(b)];
    await until(() => alice.accepted.length === 1 && bob.accepted.length === 1, 'both were accepted');
    expect([a.remotePeer, b.remotePeer]).toEqual([BOB.id, ALICE.id]);
    const [fromBob, fromAlice] = [alice.accepted[0] as SessionLink, bob.accepted[0] as SessionLink]; // As was seen.
    listenTo(fromBob);
    listenTo(fromAlice);
    fromAlice.queueData(1, Uint8Array.of(1), 0, false);
    fromBob.queueData(1, Uint8Array.of(2), 0, false);
    await until(() => atA.payloads.length === 1 && atB.payloads.length === 1, 'each link carries its own');
    expect([atA.payloads, atB.payloads]).toEqual([[1], [2]]);
  }
});

it('packets for a peer that was here before take no place among the handshakes', async () => {
  const alice = await peer(ALICE);
  const bob = await peer(BOB);
  const link = await bob.dial(alice.address);
  listenTo(link);
  await until(() => alice.accepted.length === 1, 'the link is accepted');
  await alice.crash();
  const reborn = await peer(ALICE, alice.address);
  link.queueData(1, Uint8Array.of(1), 0, false);
  await until(() => reborn.transport.counters.accepted > 0, 'a packet has come');
  await until(() => reborn.transport.counters.open === 0, 'it was turned away');
  expect([reborn.gate.halfOpen, reborn.transport.counters.sent]).toEqual([0, 0]);
});
