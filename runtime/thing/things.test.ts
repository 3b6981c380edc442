import { seededRandom, VirtualClock } from '@pipevine/transports';
import { beforeEach, describe, expect, it } from 'vitest';
import { FakeOverlay, type FakePeer, memberCredential } from '../discovery/testing/fake-overlay.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { groupIdFromBytes } from '../id/group-id.ts';
import type { PeerId } from '../id/peer-id.ts';
import { completeDescription } from './complete-description.ts';
import { consumeThing } from './consumed-thing.ts';
import type { ConsumedThing, ObservationNotice, Reading, ThingHandlers, ThingSummary } from './thing.ts';
import { ThingConnections } from './thing-connections.ts';
import type { ThingInit } from './thing-description.ts';
import { type OfferedThing, ThingServer } from './thing-server.ts';

const group = groupIdFromBytes(new Uint8Array(32).fill(3));
const init: ThingInit = {
  title: 'Lamp',
  properties: {
    level: { type: 'integer', minimum: 0, maximum: 100, observable: true },
    code: { type: 'string', pattern: '^[0-9]+$', writeOnly: true },
    fixed: { type: 'string', readOnly: true },
  },
  actions: { blink: { input: { type: 'integer' } } },
  events: { pressed: {} },
};
let clock: VirtualClock;
let overlay: FakeOverlay;
let host: FakePeer;
let client: FakePeer;
let server: ThingServer;
let level: Reading;

const handlers: ThingHandlers = {
  readProperty: async () => level,
  writeProperty: async (_, value) => {
    level = { value, timestampMs: clock.wallMs() };
  },
  invokeAction: async (_, input) => input,
};

function offered(peer: PeerId, more: Partial<OfferedThing> = {}): OfferedThing {
  return { description: completeDescription(init, { peer, key: 'lamp' }), handlers, ownSchemas: true, ...more };
}

function consume(peer: FakePeer, target = host.id): ConsumedThing {
  const description = completeDescription(init, { peer: target, key: 'lamp' });
  const connections = new ThingConnections({ group, clock, pipes: peer.pipes });
  const summary: ThingSummary = {
    id: description.id,
    title: 'Lamp',
    peer: target,
    host: host.id,
    group,
    connector: '',
    availability: 'up',
    description,
  };
  return consumeThing({ summary, connection: connections.use(target), clock, random: seededRandom(1) });
}

/** Takes notices only while `open`. */
function collect(notices: AsyncIterable<ObservationNotice>): { taken: ObservationNotice[]; failed?: unknown } {
  const result: { taken: ObservationNotice[]; failed?: unknown } = { taken: [] };
  (async () => {
    for await (const notice of notices) result.taken.push(notice);
  })().catch((error: unknown) => {
    result.failed = error;
  });
  return result;
}

const values = (notices: readonly ObservationNotice[]) =>
  notices.flatMap((notice) => (notice.type === 'value' ? [notice.reading.value] : []));

beforeEach(() => {
  clock = new VirtualClock();
  overlay = new FakeOverlay(clock);
  host = overlay.peer('host');
  client = overlay.peer('client');
  overlay.link(host, client);
  level = { value: 10, timestampMs: 1 };
  server = new ThingServer({ group, clock, maxObservations: 6, maxObservationsPerPeer: 4 });
  server.addProvider({ find: (peer, key) => (peer === host.id && key === 'lamp' ? offered(peer) : undefined) });
  server.serve(host.pipes);
});

describe('the server of things', () => {
  it('checks values by the schema, patterns too when they are its own', async () => {
    const thing = consume(client);
    await expect(clock.run(thing.writeProperty('code', 'abc'))).rejects.toMatchObject({ code: 'invalid-argument' });
    await clock.run(thing.writeProperty('code', '123'));
    expect(level.value).toBe('123');
  });

  it('does not try the pattern of a description that came from outside', async () => {
    const virtual = overlay.peer('virtual').id;
    host.hosted.add(virtual);
    server.addProvider({
      find: (peer) => (peer === virtual ? offered(peer, { ownSchemas: false }) : undefined),
    });
    await clock.run(consume(client, virtual).writeProperty('code', 'abc'));
    expect(level.value).toBe('abc');
  });

  it('says which thing or affordance is not there, and what is', async () => {
    const other = overlay.peer('other');
    overlay.link(other, host);
    await expect(clock.run(consume(client).invokeAction('explode'))).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringContaining('blink'),
    });
    const unknown = new ThingServer({ group, clock });
    const context = {
      localPeer: host.id,
      remotePeer: client.id,
      group,
      credential: memberCredential(group, client.id),
    };
    const body = new Uint8Array([0xa3, 0, 1, 1, 0x61, 0x78, 2, 0x61, 0x79]);
    await expect(unknown.handle(body, { ...context, signal: new AbortController().signal })).rejects.toMatchObject({
      code: 'not-found',
    });
  });

  it('ends a request whose handler hangs, by aborting its signal', async () => {
    let aborted = false;
    const hanging: ThingHandlers = {
      ...handlers,
      invokeAction: (_, __, { signal }) =>
        new Promise((_, reject) =>
          signal.addEventListener('abort', () => {
            aborted = true;
            reject(new PipevineError('timeout', 'Gave up.'));
          }),
        ),
    };
    const virtual = overlay.peer('virtual').id;
    host.hosted.add(virtual);
    server.addProvider({
      find: (peer) => (peer === virtual ? offered(peer, { handlers: hanging }) : undefined),
    });
    await expect(clock.run(consume(client, virtual).invokeAction('blink', 1))).rejects.toMatchObject({
      code: 'timeout',
    });
    expect(aborted).toBe(true);
  });
});

describe('observing', () => {
  it('gives the present value, then each change; and of many changes at once the newest', async () => {
    const { taken } = collect(consume(client).observeProperty('level'));
    await clock.runFor(10);
    for (const value of [11, 12, 13]) server.emitPropertyChange(host.id, 'lamp', 'level', { value, timestampMs: 1 });
    await clock.runFor(10);
    server.emitPropertyChange(host.id, 'lamp', 'level', { value: 14, timestampMs: 1 });
    await clock.runFor(10);
    expect(values(taken)).toEqual([10, 13, 14]);
  });

  it('begins although the value is not known yet', async () => {
    const virtual = overlay.peer('virtual').id;
    host.hosted.add(virtual);
    const unknown: ThingHandlers = {
      ...handlers,
      readProperty: async () => {
        throw new PipevineError('not-found', 'No value yet.');
      },
    };
    server.addProvider({ find: (peer) => (peer === virtual ? offered(peer, { handlers: unknown }) : undefined) });
    const { taken } = collect(consume(client, virtual).observeProperty('level'));
    await clock.runFor(10);
    server.emitPropertyChange(virtual, 'lamp', 'level', { value: 1, timestampMs: 1 });
    await clock.runFor(10);
    expect(values(taken)).toEqual([1]);
  });

  it('of events keeps 64 for a slow subscriber and says how many it lost', async () => {
    const iterator = consume(client).subscribeEvent('pressed')[Symbol.asyncIterator]();
    const first = iterator.next();
    await clock.runFor(10);
    for (let i = 0; i < 100; i++) server.emitEvent(host.id, 'lamp', 'pressed', i, 1);
    expect((await clock.run(first)).value).toMatchObject({ data: 36, lost: 36 });
    expect((await clock.run(iterator.next())).value).toMatchObject({ data: 37, lost: 0 });
    expect(server.status()['thing events']?.dropped).toBe(36);
    await clock.run(Promise.resolve(iterator.return?.()));
  });

  it('leaves nothing behind when the observer ends it', async () => {
    const abort = new AbortController();
    collect(consume(client).observeProperty('level', { signal: abort.signal }));
    await clock.runFor(10);
    expect(server.isObserved(host.id, 'lamp')).toBe(true);
    abort.abort();
    await clock.runFor(10);
    expect(server.isObserved(host.id, 'lamp')).toBe(false);
    expect(server.status()['thing observations']?.used).toBe(0);
  });

  it('is refused beyond a bound for one peer, and others still can', async () => {
    const many = Array.from({ length: 5 }, () => collect(consume(client).observeProperty('level')));
    await clock.runFor(10);
    expect(many.filter(({ failed }) => failed !== undefined)).toHaveLength(1);
    expect(many.find(({ failed }) => failed)?.failed).toMatchObject({ code: 'overloaded' });
    const other = overlay.peer('other');
    overlay.link(other, host);
    const { taken } = collect(consume(other).observeProperty('level'));
    await clock.runFor(10);
    expect(values(taken)).toEqual([10]);
  });

  it('goes on when the link comes back: interrupted, resumed, the present value', async () => {
    const { taken } = collect(consume(client).observeProperty('level'));
    await clock.runFor(10);
    overlay.unlink(host, client);
    level = { value: 20, timestampMs: 2 };
    await clock.runFor(60_000);
    overlay.link(host, client);
    await clock.runFor(31_000);
    expect(taken.map(({ type }) => type)).toEqual(['value', 'interrupted', 'resumed', 'value']);
    expect(values(taken)).toEqual([10, 20]);
  });

  it('does not disturb another observer that ends', async () => {
    const thing = consume(client);
    const abort = new AbortController();
    const one = collect(thing.observeProperty('level', { signal: abort.signal }));
    const two = collect(thing.observeProperty('level'));
    await clock.runFor(10);
    abort.abort();
    server.emitPropertyChange(host.id, 'lamp', 'level', { value: 11, timestampMs: 1 });
    await clock.runFor(10);
    expect(values(one.taken)).toEqual([10]);
    expect(values(two.taken)).toEqual([10, 11]);
  });

  it('fails at once when it could never begin', async () => {
    expect(() => consume(client).observeProperty('nothing')).toThrow(expect.objectContaining({ code: 'not-found' }));
    const fixed = collect(consume(client).observeProperty('fixed'));
    await clock.runFor(10);
    expect(fixed.failed).toMatchObject({ code: 'unsupported' });
    overlay.unlink(host, client);
    const away = collect(consume(client).observeProperty('level'));
    await clock.runFor(10);
    expect(away.failed).toMatchObject({ code: 'unreachable' });
  });

  it('is refused to whom the thing refuses the reading, or the subscription', async () => {
    const strict: ThingHandlers = {
      ...handlers,
      readProperty: async (_, { roles }) => {
        throw new PipevineError('refused', `Not for ${roles.join()}.`);
      },
      subscribeEvent: async () => {
        throw new PipevineError('refused', 'Not for you.');
      },
    };
    const guarded = new ThingServer({ group, clock });
    const keeper = overlay.peer('keeper');
    overlay.link(keeper, client);
    guarded.addProvider({ find: (peer) => (peer === keeper.id ? offered(peer, { handlers: strict }) : undefined) });
    guarded.serve(keeper.pipes);
    const thing = consume(client, keeper.id);
    const running = [collect(thing.observeProperty('level')), collect(thing.subscribeEvent('pressed'))];
    await clock.runFor(10);
    for (const { failed } of running) expect(failed).toMatchObject({ code: 'refused' });
    expect(guarded.isObserved(keeper.id, 'lamp')).toBe(false);
  });

  it('ends when the consumed thing is closed', async () => {
    const thing = consume(client);
    const running = collect(thing.observeProperty('level'));
    await clock.runFor(10);
    await clock.run(thing.close());
    await clock.runFor(10);
    expect(server.isObserved(host.id, 'lamp')).toBe(false);
    expect(running.failed).toBeUndefined();
    await expect(clock.run(thing.readProperty('level'))).rejects.toMatchObject({ code: 'closed' });
  });
});
