import type { MemoryProcess } from '@pipevine/transports';
import { describe, expect, test } from 'vitest';
import { WORLD_GROUP } from '../id/group-id.ts';
import { bindPair, codeOf, cutLinks, numbered, numberOf, Overlay, type TestPeer } from '../pipe/testing/overlay.ts';

/** Names of two peers, the one with the smaller id first. */
function ordered(overlay: Overlay): [string, string] {
  const bytes = (name: string) => Buffer.from(overlay.identity(name).signing.publicKey);
  return Buffer.compare(bytes('a'), bytes('b')) < 0 ? ['a', 'b'] : ['b', 'a'];
}

/** Streams of a process that are open. */
function streams(process: MemoryProcess): number {
  return process.streams.size;
}

function linkCounts(...peers: TestPeer[]): number[] {
  return peers.map((peer) => peer.endpoint.counters.links);
}

describe('an endpoint', () => {
  test('has one link to a neighbour, however many ask for it at once', async () => {
    const overlay = new Overlay();
    const a = await overlay.peer('a');
    const b = await overlay.peer('b');
    const links = await overlay.clock.run(
      Promise.all(Array.from({ length: 5 }, () => a.endpoint.connect(b.identity.id))),
    );
    expect(new Set(links).size).toBe(1);
    await overlay.clock.runFor(100);
    expect(linkCounts(a, b)).toEqual([1, 1]);
    expect(b.endpoint.linkTo(a.identity.id)?.dialled).toBe(false);
  });

  test('refuses another peer behind an address', async () => {
    const overlay = new Overlay();
    const a = await overlay.peer('a');
    const b = await overlay.peer('b');
    const c = overlay.identity('c');
    overlay.addresses.set(c.id, overlay.addresses.get(b.identity.id) ?? []);
    expect(await overlay.clock.run(codeOf(a.endpoint.connect(c.id)))).toBe('wrong-peer');
    expect(a.endpoint.attempts(c.id)).toMatchObject([{ address: 'mem://b:1', outcome: 'wrong-peer', failures: 1 }]);
  });

  test('reaches a peer at its second address when the first is dead', async () => {
    const overlay = new Overlay();
    const a = await overlay.peer('a');
    const b = await overlay.peer('b');
    overlay.network.host('silent');
    overlay.addresses.set(b.identity.id, ['mem://silent:1', 'mem://b:1']);
    const link = await overlay.clock.run(a.endpoint.connect(b.identity.id));
    expect(link.remoteAddress).toBe('mem://b:1');
    expect(overlay.clock.monotonicMs()).toBeLessThan(1_000);
  });

  test('does not hammer an address that failed', async () => {
    const overlay = new Overlay();
    const a = await overlay.peer('a');
    const peer = overlay.identity('nobody');
    overlay.addresses.set(peer.id, ['mem://nobody:1']);
    for (let i = 0; i < 200; i++) {
      await overlay.clock.run(codeOf(a.endpoint.connect(peer.id, { timeoutMs: 50 })));
      await overlay.clock.runFor(50);
    }
    const [attempt] = a.endpoint.attempts(peer.id);
    expect(attempt?.failures).toBeGreaterThan(3);
    expect(attempt?.failures).toBeLessThan(12);
  });

  test.each(Array.from({ length: 12 }, (_, i) => i * 0.7))(
    'keeps exactly one link of a simultaneous dial, the same at both sides (second dial %f ms later)',
    async (laterMs) => {
      const overlay = new Overlay(`dial ${laterMs}`, { jitterMs: 2 });
      const [small, large] = ordered(overlay);
      const a = await overlay.peer(small);
      const b = await overlay.peer(large);
      const first = codeOf(a.endpoint.connect(b.identity.id));
      await overlay.clock.runFor(laterMs);
      const second = codeOf(b.endpoint.connect(a.identity.id));
      expect(await overlay.clock.run(Promise.all([first, second]))).toEqual(['none', 'none']);
      await overlay.clock.runFor(20_000);
      expect(linkCounts(a, b)).toEqual([1, 1]);
      expect([streams(a.process), streams(b.process)]).toEqual([1, 1]);
      expect(a.endpoint.linkTo(b.identity.id)?.dialled).toBe(!b.endpoint.linkTo(a.identity.id)?.dialled);
    },
  );

  test.each(['mem', 'memd'] as const)(
    'has a link that carries soon after a simultaneous dial (%s), whatever comes first',
    async (scheme) => {
      for (let seed = 0; seed < 60; seed++) {
        const overlay = new Overlay(`dial ${seed}`, { jitterMs: 3 });
        const a = await overlay.peer('a', { scheme });
        const b = await overlay.peer('b', { scheme });
        const dials = [codeOf(a.endpoint.connect(b.identity.id)), codeOf(b.endpoint.connect(a.identity.id))];
        expect(await overlay.clock.run(Promise.all(dials))).toEqual(['none', 'none']);
        const linkedMs = overlay.clock.monotonicMs();
        const [pipe] = await bindPair(overlay, a, b, 'secure');
        await overlay.clock.run(pipe.send(numbered(0)));
        await overlay.clock.run(pipe.flush());
        expect(overlay.clock.monotonicMs() - linkedMs).toBeLessThan(1_000);
        await overlay.clock.runFor(20_000);
        expect(linkCounts(a, b)).toEqual([1, 1]);
      }
    },
  );

  test('lets pipes of the link that lost go on over the one that won', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const overlay = new Overlay(seed, { jitterMs: 3 });
      const a = await overlay.peer('a');
      const b = await overlay.peer('b');
      const pairs = await Promise.all([bindPairLater(a, b), bindPairLater(b, a)]);
      await overlay.clock.runFor(5_000);
      expect(linkCounts(a, b)).toEqual([1, 1]);
      for (const { pipe, got } of pairs) {
        const bound = await overlay.clock.run(pipe);
        await overlay.clock.run(bound.flush());
        expect(got).toEqual([0, 1, 2, 3, 4]);
      }
    }
  });

  test('takes the link of a peer that restarted, at once, whoever had dialled', async () => {
    for (const restarted of [0, 1]) {
      for (const dialledBy of [0, 1]) {
        const overlay = new Overlay(`${restarted}${dialledBy}`);
        const names = ordered(overlay);
        const peers = [await overlay.peer(names[0]), await overlay.peer(names[1])];
        const [dialler, other] = dialledBy === 0 ? peers : [...peers].reverse();
        if (dialler === undefined || other === undefined) throw new Error('two peers');
        await overlay.clock.run(dialler.endpoint.connect(other.identity.id));
        const stays = peers[1 - restarted];
        const goes = peers[restarted];
        if (stays === undefined || goes === undefined) throw new Error('two peers');
        await overlay.clock.runFor(60_000);
        // The power fails: nobody tells the other side.
        overlay.network.host(goes.name).losePower();
        await overlay.clock.runFor(1_000);
        expect(stays.endpoint.linkTo(goes.identity.id)).toBeDefined();
        const again = await overlay.peer(goes.name);
        await overlay.clock.run(again.endpoint.connect(stays.identity.id));
        await overlay.clock.runFor(2_000);
        expect(linkCounts(stays, again)).toEqual([1, 1]);
        const [pipe] = await bindPair(overlay, stays, again, 'secure');
        pipe.trySend(numbered(1));
        await overlay.clock.run(pipe.flush({ timeoutMs: 1_000 }));
      }
    }
  });

  test('heals a wanted link for ever, and stops when it is released', async () => {
    const overlay = new Overlay();
    const a = await overlay.peer('a');
    let b = await overlay.peer('b');
    const want = a.endpoint.want(b.identity.id);
    const seed = a.endpoint.want('mem://b:1');
    const isLinked = () => a.endpoint.linkTo(b.identity.id) !== undefined;
    await overlay.clock.runUntil(isLinked, 1_000);
    for (const awayMs of [100, 5_000, 600_000]) {
      b.process.crash();
      await overlay.clock.runFor(awayMs);
      expect(isLinked()).toBe(false);
      b = await overlay.peer('b');
      await overlay.clock.runUntil(isLinked, 31_000);
      await overlay.clock.runFor(20_000);
    }
    want.release();
    seed.release();
    cutLinks(a);
    await overlay.clock.runFor(600_000);
    expect(isLinked()).toBe(false);
  });

  test('dials a wanted peer at once when it hears of it', async () => {
    const overlay = new Overlay();
    const a = await overlay.peer('a');
    const peer = overlay.identity('late');
    a.endpoint.want(peer.id);
    await overlay.clock.runFor(300_000);
    await overlay.peer('late');
    a.endpoint.hint(peer.id);
    await overlay.clock.runUntil(() => a.endpoint.linkTo(peer.id) !== undefined, 100);
  });

  test('bounds half-open handshakes from one host and in all, and says so', async () => {
    const overlay = new Overlay();
    const b = await overlay.peer('b');
    const dial = async (name: string, count: number): Promise<void> => {
      const process = overlay.network.boot(name);
      for (let i = 0; i < count; i++)
        await overlay.clock.run(process.transports[0]?.dial('mem://b:1') ?? Promise.reject());
    };
    await dial('flood', 30);
    await overlay.clock.runFor(10);
    expect(b.endpoint.counters).toMatchObject({ halfOpen: 8, refusedHandshakes: 22 });
    for (let i = 0; i < 20; i++) await dial(`flood${i}`, 8);
    await overlay.clock.runFor(10);
    expect(b.endpoint.counters.halfOpen).toBe(64);
    // Silent strangers are gone after the deadline, and then others get in.
    await overlay.clock.runFor(6_000);
    const a = await overlay.peer('a');
    await overlay.clock.run(a.endpoint.connect(b.identity.id));
  });

  test('refuses strangers beyond its links, but not whom it wants', async () => {
    const overlay = new Overlay();
    const b = await overlay.peer('b', { endpointLimits: { maxLinks: 3 } });
    const peers = [];
    for (const name of ['p', 'q', 'r', 's', 'wanted']) peers.push(await overlay.peer(name));
    b.endpoint.want(peers[4]?.identity.id ?? b.identity.id);
    overlay.addresses.set(peers[4]?.identity.id ?? b.identity.id, []);
    for (const peer of peers) await overlay.clock.run(codeOf(peer.endpoint.connect(b.identity.id)));
    await overlay.clock.runFor(100);
    expect(b.endpoint.counters).toMatchObject({ links: 4, refusedLinks: 1 });
  });

  describe('whose link fell silent', () => {
    /** Two peers that listen for streams and packets, linked by the first of these; then the line is cut until that is dead. */
    async function cutOff(addresses: readonly string[], seeds: readonly string[] = [], seed = 1) {
      const overlay = new Overlay(seed);
      const a = await overlay.peer('a');
      const b = await overlay.peer('b');
      await overlay.clock.run(b.endpoint.listen('memd://b:1'));
      overlay.addresses.set(b.identity.id, [...addresses]);
      overlay.addresses.set(a.identity.id, []);
      const link = () => a.endpoint.linkTo(b.identity.id);
      for (const seed of seeds) a.endpoint.want(seed);
      if (seeds.length === 0) a.endpoint.want(b.identity.id);
      await overlay.clock.runUntil(() => link() !== undefined, 2_000);
      await overlay.clock.runFor(1_000);
      const cut = async () => {
        overlay.network.partition(['a'], ['b']);
        for (const end of [link(), b.endpoint.linkTo(a.identity.id)]) end?.doubt();
        await overlay.clock.runUntil(() => link() === undefined, 10_000);
        overlay.network.heal();
        await overlay.clock.runUntil(() => link() !== undefined, 40_000);
        await overlay.clock.runFor(5_000);
      };
      return { overlay, a, b, link, cut };
    }

    test('dials other transports first, and comes back to it when they do no better', async () => {
      const { link, cut } = await cutOff(['mem://b:1', 'memd://b:1']);
      expect(link()?.remoteAddress).toBe('mem://b:1');
      await cut();
      expect(link()?.remoteAddress).toBe('memd://b:1');
      await cut();
      expect(link()).toBeDefined();
    });

    test('dials it all the same when there is nothing else', async () => {
      const { link, cut } = await cutOff(['mem://b:1', 'nothing://b:1']);
      await cut();
      expect(link()?.remoteAddress).toBe('mem://b:1');
    });

    test.each([1, 2, 3, 4, 5, 6])('does so for seeds (seed %i)', async (seed) => {
      const { a, b, link, cut } = await cutOff([], ['mem://b:1', 'memd://b:1'], seed);
      const silent = link()?.remoteAddress;
      const last = () => a.endpoint.attempts(b.identity.id).find(({ address }) => address === silent)?.atMs;
      const dialledAtMs = last();
      await cut();
      expect(new Set([silent, link()?.remoteAddress])).toEqual(new Set(['mem://b:1', 'memd://b:1']));
      // The other one led to the same peer: there was no need to try.
      expect(last()).toBe(dialledAtMs);
    });

    test('keeps a link over another transport when one is made over that', async () => {
      const { overlay, a, b, link, cut } = await cutOff(['mem://b:1', 'memd://b:1']);
      await cut();
      const kept = link();
      expect(kept?.remoteAddress).toBe('memd://b:1');
      await overlay.clock.run(b.endpoint.dial('mem://a:1').catch(() => undefined));
      await overlay.clock.runFor(5_000);
      expect(link()).toBe(kept);
      expect(linkCounts(a, b)).toEqual([1, 1]);
    });
  });

  test('names the schemes that it can use when an address has another', async () => {
    const overlay = new Overlay();
    const a = await overlay.peer('a');
    await expect(a.endpoint.dial('tcp://a:1')).rejects.toMatchObject({
      code: 'invalid-address',
      message: expect.stringContaining('mem://'),
    });
    expect(() => a.endpoint.want('nonsense')).toThrow(expect.objectContaining({ code: 'invalid-address' }));
    expect(await overlay.clock.run(codeOf(a.endpoint.dial('mem://a:1')))).toBe('wrong-peer');
  });

  test('closes: its links, its listeners, and what waits', async () => {
    const overlay = new Overlay();
    const a = await overlay.peer('a');
    const b = await overlay.peer('b');
    await overlay.clock.run(a.endpoint.connect(b.identity.id));
    const silent = overlay.identity('silent');
    overlay.addresses.set(silent.id, ['mem://silent:1']);
    overlay.network.boot('silent');
    overlay.network.isolate('silent');
    const waiting = codeOf(a.endpoint.connect(silent.id));
    await overlay.clock.runFor(10);
    await overlay.clock.run(a.endpoint.close());
    expect(await overlay.clock.run(waiting)).toBe('closed');
    await overlay.clock.runFor(5_000);
    expect(linkCounts(a, b)).toEqual([0, 0]);
    expect(await codeOf(a.endpoint.connect(b.identity.id))).toBe('closed');
    expect(await overlay.clock.run(codeOf(b.endpoint.dial('mem://a:1')))).toBe('unreachable');
  });
});

/** Binds without a link yet, and sends five messages as soon as it can. */
function bindPairLater(from: TestPeer, to: TestPeer) {
  const got: number[] = [];
  to.pipes.listen({ group: WORLD_GROUP, name: `from ${from.name}` }, (pipe) =>
    pipe.receive((message) => void got.push(numberOf(message))),
  );
  const pipe = from.pipes.connect({ peer: to.identity.id, group: WORLD_GROUP, name: `from ${from.name}` });
  pipe.then((bound) => {
    for (let i = 0; i < 5; i++) bound.trySend(numbered(i));
  });
  return { pipe, got };
}
