import { seededRandom, VirtualClock } from '@pipevine/transports';
import { describe, expect, test } from 'vitest';
import { PipevineError } from '../error/pipevine-error.ts';
import { type PeerId, peerIdFromBytes } from '../id/peer-id.ts';
import { askingForRelay } from '../pipe/relayed-path.ts';
import { codeOf, Overlay } from '../pipe/testing/overlay.ts';
import { RawPeer } from '../pipe/testing/raw-peer.ts';
import { FakeResolvers } from '../resolver/testing/fake-resolvers.ts';
import { FrameType } from '../wire/frame.ts';
import type { RelayHop } from './relay-forwarder.ts';
import { type RelayRouter, RelayServer } from './relay-server.ts';
import { startClient, startRelay } from './testing/relayed-overlay.ts';

const other = (byte: number): PeerId => peerIdFromBytes(new Uint8Array(32).fill(byte));

/** A relay whose neighbours are some, and whose router says what the test wants. */
function relayWith(router: Partial<RelayRouter>) {
  const clock = new VirtualClock();
  const network = new FakeResolvers(clock);
  const relay = network.peer('relay', { roles: ['relay', 'member'] });
  const [a, b, next] = [network.peer('a'), network.peer('b'), network.peer('next', { roles: ['relay', 'member'] })];
  network.link(relay, a);
  const calls: unknown[][] = [];
  const server = new RelayServer({
    resolver: relay,
    forwarder: { open: () => ({ close: () => {} }), endOf: () => {} },
    mayServe: () => true,
    hostOf: () => undefined,
    relaysOf: () => [],
    router: {
      routesTo: () => [],
      lastResorts: () => [],
      seek: async () => {},
      failed: (...given) => void calls.push(['failed', ...given]),
      worked: (...given) => void calls.push(['worked', ...given]),
      isRelay: () => false,
      ...router,
    },
    clock,
    random: seededRandom('relay'),
  });
  const [source, target] = [a.localPeer, b.localPeer];
  const ask = (named?: readonly PeerId[], hops = 0) => server.nextHop({ from: source, source, target, hops, named });
  return { clock, network, relay, next, ask, server, calls, target, source };
}

describe('a relay that knows no client of that name', () => {
  test('asks for a way, and names it', async () => {
    let known: readonly (readonly PeerId[])[] = [];
    const { clock, next, ask, source } = relayWith({
      routesTo: () => known,
      seek: async () => {
        known = [
          [source, other(1)],
          [other(1), other(2), other(3), other(4)],
          [next.localPeer, other(1)],
        ];
      },
    });
    const hop = ask();
    expect(hop).toBeInstanceOf(Promise);
    // Not back, and not over more than three others.
    expect(await clock.run(Promise.resolve(hop))).toEqual({ to: next.localPeer, named: [next.localPeer, other(1)] });
  });

  test('gives up in less time than a binder waits, when nobody answers', async () => {
    const { clock, ask } = relayWith({ seek: () => new Promise(() => {}) });
    const startMs = clock.monotonicMs();
    expect(await clock.run(codeOf(Promise.resolve(ask())))).toBe('unreachable');
    expect(clock.monotonicMs() - startMs).toBeLessThan(2_000);
  });

  test('looks for no way where it is not the first: the first names it', () => {
    const { ask } = relayWith({ routesTo: () => [[other(1)]] });
    expect(() => ask(undefined, 1)).toThrow(expect.objectContaining({ code: 'unreachable' }));
  });

  test('links a relay that is named, if that has signed that it is one', async () => {
    const { clock, next, ask } = relayWith({ isRelay: () => true });
    const hop = await clock.run(Promise.resolve(ask([next.localPeer])));
    expect(hop).toEqual({ to: next.localPeer });
    expect(await clock.run(codeOf(Promise.resolve(ask([other(1)]))))).toBe('unreachable');
    const stranger = relayWith({});
    expect(() => stranger.ask([stranger.next.localPeer])).toThrow(expect.objectContaining({ code: 'unreachable' }));
  });

  test('tells its router which hop of a way failed', () => {
    const { server, calls, target } = relayWith({});
    const way = [other(1), other(2)];
    server.onOutcome(target, way, undefined);
    server.onOutcome(target, way, 'At relay 3: Peer x has no lease at this relay.');
    server.onOutcome(target, way, 'At relay 1: The peer did not answer this relay.');
    expect(calls).toEqual([
      ['worked', target, way],
      ['failed', target, way, 2],
      ['failed', target, way, undefined],
    ]);
  });
});

describe('a forwarder whose gate looks for a way', () => {
  /** A relay whose gate answers when the test does, a neighbour that says what the test wants, and a target. */
  async function waiting() {
    const overlay = new Overlay(1, { delayMs: 1 });
    const answers: { resolve: (hop: RelayHop) => void; reject: (error: unknown) => void }[] = [];
    const nextHop = (): Promise<RelayHop> => new Promise((resolve, reject) => void answers.push({ resolve, reject }));
    const relay = await startRelay(overlay, 'r', {}, { nextHop });
    const b = await startClient(overlay, 'b', [relay]);
    const raw = await RawPeer.dial(overlay, 'raw', relay);
    const session = askingForRelay(new Uint8Array([0]), 1_000);
    const bind = (channel: number) => {
      const pipe = new Uint8Array(16).fill(channel);
      const frame = raw.bindFrame({ pipe, target: b.identity.id, name: 'x', security: 1 });
      raw.link.queueFrame({ ...frame, channel, session });
    };
    const said = () => raw.frames.flatMap((frame) => (frame.type === FrameType.unbind ? [frame.code] : []));
    const used = () => relay.forwarder.status()['relayed pipes waiting for a way']?.used;
    return { overlay, relay, b, raw, answers, bind, said, used };
  }

  test('asks once for a BIND that comes again, and answers it', async () => {
    const { overlay, answers, bind, said, used } = await waiting();
    for (let i = 0; i < 5; i++) bind(1);
    await overlay.clock.runFor(20);
    expect(answers).toHaveLength(1);
    expect(used()).toBe(1);
    answers[0]?.reject(new PipevineError('unreachable', 'No way.'));
    await overlay.clock.runFor(20);
    expect(said()).toEqual(['unreachable']);
    expect(used()).toBe(0);
  });

  test('goes on when it is found, but not for a neighbour that has gone', async () => {
    const { overlay, relay, b, raw, answers, bind } = await waiting();
    bind(1);
    bind(2);
    await overlay.clock.runFor(20);
    answers[0]?.resolve({ to: b.identity.id, named: [] });
    await overlay.clock.runFor(1);
    expect(relay.forwarder.status()['relayed pipes']?.used).toBe(1);
    raw.link.close('done', '');
    await overlay.clock.runFor(1_000);
    answers[1]?.resolve({ to: b.identity.id });
    await overlay.clock.runFor(1_000);
    expect(relay.forwarder.status()['relayed pipes']?.used).toBe(0);
    expect(relay.forwarder.status()['relayed pipes waiting for a way']?.used).toBe(0);
  });

  test('has room for so many of one neighbour', async () => {
    const { overlay, answers, bind, said, used } = await waiting();
    for (let channel = 1; channel <= 40; channel++) bind(channel);
    await overlay.clock.runFor(20);
    expect(answers).toHaveLength(16);
    expect(used()).toBe(16);
    expect(said()).toEqual(Array.from({ length: 24 }, () => 'overloaded'));
    for (const { reject } of answers) reject(new PipevineError('refused', 'No.'));
    await overlay.clock.runFor(20);
    expect(said()).toHaveLength(40);
    expect(used()).toBe(0);
  });
});
