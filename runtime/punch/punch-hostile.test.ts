import { expect, test } from 'vitest';
import type { PipevineError } from '../error/pipevine-error.ts';
import { codeOf } from '../pipe/testing/overlay.ts';
import { encodeProbe } from './probe-packet.ts';
import { decodeObserveAnswer, encodeOffer, OBSERVE_REQUEST } from './punch-codec.ts';
import { MAX_CANDIDATES, PROBE_AT_MS, PUNCH_HANDLER, PUNCH_PIPE, REQUEST_BURST } from './punch-defaults.ts';
import { type PunchPeer, PunchWorld } from './testing/punch-world.ts';

const token = new Uint8Array(16).fill(9);

async function mallory() {
  const world = new PunchWorld();
  const relay = await world.relay('r1', '198.51.100.1');
  const victim = await world.client('a', { nat: 'cone', ip: '10.1.0.2', outside: '203.0.113.1' });
  const hostile = await world.client('m', { ip: '203.0.113.66' });
  return { world, relay, victim, hostile };
}

async function offerPipe(world: PunchWorld, from: PunchPeer, to: PunchPeer) {
  return world.clock.run(from.pipes.requester({ peer: to.identity.id, group: world.id, name: PUNCH_PIPE }));
}

/** The relay as one neighbour asks it. */
function askRelay(hostile: PunchPeer, relay: PunchPeer) {
  const neighbour = hostile.resolver.neighbour(relay.identity.id);
  if (neighbour === undefined) throw new Error('not linked to the relay');
  return neighbour;
}

test('an offer aims no more than a few small packets at others, and none at groups of hosts or the own machine', async () => {
  const { world, victim, hostile } = await mallory();
  const pipe = await offerPipe(world, hostile, victim);
  const sent: number[] = [];
  const carry = world.nats.carry.bind(world.nats);
  world.nats.carry = (from, port, to, packet) => {
    if (from === victim.host && to.includes('192.0.2.')) sent.push(packet.length);
    carry(from, port, to, packet);
  };
  const others = Array.from({ length: MAX_CANDIDATES - 5 }, (_, i) => `udp://192.0.2.${i + 1}:53`);
  const groups = [
    'udp://224.0.0.251:5353',
    'udp://255.255.255.255:9',
    'udp://127.0.0.1:9',
    'udp://[ff02::1]:9',
    'udp://0.0.0.0:9',
  ];
  await world.clock.run(pipe.request(encodeOffer({ token, candidates: [...groups, ...others], mapping: 'unknown' })));
  await world.clock.runFor(30_000);
  expect(sent).toHaveLength(others.length * PROBE_AT_MS.length);
  expect(new Set(sent)).toEqual(new Set([17]));
  for (const host of ['224.0.0.251', '255.255.255.255', '127.0.0.1', 'ff02::1', '0.0.0.0']) {
    expect(world.nats.sentTo.get(host)).toBeUndefined();
  }
});

test('who asks again and again is told to wait, and sets nothing in motion', async () => {
  const { world, victim, hostile, relay } = await mallory();
  const pipe = await offerPipe(world, hostile, victim);
  const ask = () =>
    codeOf(pipe.request(encodeOffer({ token, candidates: ['udp://192.0.2.1:53'], mapping: 'unknown' })));
  const codes = await world.clock.run(Promise.all(Array.from({ length: REQUEST_BURST + 20 }, ask)));
  expect(codes.filter((code) => code === 'none')).toHaveLength(REQUEST_BURST);
  expect(codes.filter((code) => code === 'overloaded')).toHaveLength(20);
  expect(victim.punch.status()).toMatchObject({
    'punch attempts under way': { used: 1 },
    'punch requests refused': { dropped: 20 },
  });
  const observe = askRelay(hostile, relay);
  const first = async () => {
    for await (const _ of observe.stream(PUNCH_HANDLER, OBSERVE_REQUEST)) return;
  };
  // The attempt of the offers has asked this relay for nothing in the hostile peer's name.
  const observed = await world.clock.run(Promise.all(Array.from({ length: REQUEST_BURST + 5 }, () => codeOf(first()))));
  expect(observed.filter((code) => code === 'overloaded')).toHaveLength(5);
  await world.clock.runFor(30_000);
  for (const { punch } of [victim, relay]) {
    expect(punch.status()).toMatchObject({ 'punch attempts under way': { used: 0 }, 'punch tokens': { used: 0 } });
  }
});

test('malformed requests get one error each', async () => {
  const { world, victim, hostile, relay } = await mallory();
  const pipe = await offerPipe(world, hostile, victim);
  for (const body of [
    new Uint8Array(0),
    Uint8Array.of(0xff),
    encodeOffer({ token: new Uint8Array(3), candidates: [], mapping: 'unknown' }),
  ]) {
    expect(await world.clock.run(codeOf(pipe.request(body)))).toBe('malformed');
  }
  const observe = askRelay(hostile, relay);
  expect(await world.clock.run(codeOf(observe.request(PUNCH_HANDLER, Uint8Array.of(0xff))))).toBe('malformed');
});

test('who may not discover is refused by peers and relays', async () => {
  const world = new PunchWorld();
  const relay = await world.relay('r1', '198.51.100.1');
  const a = await world.client('a', { ip: '203.0.113.1' });
  const guest = await world.client('g', { ip: '203.0.113.2', roles: ['nobody'] });
  const toPeer = guest.pipes.requester({ peer: a.identity.id, group: world.id, name: PUNCH_PIPE });
  expect(await world.clock.run(codeOf(toPeer))).toBe('refused');
  const refusal = askRelay(guest, relay)
    .request(PUNCH_HANDLER, OBSERVE_REQUEST)
    .catch((error: PipevineError) => error.message);
  expect(await world.clock.run(refusal)).toMatch(/lacks the capability "discover"/);
});

test('probes with a wrong token, of another length or in a flood have no effect, and none is answered', async () => {
  const { world, relay, hostile } = await mallory();
  const answers = () => world.nats.sentTo.get('203.0.113.66') ?? 0;
  const before = answers();
  const send = (packet: Uint8Array) => world.nats.carry(hostile.host, 4001, 'udp://198.51.100.1:4001', packet);
  for (let i = 0; i < 2_000; i++) send(encodeProbe(new Uint8Array(16).fill(i)));
  send(Uint8Array.of(5));
  send(new Uint8Array(18).fill(5));
  await world.clock.runFor(1_000);
  expect(answers()).toBe(before);
  expect(relay.punch.status()['punch tokens']).toMatchObject({ used: 0, dropped: 2_000 });
});

test('a relay tells each address once, four at most, and ends by itself', async () => {
  const { world, relay, hostile } = await mallory();
  const seen: string[] = [];
  const listen = async () => {
    for await (const bytes of askRelay(hostile, relay).stream(PUNCH_HANDLER, OBSERVE_REQUEST)) {
      const answer = decodeObserveAnswer(bytes);
      if (answer.type === 'observed') seen.push(answer.address);
      else {
        for (const port of [1, 2, 3, 3, 3, 4, 5, 6]) {
          world.nats.carry(hostile.host, port, 'udp://198.51.100.1:4001', encodeProbe(answer.token));
        }
      }
    }
  };
  await world.clock.run(listen());
  expect(seen).toEqual([1, 2, 3, 4].map((port) => `udp://203.0.113.66:${port}`));
  expect(relay.punch.status()['punch tokens']?.used).toBe(0);
});

test('peers that are wanted beyond the limit are left to the relay', async () => {
  const { world, victim } = await mallory();
  for (let i = 0; i < 300; i++) victim.punch.relayed(world.stranger(i), world.id);
  await world.clock.runFor(2_000);
  const status = victim.punch.status();
  expect(status['punch peers']).toMatchObject({ used: 256, dropped: 44 });
  expect(status['punch attempts under way']?.used).toBeLessThanOrEqual(32);
  await world.clock.runFor(120_000);
  expect(victim.punch.status()['punch attempts']?.used).toBeGreaterThanOrEqual(256);
  victim.punch.close();
  expect(victim.punch.status()['punch attempts under way']?.used).toBe(0);
});
