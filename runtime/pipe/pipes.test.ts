import { describe, expect, test } from 'vitest';
import { PipevineError } from '../error/pipevine-error.ts';
import type { Credential, GroupAccess, GroupDirectory } from '../group/group-access.ts';
import { type GroupId, groupIdFromBytes, WORLD_GROUP } from '../id/group-id.ts';
import type { Identity } from '../id/identity.ts';
import type { PeerId } from '../id/peer-id.ts';
import type { Pipe } from './pipe.ts';
import { bindPair, codeOf, numbered, numberOf, Overlay } from './testing/overlay.ts';
import { RawPeer } from './testing/raw-peer.ts';

const HOME = groupIdFromBytes(new Uint8Array(32).fill(7));
const OTHER = groupIdFromBytes(new Uint8Array(32).fill(8));

/** A group in which a credential is the peer's id in text, and `revoked` ones are refused. */
function homeGroup(members: ReadonlySet<PeerId>, revoked = new Set<PeerId>(), guest?: PeerId): GroupDirectory {
  const access: GroupAccess = {
    group: HOME,
    credentialOf: (peer) => {
      if (!members.has(peer)) throw new PipevineError('refused', 'This peer is no member.');
      return new TextEncoder().encode(peer);
    },
    verify: (subject, encoded): Credential => {
      if (new TextDecoder().decode(encoded) !== subject)
        throw new PipevineError('refused', 'No credential of this peer.');
      if (revoked.has(subject)) throw new PipevineError('revoked', 'The membership was revoked.');
      const grant = { roles: subject === guest ? ['guest'] : ['member'], capabilities: [], version: 0, serial: 'x' };
      return { group: HOME, subject, ...grant, notBeforeMs: 0, notAfterMs: 1e15, encoded };
    },
  };
  return { access: (group: GroupId) => (group === HOME ? access : undefined) };
}

function hosting(...identities: Identity[]) {
  return { find: (peer: PeerId) => identities.find((identity) => identity.id === peer) };
}

describe('pipes', () => {
  test('carry messages both ways, in order, and end in good order', async () => {
    const overlay = new Overlay();
    const a = await overlay.peer('a');
    const b = await overlay.peer('b');
    const [atA, atB] = await bindPair(overlay, a, b, 'secure');
    expect([atA.localPeer, atA.remotePeer, atA.name, atA.kind]).toEqual([
      a.identity.id,
      b.identity.id,
      atB.name,
      'secure',
    ]);
    const echo: number[] = [];
    atB.receive((message) => void atB.trySend(message));
    atA.receive((message) => void echo.push(numberOf(message)));
    for (let i = 0; i < 1_000; i++) expect(atA.trySend(numbered(i))).toBe(true);
    await overlay.clock.run(atA.flush());
    await overlay.clock.run(atB.flush());
    expect(echo).toEqual([...Array(1_000).keys()]);
    await overlay.clock.run(atA.close());
    expect(await overlay.clock.run(atA.closed)).toBeUndefined();
    expect(await overlay.clock.run(atB.closed)).toBeUndefined();
    expect(atA.trySend(numbered(1))).toBe(false);
    expect(await codeOf(atB.send(numbered(1)))).toBe('closed');
    expect(a.pipes.status().pipes?.used).toBe(0);
  });

  test('to a hosted peer are end to end: the name is looked up among the hosted, and the peer proves itself', async () => {
    const overlay = new Overlay();
    const hosted = overlay.identity('lamp');
    const b = await overlay.peer('b', { hosted: hosting(hosted) });
    const a = await overlay.peer('a');
    overlay.hosts.set(hosted.id, b.identity.id);
    const [atA, atB] = await bindPair(overlay, a, b, 'secure', hosted);
    expect([atA.remotePeer, atB.localPeer]).toEqual([hosted.id, hosted.id]);
    const got: string[] = [];
    atB.receive((message) => void got.push(new TextDecoder().decode(message)));
    for (const text of ['', 'one', 'x'.repeat(70_000), 'two']) atA.trySend(new TextEncoder().encode(text));
    await overlay.clock.run(atA.flush());
    expect(got.map((text) => text.length)).toEqual([0, 3, 70_000, 3]);
  });

  test('from a hosted peer are bound in its name', async () => {
    const overlay = new Overlay();
    const hosted = overlay.identity('lamp');
    const a = await overlay.peer('a', { hosted: hosting(hosted) });
    const b = await overlay.peer('b');
    const accepted: Pipe[] = [];
    b.pipes.listen({ group: WORLD_GROUP, name: 'x' }, (pipe) => accepted.push(pipe));
    await overlay.clock.run(a.pipes.connect({ peer: b.identity.id, group: WORLD_GROUP, name: 'x', identity: hosted }));
    expect(accepted[0]?.remotePeer).toBe(hosted.id);
  });

  test('inside one process need no link: own peer and hosted ones', async () => {
    const overlay = new Overlay();
    const hosted = overlay.identity('lamp');
    const a = await overlay.peer('a', { hosted: hosting(hosted) });
    for (const target of [hosted, a.identity]) {
      const [left, right] = await bindPair(overlay, a, a, 'reliable', target);
      const got: number[] = [];
      right.receive((message) => void got.push(numberOf(message)));
      const send = async () => {
        for (let i = 0; i < 40; i++) await left.send(numbered(i, 100_000));
        await left.flush();
      };
      await overlay.clock.run(send());
      expect(got).toEqual([...Array(40).keys()]);
      expect(left.remotePeer).toBe(target.id);
      await overlay.clock.run(left.close());
      expect(await overlay.clock.run(right.closed)).toBeUndefined();
    }
    expect(a.endpoint.counters.links).toBe(0);
  });

  test('are refused by name, by kind, by an unknown peer', async () => {
    const overlay = new Overlay();
    const a = await overlay.peer('a');
    const b = await overlay.peer('b');
    b.pipes.listen({ group: WORLD_GROUP, name: 'only requests', kinds: ['request'] }, () => {});
    const connect = (init: object) =>
      overlay.clock.run(codeOf(a.pipes.connect({ peer: b.identity.id, group: WORLD_GROUP, name: 'nothing', ...init })));
    expect(await connect({})).toBe('not-found');
    expect(await connect({ name: 'only requests' })).toBe('not-found');
    expect(await connect({ name: 'only requests', kind: 'request' })).toBe('none');
    expect(await connect({ name: '' })).toBe('invalid-argument');
    expect(await connect({ name: 'é'.repeat(65) })).toBe('invalid-argument');
    expect(await connect({ peer: overlay.identity('nobody').id })).toBe('unreachable');
    const lamp = overlay.identity('lamp');
    overlay.hosts.set(lamp.id, b.identity.id);
    expect(await connect({ peer: lamp.id })).toBe('not-found');
    expect(() => b.pipes.listen({ group: WORLD_GROUP, name: 'only requests' }, () => {})).toThrow(
      expect.objectContaining({ code: 'busy' }),
    );
  });

  test('answer BIND with not-found again and again without keeping anything', async () => {
    const overlay = new Overlay();
    const b = await overlay.peer('b');
    const raw = await RawPeer.dial(overlay, 'raw', b);
    for (let i = 0; i < 3_000; i++) {
      raw.link.queueFrame(raw.bindFrame({ pipe: numbered(i, 16), target: b.identity.id, name: 'nothing' }));
      if (i % 500 === 0) await overlay.clock.runFor(5);
    }
    await overlay.clock.runFor(100);
    expect(raw.frames.length).toBe(3_000);
    expect(b.pipes.status()).toMatchObject({
      pipes: { used: 0, dropped: 3_000 },
      'pipe channels of one link': { used: 0 },
    });
  });
});

describe('a group', () => {
  test('is shown and checked on both sides, with and without a session of its own', async () => {
    const overlay = new Overlay();
    const hosted = overlay.identity('lamp');
    const groups = homeGroup(new Set(['a', 'b', 'lamp'].map((name) => overlay.identity(name).id)));
    const a = await overlay.peer('a', { groups });
    const b = await overlay.peer('b', { groups, hosted: hosting(hosted) });
    overlay.hosts.set(hosted.id, b.identity.id);
    for (const target of [b.identity, hosted]) {
      const accepted: Pipe[] = [];
      const scope = target === hosted ? 'hosted' : 'own';
      b.pipes.listen({ group: HOME, name: 'x', scope }, (pipe) => accepted.push(pipe));
      const pipe = await overlay.clock.run(a.pipes.connect({ peer: target.id, group: HOME, name: 'x' }));
      expect(pipe.credential?.subject).toBe(target.id);
      expect(accepted[0]?.credential?.subject).toBe(a.identity.id);
    }
  });

  test('keeps out who lacks the capability that the name asks for', async () => {
    const overlay = new Overlay();
    const hosted = overlay.identity('lamp');
    const everybody = new Set(['a', 'b', 'guest', 'lamp'].map((name) => overlay.identity(name).id));
    const guest = overlay.identity('guest').id;
    const groups = homeGroup(everybody, undefined, guest);
    const b = await overlay.peer('b', { groups, hosted: hosting(hosted) });
    overlay.hosts.set(hosted.id, b.identity.id);
    let accepted = 0;
    for (const scope of ['own', 'hosted'] as const) {
      b.pipes.listen({ group: HOME, name: 'x', scope, capability: 'invoke' }, () => accepted++);
    }
    const asGuest = await overlay.peer('guest', { groups });
    for (const target of [b.identity.id, hosted.id]) {
      const refused = overlay.clock.run(asGuest.pipes.connect({ peer: target, group: HOME, name: 'x' }));
      await expect(refused).rejects.toMatchObject({ code: 'refused', message: expect.stringContaining('"invoke"') });
    }
    expect(accepted).toBe(0);
    const a = await overlay.peer('a', { groups });
    await overlay.clock.run(a.pipes.connect({ peer: hosted.id, group: HOME, name: 'x' }));
    expect(accepted).toBe(1);
  });

  test("keeps out who is no member, who shows another one's credential, and who is of another group", async () => {
    const overlay = new Overlay();
    const hosted = overlay.identity('lamp');
    const everybody = new Set(['a', 'b', 'c', 'lamp'].map((name) => overlay.identity(name).id));
    const revoked = new Set<PeerId>();
    const groups = homeGroup(everybody, revoked);
    const b = await overlay.peer('b', { groups, hosted: hosting(hosted) });
    overlay.hosts.set(hosted.id, b.identity.id);
    for (const scope of ['own', 'hosted'] as const)
      b.pipes.listen({ group: HOME, name: 'x', scope }, () => expect.fail());
    const stranger = await overlay.peer('stranger', { groups: homeGroup(new Set()) });
    // Its credential is another member's.
    const thief = await overlay.peer('thief', {
      groups: {
        access: (group) => {
          const access = groups.access(group);
          return (
            access && {
              ...access,
              credentialOf: () => access.credentialOf(overlay.identity('a').id),
              verify: access.verify,
            }
          );
        },
      },
    });
    const member = await overlay.peer('c', { groups });
    revoked.add(member.identity.id);
    for (const target of [b.identity.id, hosted.id]) {
      const code = (peer: typeof b, group: GroupId) =>
        overlay.clock.run(codeOf(peer.pipes.connect({ peer: target, group, name: 'x' })));
      expect(await code(stranger, HOME)).toBe('refused');
      expect(await code(stranger, OTHER)).toBe('refused');
      expect(await code(thief, HOME)).toBe('refused');
      expect(await code(member, HOME)).toBe('revoked');
    }
    expect(b.pipes.status().pipes?.used).toBe(0);
  });

  test('whose member was revoked loses its pipes at the next check', async () => {
    const overlay = new Overlay();
    const revoked = new Set<PeerId>();
    const groups = homeGroup(new Set(['a', 'b'].map((name) => overlay.identity(name).id)), revoked);
    const a = await overlay.peer('a', { groups });
    const b = await overlay.peer('b', { groups });
    b.pipes.listen({ group: HOME, name: 'x' }, () => {});
    const pipe = await overlay.clock.run(a.pipes.connect({ peer: b.identity.id, group: HOME, name: 'x' }));
    b.pipes.recheck(HOME);
    await overlay.clock.runFor(100);
    expect(pipe.connected).toBe(true);
    revoked.add(a.identity.id);
    b.pipes.recheck(HOME);
    expect((await overlay.clock.run(pipe.closed))?.code).toBe('revoked');
  });
});

describe('flow control', () => {
  test('holds back the sender of a slow reader, and nobody else', async () => {
    const overlay = new Overlay();
    const limits = { pipeLimits: { windowBytes: 10_000, sendBufferBytes: 20_000 } };
    const a = await overlay.peer('a', limits);
    const b = await overlay.peer('b', limits);
    const [slow, slowEnd] = await bindPair(overlay, a, b, 'secure');
    const [fast, fastEnd] = await bindPair(overlay, a, b, 'secure');
    let fastCount = 0;
    fastEnd.receive(() => void fastCount++);
    let sent = 0;
    while (slow.trySend(numbered(sent, 100))) sent++;
    await overlay.clock.runFor(1_000);
    while (slow.trySend(numbered(sent, 100))) sent++;
    expect(sent).toBeLessThan(300);
    const all = async () => {
      for (let i = 0; i < 5_000; i++) await fast.send(numbered(i, 100));
      await fast.flush();
    };
    await overlay.clock.run(all());
    expect(fastCount).toBe(5_000);
    expect(b.pipes.status()['pipe unread bytes of one pipe']?.used).toBeLessThanOrEqual(10_000);
    expect(await overlay.clock.run(codeOf(slow.send(numbered(1, 100), { timeoutMs: 500 })))).toBe('timeout');
    const aborted = new AbortController();
    const waiting = codeOf(slow.writable({ signal: aborted.signal }));
    aborted.abort();
    expect(await overlay.clock.run(waiting)).toBe('aborted');
    // The reader wakes up: all comes, in order.
    const read: number[] = [];
    const reading = (async () => {
      for await (const message of slowEnd) {
        read.push(numberOf(message));
        if (read.length === sent) break;
      }
    })();
    await overlay.clock.run(reading);
    expect(read).toEqual([...Array(sent).keys()]);
    await overlay.clock.run(slow.writable());
  });

  test('lets an asynchronous receiver hold back the sender until it is done', async () => {
    const overlay = new Overlay();
    const limits = { pipeLimits: { windowBytes: 5_000, sendBufferBytes: 5_000 } };
    const a = await overlay.peer('a', limits);
    const b = await overlay.peer('b', limits);
    const [atA, atB] = await bindPair(overlay, a, b, 'secure');
    const release: (() => void)[] = [];
    atB.receive(() => new Promise((resolve) => release.push(resolve)));
    let sent = 0;
    const fill = async () => {
      while (atA.trySend(numbered(sent, 100))) sent++;
      await overlay.clock.runFor(200);
    };
    for (let i = 0; i < 5; i++) await fill();
    expect(release.length).toBeLessThanOrEqual(5_000 / 116);
    const before = sent;
    for (const done of release.splice(0)) done();
    await fill();
    await fill();
    expect(sent).toBeGreaterThan(before + 20);
  });

  test('lets messages larger than the window pass, and refuses those above the limit', async () => {
    const overlay = new Overlay();
    const hosted = overlay.identity('lamp');
    const limits = { pipeLimits: { windowBytes: 70_000, sendBufferBytes: 70_000, maxMessageBytes: 3_000_000 } };
    const a = await overlay.peer('a', limits);
    const b = await overlay.peer('b', { ...limits, hosted: hosting(hosted) });
    overlay.hosts.set(hosted.id, b.identity.id);
    for (const target of [b.identity, hosted]) {
      const [atA, atB] = await bindPair(overlay, a, b, 'secure', target);
      const got: number[] = [];
      const reading = (async () => {
        for await (const message of atB) got.push(message.length);
      })();
      const send = async () => {
        for (const length of [3_000_000, 10, 2_999_999, 2_000_000]) await atA.send(new Uint8Array(length));
        expect(() => atA.trySend(new Uint8Array(3_000_001))).toThrow(expect.objectContaining({ code: 'too-large' }));
        await atA.close({ timeoutMs: 30_000 });
        await reading;
      };
      await overlay.clock.run(send());
      expect(got).toEqual([3_000_000, 10, 2_999_999, 2_000_000]);
    }
    expect(b.pipes.status()['pipe large-message bytes of one link']?.used).toBe(0);
  });

  test('ends a pipe whose sender exceeds what it was granted, sends a message beyond the limit, or leaves a gap', async () => {
    const overlay = new Overlay();
    const b = await overlay.peer('b', { pipeLimits: { windowBytes: 100_000, maxMessageBytes: 150_000 } });
    const healthy: string[] = [];
    const ends: Pipe[] = [];
    b.pipes.listen({ group: WORLD_GROUP, name: 'x' }, (pipe) => {
      ends.push(pipe);
      pipe.closed.then((error) => healthy.push(error?.code ?? 'done'));
    });
    const raw = await RawPeer.dial(overlay, 'raw', b);
    const bind = async (id: number): Promise<number> => {
      raw.link.queueFrame(raw.bindFrame({ pipe: numbered(id, 16), target: b.identity.id, name: 'x' }));
      await overlay.clock.runFor(10);
      const bound = raw.frames.filter((frame) => frame.type === 4).at(-1);
      return bound?.type === 4 ? bound.ownChannel : -1;
    };
    const flood = await bind(1);
    for (let i = 0; i < 10; i++) raw.link.queueData(flood, new Uint8Array(20_000), i === 0 ? 0 : undefined, false);
    const huge = await bind(2);
    for (let i = 0; i < 10; i++) {
      raw.link.queueData(huge, new Uint8Array(20_000), i === 0 ? 0 : undefined, true);
      await overlay.clock.runFor(30);
    }
    raw.link.queueData(await bind(3), new Uint8Array(1), 5, false);
    raw.link.queueData(await bind(4), new Uint8Array(1), undefined, false);
    const acked = await bind(5);
    raw.link.queueFrame({ type: 2, channel: acked, next: 7, limit: 1, ranges: [] });
    const fine = await bind(6);
    raw.link.queueData(fine, numbered(42), 0, false);
    await overlay.clock.runFor(50);
    expect(healthy).toEqual(['protocol', 'too-large', 'protocol', 'protocol', 'protocol']);
    expect(ends.at(-1)?.connected).toBe(true);
    expect(raw.closed).toBe(false);
  });
});

describe('a flood of BINDs', () => {
  test('is bounded in pipes, and in pipes that are not confirmed, of one link', async () => {
    const overlay = new Overlay();
    const hosted = overlay.identity('lamp');
    const b = await overlay.peer('b', {
      hosted: hosting(hosted),
      pipeLimits: { maxChannelsPerLink: 100, maxHalfBoundPerLink: 10 },
    });
    for (const scope of ['own', 'hosted'] as const) b.pipes.listen({ group: WORLD_GROUP, name: 'x', scope }, () => {});
    const raw = await RawPeer.dial(overlay, 'raw', b);
    const session = new Uint8Array(33).fill(9);
    session[0] = 0;
    const half: string[] = [];
    for (let i = 0; i < 30; i++) {
      const frame = raw.bindFrame({ pipe: numbered(i, 16), target: hosted.id, name: 'x', security: 1 });
      half.push(await raw.ask({ ...frame, session }));
    }
    expect(half.filter((answer) => answer === 'bound').length).toBe(10);
    expect(half.at(-1)).toBe('unbind overloaded');
    const bound: string[] = [];
    for (let i = 100; i < 220; i++) {
      bound.push(await raw.ask(raw.bindFrame({ pipe: numbered(i, 16), target: b.identity.id, name: 'x' })));
    }
    expect(bound.filter((answer) => answer === 'bound').length).toBe(90);
    expect(bound.at(-1)).toBe('unbind overloaded');
    expect(b.pipes.status()['pipe channels of one link']).toMatchObject({ used: 100, limit: 100 });
    // Others are not touched; and what was never confirmed is gone after a while.
    const a = await overlay.peer('a');
    await bindPair(overlay, a, b, 'secure');
    await overlay.clock.runFor(20_000);
    expect(b.pipes.status()['pipe half-bound of one link']?.used).toBe(0);
  });

  test('gives channels back: thousands of pipes one after another use the smallest numbers', async () => {
    for (const scheme of ['mem', 'memd'] as const) {
      const overlay = new Overlay();
      const a = await overlay.peer('a', { scheme, pipeLimits: { maxChannelsPerLink: 4 } });
      const b = await overlay.peer('b', { scheme, pipeLimits: { maxChannelsPerLink: 4 } });
      for (let i = 0; i < 200; i++) {
        const [atA, atB] = await bindPair(overlay, a, b, 'secure');
        const got: number[] = [];
        atB.receive((message) => void got.push(numberOf(message)));
        atA.trySend(numbered(i));
        await overlay.clock.run(i % 2 === 0 ? atA.close() : atA.flush().then(() => atB.close()));
        expect(got).toEqual([i]);
      }
      await overlay.clock.runFor(10_000);
      expect(a.pipes.status()['pipe channels of one link']?.used).toBe(0);
      expect(b.pipes.status()['pipe channels of one link']?.used).toBe(0);
    }
  });
});

describe('the end of a pipe', () => {
  test('comes after all messages, also for a reader that is late', async () => {
    const overlay = new Overlay();
    const a = await overlay.peer('a');
    const b = await overlay.peer('b');
    const [atA, atB] = await bindPair(overlay, a, b, 'secure');
    for (let i = 0; i < 100; i++) atA.trySend(numbered(i));
    await overlay.clock.run(atA.close());
    await overlay.clock.run(atB.closed);
    const got: number[] = [];
    const reading = (async () => {
      for await (const message of atB) got.push(numberOf(message));
    })();
    await overlay.clock.run(reading);
    expect(got.length).toBe(100);
  });

  test('is an error at both ends when not all was taken in time', async () => {
    const overlay = new Overlay();
    const limits = { pipeLimits: { windowBytes: 2_000 } };
    const a = await overlay.peer('a', limits);
    const b = await overlay.peer('b', limits);
    const [atA, atB] = await bindPair(overlay, a, b, 'secure');
    for (let i = 0; i < 100; i++) atA.trySend(numbered(i, 100));
    await overlay.clock.run(atA.close({ timeoutMs: 100 }));
    expect((await overlay.clock.run(atA.closed))?.code).toBe('timeout');
    expect((await overlay.clock.run(atB.closed))?.code).toBe('timeout');
    await expect(
      overlay.clock.run(
        (async () => {
          for await (const _ of atB);
        })(),
      ),
    ).rejects.toMatchObject({ code: 'timeout' });
  });

  test('is told to whoever waits', async () => {
    const overlay = new Overlay();
    const limits = { pipeLimits: { windowBytes: 2_000, sendBufferBytes: 2_000 } };
    const a = await overlay.peer('a', limits);
    const b = await overlay.peer('b', limits);
    const [atA, atB] = await bindPair(overlay, a, b, 'secure');
    while (atA.trySend(numbered(1, 100)));
    const waits = [codeOf(atA.send(numbered(2, 100))), codeOf(atA.writable()), codeOf(atA.flush())];
    await overlay.clock.run(atB.close());
    expect(await overlay.clock.run(Promise.all(waits))).toEqual(['closed', 'closed', 'closed']);
    expect((await overlay.clock.run(atA.closed))?.message).toContain('bytes are left');
  });

  test('a service that fails to take a pipe ends that pipe alone', async () => {
    const overlay = new Overlay();
    const a = await overlay.peer('a');
    const b = await overlay.peer('b');
    b.pipes.listen({ group: WORLD_GROUP, name: 'broken' }, () => {
      throw new Error('defect');
    });
    const [fine, fineEnd] = await bindPair(overlay, a, b, 'secure');
    const pipe = await overlay.clock.run(a.pipes.connect({ peer: b.identity.id, group: WORLD_GROUP, name: 'broken' }));
    expect((await overlay.clock.run(pipe.closed))?.code).toBe('internal');
    expect(b.errors).toMatchObject([{ message: 'defect' }]);
    fineEnd.receive(() => {
      throw new Error('another');
    });
    fine.trySend(numbered(1));
    fine.trySend(numbered(2));
    await overlay.clock.run(fine.flush());
    expect(b.errors.length).toBe(3);
    expect(fine.connected).toBe(true);
  });

  test('the service closes all its pipes', async () => {
    const overlay = new Overlay();
    const a = await overlay.peer('a');
    const b = await overlay.peer('b');
    const [atA, atB] = await bindPair(overlay, a, b, 'secure');
    await overlay.clock.run(b.pipes.close());
    expect(await overlay.clock.run(atA.closed)).toBeUndefined();
    expect(await overlay.clock.run(atB.closed)).toBeUndefined();
  });
});
