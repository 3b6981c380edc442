import { describe, expect, test } from 'vitest';
import { WORLD_GROUP } from '../id/group-id.ts';
import type { Link } from '../link/link.ts';
import type { Pipe } from '../pipe/pipe.ts';
import { bindPair, codeOf, cutLinks, numbered, numberOf, Overlay, type TestPeer } from '../pipe/testing/overlay.ts';
import { RawPeer } from '../pipe/testing/raw-peer.ts';
import type { Clock } from '../platform/clock.ts';
import { FrameType } from '../wire/frame.ts';
import { RelayForwarder } from './relay-forwarder.ts';
import { makeReachable, startClient, startRelay } from './testing/relayed-overlay.ts';

const FAST = { delayMs: 2 };

function linkBetween(from: TestPeer, to: TestPeer): Link {
  const link = from.endpoint.linkTo(to.identity.id);
  if (link === undefined) throw new Error(`${from.name} has no link to ${to.name}`);
  return link;
}

/** Closes the link between two peers; from then on they cannot reach each other. */
async function separate(overlay: Overlay, a: TestPeer, b: TestPeer): Promise<void> {
  linkBetween(a, b).close('done', '');
  await overlay.clock.runUntil(() => a.endpoint.linkTo(b.identity.id) === undefined, 1_000);
  overlay.network.partition([a.name], [b.name]);
}

/** Sends numbered messages both ways, and checks that they come once and in order. */
async function exchange(
  overlay: Overlay,
  pipes: readonly [Pipe, Pipe],
  sizes: readonly number[],
  meanwhile?: () => Promise<void>,
): Promise<void> {
  const got = pipes.map((pipe) => {
    const log: string[] = [];
    pipe.receive((message) => void log.push(`${numberOf(message)}:${message.length}`));
    return log;
  });
  const send = async (pipe: Pipe): Promise<void> => {
    for (const [i, size] of sizes.entries()) await pipe.send(numbered(i, size), { timeoutMs: 600_000 });
    await pipe.flush({ timeoutMs: 600_000 });
  };
  const done = Promise.all(pipes.map(send));
  await meanwhile?.();
  await overlay.clock.run(done);
  await overlay.clock.runFor(50);
  const expected = sizes.map((size, i) => `${i}:${size}`);
  expect(got).toEqual([expected, expected]);
}

const mixed = (count: number): number[] => Array.from({ length: count }, (_, i) => (i % 17 === 0 ? 70_000 : 40 + i));

describe('two peers without a link', () => {
  test('find each other though one of them leases only after the other has asked for a pipe', async () => {
    const overlay = new Overlay(1, FAST);
    const relay = await startRelay(overlay, 'r');
    const a = await startClient(overlay, 'a', [relay]);
    const b = await startClient(overlay, 'b', []);
    overlay.clock.setTimer(700, () => {
      b.endpoint.want(relay.identity.id);
      overlay.relays.set(b.identity.id, [relay.identity.id]);
    });
    const [pipe] = await bindPair(overlay, a, b, 'secure');
    expect(pipe.path).toEqual({ via: relay.identity.id, type: 'relayed' });
  });

  test('hear that the other is unreachable, before the deadline, when the only relay brings no answer', async () => {
    const overlay = new Overlay(1, FAST);
    const relay = await startRelay(overlay, 'r', {}, { nextHop: () => new Promise(() => {}) });
    const a = await startClient(overlay, 'a', [relay]);
    const b = await startClient(overlay, 'b', [relay]);
    const init = { peer: b.identity.id, group: WORLD_GROUP, name: 'x', timeoutMs: 60_000 };
    expect(await overlay.clock.run(codeOf(a.pipes.connect(init)))).toBe('unreachable');
    expect(overlay.clock.monotonicMs()).toBeLessThan(12_000);
  });

  test.each(['secure', 'reliable'] as const)('talk over a relay (%s)', async (kind) => {
    const overlay = new Overlay(1, FAST);
    const relay = await startRelay(overlay, 'r');
    const a = await startClient(overlay, 'a', [relay]);
    const b = await startClient(overlay, 'b', [relay]);
    const pipes = await bindPair(overlay, a, b, kind);
    expect(pipes[0].path).toEqual({ via: relay.identity.id, type: 'relayed' });
    expect(pipes[1].path).toEqual({ via: relay.identity.id, type: 'relayed' });
    expect(a.endpoint.linkTo(b.identity.id)).toBeUndefined();
    await exchange(overlay, pipes, mixed(300));
    await overlay.clock.run(pipes[0].close());
    expect(await overlay.clock.run(pipes[1].closed)).toBeUndefined();
    await overlay.clock.runFor(5_000);
    expect(relay.forwarder.status()['relayed pipes']).toMatchObject({ used: 0 });
    expect(relay.pipes.status()['pipe channels of one link']).toMatchObject({ used: 0 });
  });

  test('ask and answer, and send unacknowledged messages', async () => {
    const overlay = new Overlay(1, FAST);
    const relay = await startRelay(overlay, 'r');
    const a = await startClient(overlay, 'a', [relay]);
    const b = await startClient(overlay, 'b', [relay]);
    b.pipes.serve({ group: WORLD_GROUP, name: 'echo' }, async (body) => body);
    const requester = await overlay.clock.run(
      a.pipes.requester({ peer: b.identity.id, group: WORLD_GROUP, name: 'echo' }),
    );
    expect(await overlay.clock.run(requester.request(numbered(7, 100_000)))).toEqual(numbered(7, 100_000));
    const [binder, acceptor] = await bindPair(overlay, a, b, 'unicast');
    const got: number[] = [];
    acceptor.receive((message) => void got.push(numberOf(message)));
    for (let i = 0; i < 10; i++) await overlay.clock.run(binder.send(numbered(i)));
    await overlay.clock.runFor(50);
    expect(got).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test.each(['mem', 'memd'] as const)('do so whatever the links lose (the far one: %s)', async (scheme) => {
    const overlay = new Overlay(3, { delayMs: 2, loss: 0.03 });
    const relay = await startRelay(overlay, 'r', { scheme: 'memd' });
    const a = await startClient(overlay, 'a', [relay]);
    if (scheme === 'mem') {
      await overlay.clock.run(relay.endpoint.listen('mem://r:2'));
      overlay.addresses.set(relay.identity.id, ['mem://r:2']);
    }
    const b = await startClient(overlay, 'b', [relay]);
    expect(linkBetween(b, relay).ordered).toBe(scheme === 'mem');
    await exchange(overlay, await bindPair(overlay, a, b, 'secure'), mixed(200));
  });

  test('reach a peer that the other hosts', async () => {
    const overlay = new Overlay(1, FAST);
    const hosted = overlay.identity('hosted');
    const relay = await startRelay(overlay, 'r');
    const a = await startClient(overlay, 'a', [relay]);
    const find = (peer: string) => (peer === hosted.id ? hosted : undefined);
    const b = await startClient(overlay, 'b', [relay], { hosted: { find } });
    overlay.hosts.set(hosted.id, b.identity.id);
    const pipes = await bindPair(overlay, a, b, 'secure', hosted);
    expect(pipes[1].localPeer).toBe(hosted.id);
    expect(pipes[0].path).toEqual({ via: relay.identity.id, type: 'relayed' });
    await exchange(overlay, pipes, mixed(50));
  });

  test('do so over the relays of both', async () => {
    const overlay = new Overlay(1, FAST);
    const [r1, r2] = [await startRelay(overlay, 'r1'), await startRelay(overlay, 'r2')];
    await overlay.clock.run(r1.endpoint.connect(r2.identity.id));
    const a = await startClient(overlay, 'a', [r1]);
    const b = await startClient(overlay, 'b', [r2]);
    // A cannot dial the relay of b.
    overlay.addresses.delete(r2.identity.id);
    const pipes = await bindPair(overlay, a, b, 'secure');
    expect(pipes[0].path?.via).toBe(r1.identity.id);
    expect(pipes[1].path?.via).toBe(r2.identity.id);
    await exchange(overlay, pipes, mixed(100));
  });

  test('cannot over more relays than four', async () => {
    const overlay = new Overlay(1, FAST);
    const relays = [];
    for (const name of ['r1', 'r2', 'r3', 'r4', 'r5']) relays.push(await startRelay(overlay, name));
    const [r1, r2, r3, r4, r5] = relays;
    if (!r1 || !r2 || !r3 || !r4 || !r5) throw new Error('no relays');
    for (const [near, far] of [[r1, r2] as const, [r2, r3] as const, [r3, r4] as const, [r4, r5] as const]) {
      await overlay.clock.run(near.endpoint.connect(far.identity.id));
      overlay.relays.set(near.identity.id, [far.identity.id]);
    }
    const a = await startClient(overlay, 'a', [r1]);
    const [near, far] = [await startClient(overlay, 'near', [r4]), await startClient(overlay, 'far', [r5])];
    for (const relay of [r2, r3, r4, r5]) overlay.addresses.delete(relay.identity.id);
    await exchange(overlay, await bindPair(overlay, a, near, 'secure'), [10]);
    const connecting = a.pipes.connect({ peer: far.identity.id, group: WORLD_GROUP, name: 'x' });
    expect(await overlay.clock.run(codeOf(connecting))).toBe('refused');
  });
});

describe('a relayed pipe', () => {
  test('shows the relay nothing of what it carries', async () => {
    const overlay = new Overlay(1, FAST);
    const relay = await startRelay(overlay, 'r');
    const a = await startClient(overlay, 'a', [relay]);
    const b = await startClient(overlay, 'b', [relay]);
    const pipes = await bindPair(overlay, a, b, 'reliable');
    const seen: string[] = [];
    const link = linkBetween(relay, b);
    const queueData = link.queueData.bind(link);
    link.queueData = (channel, payload, sequence, more) => {
      seen.push(new TextDecoder('latin1').decode(payload));
      return queueData(channel, payload, sequence, more);
    };
    const plain = 'the boiler is at 71 degrees';
    const got = pipes[1][Symbol.asyncIterator]().next();
    await overlay.clock.run(pipes[0].send(new TextEncoder().encode(plain)));
    expect(new TextDecoder().decode((await overlay.clock.run(got)).value)).toBe(plain);
    expect(seen.length).toBeGreaterThan(0);
    for (const text of seen) expect(text).not.toContain('boiler');
  });

  test('goes on over another relay when the first dies, byte for byte', async () => {
    const overlay = new Overlay(1, { delayMs: 2, bytesPerSecond: 4_000_000 });
    const [r1, r2] = [await startRelay(overlay, 'r1'), await startRelay(overlay, 'r2')];
    const a = await startClient(overlay, 'a', [r1, r2]);
    const b = await startClient(overlay, 'b', [r1, r2]);
    const pipes = await bindPair(overlay, a, b, 'secure');
    expect(pipes[0].path?.via).toBe(r1.identity.id);
    await exchange(overlay, pipes, mixed(400), async () => {
      await overlay.clock.runFor(40);
      overlay.addresses.delete(r1.identity.id);
      cutLinks(r1);
    });
    expect(pipes[0].path).toEqual({ via: r2.identity.id, type: 'relayed' });
  });

  test('goes on when only the far link of the relay dies', async () => {
    const overlay = new Overlay(1, { delayMs: 2, bytesPerSecond: 4_000_000 });
    const [r1, r2] = [await startRelay(overlay, 'r1'), await startRelay(overlay, 'r2')];
    const a = await startClient(overlay, 'a', [r1, r2]);
    const b = await startClient(overlay, 'b', [r1, r2]);
    const pipes = await bindPair(overlay, a, b, 'secure');
    await exchange(overlay, pipes, mixed(400), async () => {
      await overlay.clock.runFor(40);
      overlay.addresses.delete(r1.identity.id);
      linkBetween(b, r1).close('done', '');
    });
    expect(pipes[0].path).toEqual({ via: r2.identity.id, type: 'relayed' });
  });

  test.each([1, 2, 3])('moves to a direct link that comes up, and back when it goes (seed %i)', async (seed) => {
    const overlay = new Overlay(seed, { delayMs: 2, bytesPerSecond: 4_000_000 });
    const relay = await startRelay(overlay, 'r');
    const a = await startClient(overlay, 'a', [relay]);
    const b = await startClient(overlay, 'b', [relay]);
    const pipes = await bindPair(overlay, a, b, 'secure');
    await exchange(overlay, pipes, mixed(600), async () => {
      await overlay.clock.runFor(30 + seed);
      makeReachable(overlay, b);
      a.endpoint.hint(b.identity.id);
      const go = (type: string) => () => pipes.every(({ path }) => path?.type === type);
      await overlay.clock.runUntil(go('direct'), 1_000);
      await separate(overlay, a, b);
      await overlay.clock.runUntil(go('relayed'), 1_000);
    });
  });

  test('moves although what passes over the relay overtakes the direct link', async () => {
    const overlay = new Overlay(1, { delayMs: 1 });
    const relay = await startRelay(overlay, 'r');
    const a = await startClient(overlay, 'a', [relay]);
    const b = await startClient(overlay, 'b', [relay]);
    const pipes = await bindPair(overlay, a, b, 'secure');
    overlay.network.setConditionsBetween('a', 'b', { delayMs: 120 });
    const got = pipes.map((pipe) => {
      const log: number[] = [];
      pipe.receive((message) => void log.push(numberOf(message)));
      return log;
    });
    const expected = Array.from({ length: 2_000 }, (_, i) => i);
    const speak = (i: number): void => {
      for (const pipe of pipes) expect(pipe.trySend(numbered(i))).toBe(true);
      if (i + 1 < expected.length) overlay.clock.setTimer(1, () => speak(i + 1));
    };
    speak(0);
    makeReachable(overlay, b);
    a.endpoint.hint(b.identity.id);
    await overlay.clock.runUntil(() => pipes.every(({ path }) => path?.type === 'direct'), 1_500);
    await overlay.clock.runFor(3_000);
    expect(got).toEqual([expected, expected]);
  });

  test('begins over a direct link with a session of its own when the other has relays, and can so move', async () => {
    const overlay = new Overlay(1, FAST);
    const relay = await startRelay(overlay, 'r');
    const a = await startClient(overlay, 'a', [relay]);
    const b = await startClient(overlay, 'b', [relay]);
    makeReachable(overlay, b);
    const pipes = await bindPair(overlay, a, b, 'secure');
    expect(pipes[0].path?.type).toBe('direct');
    await separate(overlay, a, b);
    await overlay.clock.runUntil(() => pipes[0].path?.type === 'relayed', 5_000);
    await exchange(overlay, pipes, [10]);
  });

  test('is bound although another target of the same binder never answers', async () => {
    const overlay = new Overlay(1, FAST);
    const relay = await startRelay(overlay, 'r');
    const a = await startClient(overlay, 'a', [relay]);
    const b = await startClient(overlay, 'b', [relay]);
    const mute = await RawPeer.dial(overlay, 'mute', relay);
    const { id } = overlay.identity('mute');
    overlay.relays.set(id, [relay.identity.id]);
    const attempts = Array.from({ length: 80 }, () =>
      codeOf(a.pipes.connect({ peer: id, group: WORLD_GROUP, name: 'x', timeoutMs: 1_000 })),
    );
    const codes = await overlay.clock.run(Promise.all(attempts));
    expect(codes.filter((code) => code === 'overloaded')).toHaveLength(16);
    expect(mute.frames.filter(({ type }) => type === FrameType.bind)).toHaveLength(64);
    await overlay.clock.runFor(20_000);
    await exchange(overlay, await bindPair(overlay, a, b, 'secure'), [10]);
  });

  test('is not forwarded in a group that the relay does not serve', async () => {
    const overlay = new Overlay(1, FAST);
    const forwarder = (clock: Clock) => new RelayForwarder({ clock });
    const relay = await overlay.peer('r', { forwarder });
    const a = await startClient(overlay, 'a', [relay]);
    const b = await startClient(overlay, 'b', [relay]);
    const connecting = a.pipes.connect({ peer: b.identity.id, group: WORLD_GROUP, name: 'x' });
    expect(await overlay.clock.run(codeOf(connecting))).toBe('unreachable');
    expect(relay.pipes.status()['pipe channels of one link']).toMatchObject({ used: 0 });
  });

  test('ends at a relay when its neighbour is no member any more, and goes on elsewhere', async () => {
    const overlay = new Overlay(1, FAST);
    const [r1, r2] = [await startRelay(overlay, 'r1'), await startRelay(overlay, 'r2')];
    const a = await startClient(overlay, 'a', [r1, r2]);
    const b = await startClient(overlay, 'b', [r1, r2]);
    const pipes = await bindPair(overlay, a, b, 'secure');
    r1.forwarder.endOf(WORLD_GROUP, b.identity.id);
    await exchange(overlay, pipes, mixed(20));
    expect(pipes[0].path?.via).toBe(r2.identity.id);
    expect(r1.forwarder.status()['relayed pipes']).toMatchObject({ used: 0 });
  });

  test('is bound over another relay when the first does not forward', async () => {
    const overlay = new Overlay(1, FAST);
    const [r1, r2] = [await overlay.peer('r1'), await startRelay(overlay, 'r2')];
    const a = await startClient(overlay, 'a', [r1, r2]);
    const b = await startClient(overlay, 'b', [r1, r2]);
    const pipes = await bindPair(overlay, a, b, 'secure');
    expect(pipes[0].path?.via).toBe(r2.identity.id);
  });
});

describe('a relay that', () => {
  type Data = Parameters<Link['queueData']>;

  /** What a dishonest relay passes on to b instead of what came. */
  const HABITS: Record<string, (pass: (...data: Data) => boolean) => Link['queueData']> = {
    'drops everything': () => () => true,
    'drops every third frame': (pass) => {
      let count = 0;
      return (...data) => count++ % 3 === 0 || pass(...data);
    },
    'repeats every frame': (pass) => {
      return (...data) => {
        pass(...data);
        return pass(...data);
      };
    },
    'swaps frames': (pass) => {
      let held: Data | undefined;
      return (channel, payload, sequence, more) => {
        if (held === undefined) {
          held = [channel, payload.slice(), sequence, more];
          return true;
        }
        const [first, before, number, wasMore] = held;
        held = undefined;
        pass(channel, payload, sequence, more);
        return pass(first, before, number, wasMore);
      };
    },
    'renumbers frames': (pass) => (channel, payload, sequence, more) =>
      pass(channel, payload, sequence === undefined ? undefined : sequence ^ 1, more),
    'changes small frames': (pass) => (channel, payload, sequence, more) =>
      pass(
        channel,
        payload.map((byte, i) => (i === 0 ? byte ^ 1 : byte)),
        sequence,
        more,
      ),
  };

  test.each(Object.keys(HABITS))(
    '%s loses nothing for its clients, and is left within 5 s if nothing passes',
    async (habit) => {
      const overlay = new Overlay(1, FAST);
      const [r1, r2] = [await startRelay(overlay, 'r1'), await startRelay(overlay, 'r2')];
      const a = await startClient(overlay, 'a', [r1, r2]);
      const b = await startClient(overlay, 'b', [r1, r2]);
      const pipes = await bindPair(overlay, a, b, 'secure');
      const link = linkBetween(r1, b);
      const make = HABITS[habit];
      if (make === undefined) throw new Error('no such habit');
      link.queueData = make(link.queueData.bind(link));
      const startMs = overlay.clock.monotonicMs();
      await exchange(
        overlay,
        pipes,
        Array.from({ length: 50 }, (_, i) => 4 + i),
      );
      expect(overlay.clock.monotonicMs() - startMs).toBeLessThan(5_000);
    },
  );

  test('forges acknowledgements is not believed', async () => {
    const overlay = new Overlay(1, FAST);
    const relay = await startRelay(overlay, 'r');
    const a = await startClient(overlay, 'a', [relay]);
    const b = await startClient(overlay, 'b', [relay]);
    const [binder] = await bindPair(overlay, a, b, 'secure');
    await overlay.clock.run(binder.flush());
    // Nothing reaches b, and a hears that everything has.
    const [toB, toA] = [linkBetween(relay, b), linkBetween(relay, a)];
    toB.queueData = () => true;
    const queueFrame = toA.queueFrame.bind(toA);
    const channels = Array.from({ length: 32 }, (_, i) => i);
    await overlay.clock.run(binder.send(numbered(1)));
    for (const channel of channels) {
      queueFrame({ type: FrameType.ack, channel, next: 1, limit: 2 ** 40, ranges: [] });
      queueFrame({ type: FrameType.confirm, channel, session: new Uint8Array(40) });
    }
    await overlay.clock.runFor(500);
    expect(binder.bufferedBytes).toBeGreaterThan(0);
    expect(await codeOf(Promise.race([overlay.clock.run(binder.flush({ timeoutMs: 1_000 }))]))).toBe('timeout');
  });

  test('lets nothing pass to whoever only listens is left within 5 s', async () => {
    const overlay = new Overlay(1, FAST);
    const [r1, r2] = [await startRelay(overlay, 'r1'), await startRelay(overlay, 'r2')];
    const a = await startClient(overlay, 'a', [r1, r2]);
    const b = await startClient(overlay, 'b', [r1, r2]);
    const [listener, speaker] = await bindPair(overlay, a, b, 'secure');
    const got: number[] = [];
    listener.receive((message) => void got.push(numberOf(message)));
    await overlay.clock.run(speaker.send(numbered(1)));
    await overlay.clock.runFor(100);
    const link = linkBetween(r1, a);
    link.queueData = () => true;
    link.queueFrame = () => true;
    await overlay.clock.run(speaker.send(numbered(2)));
    await overlay.clock.runUntil(() => got.length === 2, 5_000);
    expect(listener.path?.via).toBe(r2.identity.id);
  });

  test('is left in peace while the pipe is idle', async () => {
    const overlay = new Overlay(1, FAST);
    const relay = await startRelay(overlay, 'r');
    const a = await startClient(overlay, 'a', [relay]);
    const b = await startClient(overlay, 'b', [relay]);
    const pipes = await bindPair(overlay, a, b, 'secure');
    await overlay.clock.runFor(60_000);
    const link = linkBetween(relay, b);
    let frames = 0;
    const queueFrame = link.queueFrame.bind(link);
    link.queueFrame = (frame) => {
      if (frame.type === FrameType.confirm) frames++;
      return queueFrame(frame);
    };
    await overlay.clock.runFor(600_000);
    expect(frames).toBeLessThanOrEqual(31);
    expect(frames).toBeGreaterThan(25);
    await exchange(overlay, pipes, [10]);
    expect(pipes[0].path?.type).toBe('relayed');
  });

  test('says that a pipe has ended is not believed', async () => {
    const overlay = new Overlay(1, FAST);
    const [r1, r2] = [await startRelay(overlay, 'r1'), await startRelay(overlay, 'r2')];
    const a = await startClient(overlay, 'a', [r1, r2]);
    const b = await startClient(overlay, 'b', [r1, r2]);
    const pipes = await bindPair(overlay, a, b, 'secure');
    for (const end of [a, b]) {
      const link = linkBetween(r1, end);
      for (let channel = 0; channel < 8; channel++) {
        link.queueFrame({ type: FrameType.unbind, channel, code: end === a ? 'done' : 'refused', reason: '' });
      }
    }
    await exchange(overlay, pipes, mixed(50));
    expect(pipes[0].path).toEqual({ via: r2.identity.id, type: 'relayed' });
  });

  test('repeats an old acknowledgement changes nothing', async () => {
    const overlay = new Overlay(1, FAST);
    const relay = await startRelay(overlay, 'r');
    const a = await startClient(overlay, 'a', [relay]);
    const b = await startClient(overlay, 'b', [relay]);
    const pipes = await bindPair(overlay, a, b, 'secure');
    const toA = linkBetween(relay, a);
    const queueFrame = toA.queueFrame.bind(toA);
    let repeated = 0;
    const old: Parameters<Link['queueFrame']>[0][] = [];
    toA.queueFrame = (frame) => {
      if (frame.type === FrameType.confirm) {
        old.push(frame);
        for (const again of old) {
          repeated++;
          queueFrame(again);
        }
        return true;
      }
      return queueFrame(frame);
    };
    await exchange(overlay, pipes, mixed(600));
    expect(repeated).toBeGreaterThan(3);
  });
});

describe('the readers of one relay', () => {
  test('are slowed by none that is frozen', async () => {
    const overlay = new Overlay(1, { delayMs: 2, bytesPerSecond: 2_000_000 });
    const relay = await startRelay(overlay, 'r');
    const a = await startClient(overlay, 'a', [relay]);
    const slow = await startClient(overlay, 'slow', [relay]);
    const fast = await startClient(overlay, 'fast', [relay]);
    const [toSlow] = await bindPair(overlay, a, slow, 'secure');
    const pipes = await bindPair(overlay, a, fast, 'secure');
    // The relay cannot write to the slow one any more.
    const link = linkBetween(relay, slow);
    const channels = relay.pipes;
    link.queueData = () => false;
    let taken = 0;
    while (toSlow.trySend(new Uint8Array(30_000))) taken++;
    expect(taken).toBeGreaterThan(10);
    await exchange(overlay, pipes, mixed(300));
    const status = relay.forwarder.status();
    expect(status['relayed bytes waiting']?.used).toBeLessThanOrEqual(262_144);
    expect(channels.status().pipes).toMatchObject({ used: 0 });
  });

  test('that do not read are not read ahead for by the relay', async () => {
    const overlay = new Overlay(1, FAST);
    const relay = await startRelay(overlay, 'r');
    const a = await startClient(overlay, 'a', [relay]);
    const b = await startClient(overlay, 'b', [relay]);
    const [binder] = await bindPair(overlay, a, b, 'secure');
    const sending = codeOf(
      (async () => {
        for (;;) await binder.send(new Uint8Array(50_000), { timeoutMs: 5_000 });
      })(),
    );
    expect(await overlay.clock.run(sending)).toBe('timeout');
    expect(relay.forwarder.status()['relayed bytes waiting']).toMatchObject({ used: 0 });
    expect(b.pipes.status()['pipe unread bytes of one pipe']?.used).toBeLessThanOrEqual(1_048_576);
  });
});
