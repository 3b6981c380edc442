import {
  MemoryNetwork,
  MemoryStorage,
  memoryPlatform,
  nodeCrypto,
  seededRandom,
  VirtualClock,
} from '@pipevine/transports';
import { beforeEach, describe, expect, it } from 'vitest';
import { identityFromSeed } from '../id/identity.ts';
import type { ObservationNotice, ThingSummary } from '../thing/thing.ts';
import type { JsonValue, ThingInit } from '../thing/thing-description.ts';
import { createEdgePeer } from './create-edge-peer.ts';
import { createPeer } from './create-peer.ts';
import type { Peer, PeerGroup, PeerNotice } from './peer.ts';
import type { PeerInit } from './peer-init.ts';

let clock: VirtualClock;
let network: MemoryNetwork;

interface Machine {
  readonly peer: Peer;
  readonly storage: MemoryStorage;
  crash(): void;
}

async function boot(name: string, init: Partial<PeerInit> & { storage?: MemoryStorage } = {}): Promise<Machine> {
  const process = network.boot(name);
  const storage = init.storage?.crash(process.clock) ?? new MemoryStorage({ clock: process.clock });
  const random = seededRandom(`${name} ${clock.monotonicMs()}`);
  const peer = await clock.run(
    createPeer({
      platform: memoryPlatform({ process, random, storage }),
      seed: seededRandom(`seed of ${name}`).bytes(32),
      name,
      listen: [`mem://${name}:7`],
      ...init,
    }),
  );
  return { peer, storage, crash: () => process.crash() };
}

const gateway = (storage?: MemoryStorage) => boot('gateway', { roles: ['gateway'], ...(storage && { storage }) });

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const createdId = (name: string) => identityFromSeed(nodeCrypto, seededRandom(`seed of ${name}`).bytes(32)).id;

async function pair(): Promise<{ a: Machine; b: Machine; home: PeerGroup; there: PeerGroup }> {
  const a = await gateway();
  const b = await boot('edge');
  const home = await clock.run(a.peer.createGroup({ name: 'home' }));
  const code = await clock.run(a.peer.invite(home.id));
  const there = await clock.run(b.peer.join(code));
  return { a, b, home, there };
}

const lamp: ThingInit = {
  title: 'Hall lamp',
  properties: {
    brightness: { type: 'integer', minimum: 0, maximum: 100, observable: true },
    serial: { type: 'string', readOnly: true },
  },
  actions: { blink: { input: { type: 'integer' }, output: { type: 'string' } } },
  events: { pressed: { data: { type: 'string' } } },
};

function lampHandlers() {
  const state = { brightness: 10 as JsonValue };
  return {
    state,
    handlers: {
      readProperty: async (name: string) => ({
        value: name === 'brightness' ? state.brightness : 'X1',
        timestampMs: clock.wallMs(),
      }),
      writeProperty: async (_: string, value: JsonValue) => {
        state.brightness = value;
      },
      invokeAction: async (name: string, input: JsonValue | undefined) => `${name} ${input}`,
    },
  };
}

beforeEach(() => {
  clock = new VirtualClock();
  network = new MemoryNetwork({ clock, seed: 1 });
});

describe('a member whose rights are changed', () => {
  it('binds a pipe to a member that it has never heard of, by asking its neighbours for the way', async () => {
    const { a, home, there } = await pair();
    const addresses = a.peer.addresses;
    const far = await boot('far', { localDiscovery: false });
    const code = await clock.run(a.peer.invite(home.id));
    const atFar = await clock.run(far.peer.join(code, { addresses }));
    await clock.runFor(2_000);
    there.serve({ name: 'echo' }, async (body) => body);
    const target = [...a.peer.status().links].map(({ peer }) => peer).find((peer) => peer !== far.peer.id);
    expect(target).toBeDefined();
    if (target === undefined) return;
    const pipe = await clock.run(atFar.requester({ peer: target, name: 'echo' }));
    expect(await clock.run(pipe.request(Uint8Array.of(7)))).toEqual(Uint8Array.of(7));
    const nobody = createdId('nobody');
    const started = clock.monotonicMs();
    await expect(clock.run(atFar.requester({ peer: nobody, name: 'echo', timeoutMs: 5_000 }))).rejects.toMatchObject({
      code: 'unreachable',
    });
    expect(clock.monotonicMs() - started).toBeLessThanOrEqual(5_000);
  });

  it('has the new ones at once, though nobody lets it in with the old ones', async () => {
    const { a, b, home, there } = await pair();
    await clock.runFor(2_000);
    await clock.run(home.grant(b.peer.id, { roles: ['guest'], capabilities: [] }));
    await clock.runFor(2_000);
    expect(there.credential?.roles).toEqual(['guest']);
    await clock.run(home.grant(b.peer.id, { roles: ['member'], capabilities: ['relay'] }));
    await clock.runFor(2_000);
    expect(there.credential).toMatchObject({ roles: ['member'], capabilities: ['relay'] });
    expect((await clock.run(there.memberList())).map(({ peer }) => peer)).toContain(a.peer.id);
  });

  it('has the new ones when it comes back', async () => {
    const { b, home } = await pair();
    await clock.runFor(2_000);
    b.crash();
    await clock.run(home.grant(b.peer.id, { roles: ['guest'], capabilities: [] }));
    const again = await boot('edge', { storage: b.storage });
    await clock.runFor(5_000);
    expect(again.peer.groups[0]?.credential?.roles).toEqual(['guest']);
  });

  it('is told once when it was put out, and asks seldom', async () => {
    const { b, home, there } = await pair();
    const notices: PeerNotice[] = [];
    b.peer.subscribe((notice) => notices.push(notice));
    await clock.runFor(2_000);
    await clock.run(home.revoke(b.peer.id));
    await clock.runFor(30_000);
    expect(notices.filter(({ type }) => type === 'renewal-failed')).toMatchObject([{ error: { code: 'revoked' } }]);
    expect(there.credential?.roles).toEqual(['member']);
    await clock.runFor(60 * 60_000);
    expect(notices.filter(({ type }) => type === 'renewal-failed').length).toBeLessThanOrEqual(10);
  });
});

describe('a group with a password', () => {
  it('is not made by half when the password does not do', async () => {
    const a = await gateway();
    const init = { name: 'club', policy: { type: 'password' }, password: 'short' } as const;
    await expect(clock.run(a.peer.createGroup(init))).rejects.toMatchObject({ code: 'invalid-argument' });
    expect(a.peer.groups).toEqual([]);
  });
});

describe('who applies for a group', () => {
  it('waits no more when it has become a member in another way', async () => {
    const a = await gateway();
    const b = await boot('edge');
    const club = await clock.run(a.peer.createGroup({ name: 'club', policy: { type: 'approval' } }));
    expect((await clock.run(b.peer.joinGroup(club.id))).state).toBe('pending');
    expect(club.applicants()).toHaveLength(1);
    await clock.run(b.peer.join(await clock.run(a.peer.invite(club.id))));
    await clock.runFor(1_000);
    expect(club.applicants()).toEqual([]);
  });
});

describe('joining', () => {
  it('finds the administrator on the local network, with no address given', async () => {
    const { a, b, there } = await pair();
    expect(there.name).toBe('home');
    expect(there.credential?.roles).toEqual(['member']);
    await clock.runFor(1_000);
    const members = await clock.run(all(there.members()));
    expect(members.map(({ name }) => name).sort()).toEqual(['edge', 'gateway']);
    expect(b.peer.status().links.map(({ peer }) => peer)).toEqual([a.peer.id]);
  });

  it('works by an address where there is no multicast', async () => {
    const a = await boot('gateway', { localDiscovery: false });
    const b = await boot('edge', { localDiscovery: false, listen: [] });
    const home = await clock.run(a.peer.createGroup({ name: 'home' }));
    const code = await clock.run(a.peer.invite(home.id));
    const there = await clock.run(b.peer.join(code, { addresses: ['mem://gateway:7'] }));
    expect(there.id).toBe(home.id);
  });

  it('is enough to find and reach, at once, who has joined a moment before over the same new gateway', async () => {
    const a = await gateway();
    const home = await clock.run(a.peer.createGroup({ name: 'home' }));
    const join = async (name: string) => {
      const { peer } = await boot(name, { listen: [], localDiscovery: false });
      const code = await clock.run(a.peer.invite(home.id));
      return clock.run(peer.join(code, { addresses: a.peer.addresses }));
    };
    for (let round = 0; round < 5; round++) {
      const name = `bell-${round}`;
      const there = await join(`listener-${round}`);
      const heard: number[] = [];
      await clock.run(
        there.namedPipes.listen({ name }, (pipe) => pipe.receive((message) => void heard.push(...message))),
      );
      await clock.run(there.expose({ ...lamp, title: name }, lampHandlers().handlers));
      const here = await join(`caller-${round}`);
      expect(await clock.run(all(here.things({ title: name })))).toHaveLength(1);
      const pipe = await clock.run(here.namedPipes.open({ name }));
      await clock.run(pipe.send(Uint8Array.of(round)).then(() => pipe.flush()));
      expect(heard).toEqual([round]);
    }
  });

  it('says that nobody was found, and what to do', async () => {
    const a = await boot('gateway', { localDiscovery: false });
    const b = await boot('edge');
    const home = await clock.run(a.peer.createGroup({ name: 'home' }));
    const code = await clock.run(a.peer.invite(home.id));
    await expect(clock.run(b.peer.join(code))).rejects.toMatchObject({
      code: 'timeout',
      message: expect.stringContaining('--seed'),
    });
  });

  it('says that a code is for another group than those that were found', async () => {
    const a = await gateway();
    const c = await boot('other', { localDiscovery: false });
    const b = await boot('edge');
    await clock.run(a.peer.createGroup({ name: 'home' }));
    const foreign = await clock.run(c.peer.createGroup({ name: 'foreign' }));
    const code = await clock.run(c.peer.invite(foreign.id));
    await expect(clock.run(b.peer.join(code))).rejects.toMatchObject({ code: 'not-found' });
  });

  it('refuses a code that was used up, and one that ran out, without waiting for the deadline', async () => {
    const { a, home } = await pair();
    const c = await boot('third');
    const used = await clock.run(a.peer.invite(home.id, { lifetimeMs: 60_000 }));
    await clock.run(c.peer.join(used));
    const d = await boot('fourth');
    const before = clock.monotonicMs();
    await expect(clock.run(d.peer.join(used))).rejects.toMatchObject({ code: 'refused' });
    const late = await clock.run(a.peer.invite(home.id, { lifetimeMs: 1_000 }));
    await clock.runFor(2_000);
    await expect(clock.run(d.peer.join(late))).rejects.toMatchObject({ code: 'expired' });
    expect(clock.monotonicMs() - before).toBeLessThan(10_000);
  });

  it('is refused by a peer that was assembled without admission, which says so', async () => {
    const process = network.boot('small');
    const platform = memoryPlatform({
      process,
      random: seededRandom(1),
      storage: new MemoryStorage({ clock: process.clock }),
    });
    const edge = await clock.run(createEdgePeer({ platform, seed: new Uint8Array(32).fill(5) }));
    const group = await clock.run(edge.createGroup({ name: 'own' }));
    await expect(clock.run(edge.invite(group.id))).rejects.toMatchObject({ code: 'unsupported' });
    await clock.run(edge.close());
  });
});

describe('things across two peers', () => {
  it('are found, read, written and invoked', async () => {
    const { a, b, home, there } = await pair();
    const { handlers, state } = lampHandlers();
    await clock.run(home.expose(lamp, handlers));
    const [found] = await clock.run(all(there.things()));
    expect(found).toMatchObject({ title: 'Hall lamp', peer: a.peer.id, host: a.peer.id, availability: 'up' });
    const consumed = await clock.run(there.consume(found as ThingSummary));
    expect((await clock.run(consumed.readProperty('brightness'))).value).toBe(10);
    await clock.run(consumed.writeProperty('brightness', 70));
    expect(state.brightness).toBe(70);
    expect(await clock.run(consumed.invokeAction('blink', 3))).toBe('blink 3');
    await expect(clock.run(consumed.writeProperty('brightness', 101))).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining('from 0 to 100'),
    });
    await expect(clock.run(consumed.writeProperty('serial', 'Y'))).rejects.toMatchObject({ code: 'refused' });
    await expect(clock.run(consumed.readProperty('colour'))).rejects.toMatchObject({ code: 'not-found' });
    await clock.run(b.peer.close());
  });

  it('are seen by a watcher within a second', async () => {
    const { home, there } = await pair();
    await clock.runFor(5_000);
    const seen: string[] = [];
    const abort = new AbortController();
    void (async () => {
      for await (const { change, thing } of there.watchThings({ signal: abort.signal }))
        seen.push(`${change} ${thing.title}`);
    })();
    await clock.runFor(1_000);
    const exposed = await clock.run(home.expose(lamp, lampHandlers().handlers));
    await clock.runFor(1_000);
    await clock.run(exposed.destroy());
    await clock.runFor(1_000);
    abort.abort();
    expect(seen).toEqual(['added Hall lamp', 'removed Hall lamp']);
  });

  it('are observed on through a crash and restart of their peer', async () => {
    const { a, home, there } = await pair();
    const first = lampHandlers();
    const exposed = await clock.run(home.expose(lamp, first.handlers));
    const consumed = await clock.run(there.consume('Hall lamp'));
    const notices: ObservationNotice[] = [];
    void (async () => {
      for await (const notice of consumed.observeProperty('brightness')) notices.push(notice);
    })();
    await clock.runFor(500);
    exposed.emitPropertyChange('brightness', { value: 11, timestampMs: clock.wallMs() });
    await clock.runFor(500);
    a.crash();
    await clock.runFor(20_000);
    const again = await gateway(a.storage);
    const group = again.peer.group(home.id);
    const second = lampHandlers();
    second.state.brightness = 50;
    await clock.run(group?.expose(lamp, second.handlers) ?? Promise.reject(new Error('no group')));
    await clock.runFor(40_000);
    const values = notices.flatMap((notice) => (notice.type === 'value' ? [notice.reading.value] : []));
    expect(values).toEqual([10, 11, 50]);
    expect(notices.map(({ type }) => type)).toContain('interrupted');
    expect(notices.map(({ type }) => type)).toContain('resumed');
  });
});

describe('a peer', () => {
  it('is linked again after its restart, without multicast and without a seed', async () => {
    const { a, b, home } = await pair();
    await clock.runFor(10_000);
    b.crash();
    await clock.runFor(5_000);
    const again = await boot('edge', { storage: b.storage, localDiscovery: false });
    await clock.runFor(2_000);
    expect(again.peer.status().links.map(({ peer }) => peer)).toEqual([a.peer.id]);
    expect(again.peer.groups.map(({ id }) => id)).toEqual([home.id]);
  });

  it('leaves no timer, link or packet behind when it is closed', async () => {
    const { a, b } = await pair();
    await clock.runFor(5_000);
    await clock.run(b.peer.close());
    await clock.run(b.peer.close());
    await clock.run(a.peer.close());
    await clock.runFor(70_000);
    expect(clock.pendingTimers).toBe(0);
    await expect(clock.run(b.peer.createGroup({ name: 'x' }))).rejects.toMatchObject({ code: 'closed' });
  });

  it('tells what happens to it', async () => {
    const a = await gateway();
    const notices: PeerNotice['type'][] = [];
    a.peer.subscribe(({ type }) => notices.push(type));
    const home = await clock.run(a.peer.createGroup({ name: 'home' }));
    const b = await boot('edge');
    await clock.run(b.peer.join(await clock.run(a.peer.invite(home.id))));
    await clock.run(b.peer.close());
    await clock.runFor(1_000);
    expect(notices).toEqual(['group-joined', 'neighbour-up', 'neighbour-down']);
  });

  it('tells once of a neighbour with which it is linked twice for a moment, as both have dialled', async () => {
    const { a, b } = await pair();
    await clock.runFor(5_000);
    for (const { crash } of [a, b]) crash();
    const notices: string[] = [];
    for (const [name, { storage }] of [
      ['gateway', a],
      ['edge', b],
    ] as const) {
      const { peer } = await boot(name, { storage });
      peer.subscribe(({ type }) => notices.push(`${name} ${type}`));
    }
    await clock.runFor(5_000);
    expect(notices.sort()).toEqual(['edge neighbour-up', 'gateway neighbour-up']);
  });

  it('has no more access to a group that it resigned from', async () => {
    const { b, home, there } = await pair();
    await clock.run(home.expose(lamp, lampHandlers().handlers));
    const consumed = await clock.run(there.consume('Hall lamp'));
    await clock.run(b.peer.resign(home.id));
    await expect(clock.run(consumed.readProperty('brightness'))).rejects.toMatchObject({ code: 'closed' });
    expect(b.peer.groups).toEqual([]);
  });

  it('is not made when an address cannot be used', async () => {
    await gateway();
    await expect(boot('gateway')).rejects.toMatchObject({ code: 'address-in-use' });
    await expect(boot('x', { seed: new Uint8Array(31) })).rejects.toMatchObject({ code: 'invalid-argument' });
    await expect(boot('x', { seeds: ['ftp://nowhere'] })).rejects.toMatchObject({ code: 'invalid-address' });
  });
});
