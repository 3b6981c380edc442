import { seededRandom } from '@pipevine/transports';
import { describe, expect, test } from 'vitest';
import { WORLD_GROUP } from '../id/group-id.ts';
import type { Identity } from '../id/identity.ts';
import type { Pipe } from './pipe.ts';
import { bindPair, codeOf, cutLinks, numbered, numberOf, Overlay, type TestPeer } from './testing/overlay.ts';
import { RawPeer } from './testing/raw-peer.ts';

/** Slow enough that the links die in the middle of it. */
const SLOW = { delayMs: 2, bytesPerSecond: 4_000_000, cutting: 0.3 };

/** Sends numbered messages of various lengths both ways while the links are cut again and again. */
async function exchange(
  overlay: Overlay,
  a: TestPeer,
  b: TestPeer,
  pipes: readonly [Pipe, Pipe],
  seed: number,
): Promise<void> {
  const random = seededRandom(seed);
  const lengths = Array.from({ length: 400 }, () =>
    random.fraction() < 0.05 ? 4 + random.integer(90_000) : 4 + random.integer(300),
  );
  const expected = lengths.map((length, i) => `${i}:${length}`);
  const send = async (pipe: Pipe): Promise<void> => {
    for (const [i, length] of lengths.entries()) await pipe.send(numbered(i, length), { timeoutMs: 600_000 });
    await pipe.flush({ timeoutMs: 600_000 });
  };
  const logs = pipes.map((pipe) => {
    const log: string[] = [];
    pipe.receive((message) => void log.push(`${numberOf(message)}:${message.length}`));
    return log;
  });
  let sending = true;
  const done = Promise.all(pipes.map(send)).finally(() => {
    sending = false;
  });
  let cuts = 0;
  const cut = (): void => {
    if (!sending) return;
    cuts++;
    cutLinks(random.fraction() < 0.5 ? a : b);
    // A link that dies young is not dialled again at once.
    a.endpoint.hint(b.identity.id);
    overlay.clock.setTimer(random.integer(400), cut);
  };
  overlay.clock.setTimer(random.integer(100), cut);
  await overlay.clock.run(done);
  expect(cuts).toBeGreaterThan(3);
  expect(logs).toEqual([expected, expected]);
}

function hosting(overlay: Overlay): { hosted: Identity; find: (peer: string) => Identity | undefined } {
  const hosted = overlay.identity('hosted');
  return { hosted, find: (peer) => (peer === hosted.id ? hosted : undefined) };
}

describe('a reliable pipe', () => {
  test.each([1, 2, 3, 4, 5])('is byte-exact both ways while its links die (seed %i)', async (seed) => {
    const overlay = new Overlay(seed, SLOW);
    const a = await overlay.peer('a');
    const b = await overlay.peer('b');
    await exchange(overlay, a, b, await bindPair(overlay, a, b, 'reliable'), seed);
  });

  test.each([1, 2, 3, 4, 5])('is so with a session of its own (seed %i)', async (seed) => {
    const overlay = new Overlay(seed, SLOW);
    const { hosted, find } = hosting(overlay);
    const a = await overlay.peer('a');
    const b = await overlay.peer('b', { hosted: { find } });
    overlay.hosts.set(hosted.id, b.identity.id);
    await exchange(overlay, a, b, await bindPair(overlay, a, b, 'secure', hosted), seed);
  });

  test('goes on when an attempt to resume it was overtaken by a later one', async () => {
    const overlay = new Overlay(1);
    const { hosted, find } = hosting(overlay);
    const a = await overlay.peer('a');
    const b = await overlay.peer('b', { hosted: { find } });
    overlay.hosts.set(hosted.id, b.identity.id);
    const [atA, atB] = await bindPair(overlay, a, b, 'secure', hosted);
    const got: number[] = [];
    atB.receive((message) => void got.push(numberOf(message)));
    // As if the second attempt had come by a quicker way than the first, which is under way still.
    (atB as unknown as { bindCounter: number }).bindCounter = 1;
    cutLinks(a);
    atA.trySend(numbered(5));
    await overlay.clock.run(atA.flush());
    expect(got).toEqual([5]);
  });

  test.each([1, 2])('goes on over a link whose frames are smaller, and back (seed %i)', async (seed) => {
    const overlay = new Overlay(seed, { delayMs: 2 });
    const { hosted, find } = hosting(overlay);
    const a = await overlay.peer('a');
    const b = await overlay.peer('b', { hosted: { find } });
    await overlay.clock.run(b.endpoint.listen('memd://b:2'));
    overlay.hosts.set(hosted.id, b.identity.id);
    for (const target of [hosted, b.identity]) {
      const [atA, atB] = await bindPair(overlay, a, b, 'secure', target);
      const got: number[] = [];
      atB.receive((message) => void got.push(numberOf(message) + message.length));
      const sizes = Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? 60_000 : 40));
      const send = async (): Promise<void> => {
        for (const [i, size] of sizes.entries()) await atA.send(numbered(i, size), { timeoutMs: 600_000 });
        await atA.flush({ timeoutMs: 600_000 });
      };
      const done = send();
      for (const address of ['memd://b:2', 'mem://b:1', 'memd://b:2']) {
        await overlay.clock.runFor(3);
        overlay.addresses.set(b.identity.id, [address]);
        await overlay.clock.run(a.endpoint.dial(address));
        await overlay.clock.runFor(30);
      }
      await overlay.clock.run(done);
      expect(got).toEqual(sizes.map((size, i) => i + size));
    }
  });

  test.each([false, true])(
    'is bound although the link dies at any moment of binding (session of its own: %s)',
    async (own) => {
      for (let cutAtMs = 0; cutAtMs < 14; cutAtMs += 0.5) {
        const overlay = new Overlay(`cut ${cutAtMs}`);
        const { hosted, find } = hosting(overlay);
        const a = await overlay.peer('a');
        const b = await overlay.peer('b', { hosted: { find } });
        const target = own ? hosted : b.identity;
        overlay.hosts.set(hosted.id, b.identity.id);
        const accepted: Pipe[] = [];
        b.pipes.listen({ group: WORLD_GROUP, name: 'test', scope: own ? 'hosted' : 'own' }, (pipe) =>
          accepted.push(pipe),
        );
        await overlay.clock.run(a.endpoint.connect(b.identity.id));
        const connecting = a.pipes.connect({ peer: target.id, group: WORLD_GROUP, name: 'test' });
        overlay.clock.setTimer(cutAtMs, () => cutLinks(a));
        const pipe = await overlay.clock.run(connecting);
        pipe.trySend(numbered(7));
        await overlay.clock.run(pipe.flush());
        const got: number[] = [];
        for (const end of accepted) end.receive((message) => void got.push(numberOf(message)));
        expect(got).toEqual([7]);
        if (!own) expect(accepted.length).toBe(1);
      }
    },
  );

  test('is closed with a clear error when the other process restarted', async () => {
    const overlay = new Overlay();
    const { hosted, find } = hosting(overlay);
    const a = await overlay.peer('a');
    let b = await overlay.peer('b', { hosted: { find } });
    overlay.hosts.set(hosted.id, b.identity.id);
    const [underLink] = await bindPair(overlay, a, b, 'secure');
    const [withSession] = await bindPair(overlay, a, b, 'secure', hosted);
    b.process.crash();
    await overlay.clock.runFor(100);
    expect(underLink.connected).toBe(false);
    b = await overlay.peer('b', { hosted: { find } });
    for (const pipe of [underLink, withSession]) {
      const error = await overlay.clock.run(pipe.closed);
      expect([error?.code, error?.message]).toEqual(['closed', expect.stringContaining('restarted')]);
    }
  });

  test('gives up when no new link comes in time, and says so', async () => {
    const overlay = new Overlay();
    const a = await overlay.peer('a', { pipeLimits: { resumeTimeoutMs: 5_000 } });
    const b = await overlay.peer('b');
    const [atA] = await bindPair(overlay, a, b, 'secure');
    b.process.crash();
    const waiting = codeOf(atA.send(numbered(1)).then(() => atA.flush()));
    expect((await overlay.clock.run(atA.closed))?.code).toBe('timeout');
    expect(await overlay.clock.run(waiting)).toBe('timeout');
    expect(atA.trySend(numbered(2))).toBe(false);
  });
});

describe('a pipe cannot be taken over', () => {
  test('by a peer that binds its id over another link', async () => {
    const overlay = new Overlay();
    const { hosted, find } = hosting(overlay);
    const a = await overlay.peer('a');
    const b = await overlay.peer('b', { hosted: { find } });
    overlay.hosts.set(hosted.id, b.identity.id);
    const pipes = [await bindPair(overlay, a, b, 'secure'), await bindPair(overlay, a, b, 'secure', hosted)];
    const mallory = await RawPeer.dial(overlay, 'mallory', b);
    for (const [atA, atB] of pipes) {
      const { id } = atA as unknown as { id: Uint8Array }; // A pipe end has its id on the wire.
      const security = atB.localPeer === hosted.id ? 1 : 0;
      const base = mallory.bindFrame({
        pipe: id,
        target: atB.localPeer,
        source: atA.localPeer,
        name: atA.name,
        security,
      });
      const forged = new Uint8Array(41).fill(9);
      forged[0] = 1;
      const attempts = [
        { ...base, session: new Uint8Array([1]) },
        { ...base, session: forged },
        { ...base, session: new Uint8Array(0) },
        { ...base, session: new Uint8Array(33) },
        { ...base, source: mallory.idBytes, session: new Uint8Array([1]) },
        { ...base, source: mallory.idBytes, session: new Uint8Array(0) },
      ];
      for (const frame of attempts) {
        const answer = await mallory.ask(frame);
        expect(answer).toMatch(/^unbind (refused|forged|protocol|malformed|not-found)$/);
      }
      expect(atB.connected).toBe(true);
      const got: number[] = [];
      atB.receive((message) => void got.push(numberOf(message)));
      atA.trySend(numbered(5));
      await overlay.clock.run(atA.flush());
      expect(got).toEqual([5]);
    }
  });
});
