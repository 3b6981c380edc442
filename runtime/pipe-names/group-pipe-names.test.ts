import { MemoryNetwork, MemoryStorage, memoryPlatform, seededRandom, VirtualClock } from '@pipevine/transports';
import { beforeEach, describe, expect, it } from 'vitest';
import type { PeerId } from '../id/peer-id.ts';
import { createPeer } from '../peer/create-peer.ts';
import type { Peer, PeerGroup } from '../peer/peer.ts';
import { codeOf } from '../pipe/testing/overlay.ts';
import { GroupPipeNames } from './group-pipe-names.ts';
import type { FoundPipe, NamedPipe } from './named-pipes.ts';

let clock: VirtualClock;
let network: MemoryNetwork;
let home: PeerGroup | undefined;

interface Member {
  readonly peer: Peer;
  readonly group: PeerGroup;
  readonly names: GroupPipeNames;
  crash(): void;
}

async function boot(name: string) {
  const process = network.boot(name);
  const random = seededRandom(`${name} ${clock.monotonicMs()}`);
  const storage = new MemoryStorage({ clock: process.clock });
  const platform = memoryPlatform({ process, random, storage });
  const seed = seededRandom(`seed of ${name}`).bytes(32);
  const peer = await clock.run(createPeer({ platform, seed, name, listen: [`mem://${name}:7`] }));
  const named = (group: PeerGroup) => new GroupPipeNames({ group, clock: process.clock, random });
  return { peer, named, crash: () => process.crash() };
}

let gateway: Peer;

async function member(name: string, options: { readonly roles?: readonly string[] } = {}): Promise<Member> {
  const { peer, named, crash } = await boot(name);
  const group = await clock.run(peer.join(await clock.run(gateway.invite(home?.id ?? expect.fail(), options))));
  return { peer, group, names: named(group), crash };
}

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (message: Uint8Array) => new TextDecoder().decode(message);

/** Listens, and writes down what comes. */
async function hear(at: Member, name = 'log', kind: 'reliable' | 'secure' | 'unicast' = 'reliable') {
  const heard: string[] = [];
  const listener = await clock.run(
    at.names.listen({ name, kind }, (pipe) => pipe.receive((message) => void heard.push(text(message)))),
  );
  await clock.runFor(2_000);
  return { heard, listener };
}

async function found(at: Member): Promise<FoundPipe[]> {
  const all: FoundPipe[] = [];
  for await (const one of at.names.find()) all.push(one);
  return all;
}

const send = (pipe: NamedPipe, message: string) => clock.run(pipe.send(bytes(message), { timeoutMs: 120_000 }));

beforeEach(async () => {
  clock = new VirtualClock();
  network = new MemoryNetwork({ clock, seed: 1 });
  const booted = await boot('gateway');
  gateway = booted.peer;
  home = await clock.run(gateway.createGroup({ name: 'home' }));
});

describe('a pipe by name', () => {
  it('of kind bidirectional is found as such, and carries messages both ways', async () => {
    const a = await member('a');
    const b = await member('b');
    const priorities: string[] = [];
    const listening = a.names.listen({ name: 'talk', kind: 'bidirectional', priority: 'bulk' }, (pipe) => {
      priorities.push(pipe.priority);
      pipe.receive((message) => pipe.send(bytes(`${text(message)}, too`)));
    });
    await clock.run(listening);
    await clock.runFor(2_000);
    const pipe = await clock.run(b.names.open({ name: 'talk' }));
    expect([pipe.kind, priorities]).toEqual(['bidirectional', ['bulk']]);
    const heard: string[] = [];
    pipe.receive((message) => void heard.push(text(message)));
    await send(pipe, 'hello');
    await clock.runFor(1_000);
    expect(heard).toEqual(['hello, too']);
  });

  it('is found and bound by the kind that is advertised, and found no more when the listener is closed', async () => {
    const a = await member('a');
    const b = await member('b');
    const { heard, listener } = await hear(a, 'log', 'reliable');
    const pipe = await clock.run(b.names.open({ name: 'log' }));
    expect([pipe.peer, pipe.kind]).toEqual([a.peer.id, 'reliable']);
    await send(pipe, 'hello');
    await clock.run(pipe.flush());
    expect(heard).toEqual(['hello']);
    expect(await clock.run(found(b))).toEqual([{ name: 'log', kind: 'reliable', peer: a.peer.id }]);
    await clock.run(listener.close());
    await clock.run(listener.close());
    await clock.runFor(1_000);
    expect(await clock.run(found(b))).toEqual([]);
    expect(await codeOf(clock.run(b.names.open({ name: 'log' })))).toBe('not-found');
  });

  it('is found though it is opened a little before anybody listens', async () => {
    const a = await member('a');
    const b = await member('b');
    await clock.runFor(2_000);
    const opening = b.names.open({ name: 'log' });
    await clock.runFor(500);
    const heard: string[] = [];
    const listening = a.names.listen({ name: 'log' }, (pipe) =>
      pipe.receive((message) => void heard.push(text(message))),
    );
    await clock.run(listening);
    const pipe = await clock.run(opening);
    await send(pipe, 'early');
    await clock.run(pipe.flush());
    expect(heard).toEqual(['early']);
  });

  it('is looked for no longer than two seconds, or than the caller says', async () => {
    const b = await member('b');
    await clock.runFor(2_000);
    const lookedForMs = async (wait: { readonly timeoutMs?: number; readonly signal?: AbortSignal }, code: string) => {
      const fromMs = clock.monotonicMs();
      expect(await clock.run(codeOf(b.names.open({ name: 'nobody', ...wait })))).toBe(code);
      return clock.monotonicMs() - fromMs;
    };
    const longestMs = await lookedForMs({}, 'not-found');
    expect(longestMs).toBeGreaterThanOrEqual(2_000);
    expect(longestMs).toBeLessThan(2_500);
    expect(await lookedForMs({ timeoutMs: 300 }, 'not-found')).toBeLessThan(600);
    expect(await lookedForMs({ timeoutMs: 0 }, 'not-found')).toBeLessThan(100);
    const giveUp = new AbortController();
    const aborted = lookedForMs({ signal: giveUp.signal }, 'aborted');
    giveUp.abort();
    expect(await aborted).toBeLessThan(100);
  });

  it('takes an asterisk in a name for an asterisk', async () => {
    const a = await member('a');
    const b = await member('b');
    await hear(a, 'log');
    expect(await codeOf(clock.run(b.names.open({ name: 'l*' })))).toBe('not-found');
  });

  it('says who listens when several do, and is bound to the one that is named', async () => {
    const [a, b, c] = [await member('a'), await member('b'), await member('c')];
    await hear(a);
    const { heard } = await hear(b);
    const error = await clock.run(c.names.open({ name: 'log' })).catch((reason: Error) => reason);
    expect(error).toMatchObject({ code: 'ambiguous' });
    const short = (id: PeerId) => id.slice(id.lastIndexOf(':') + 1).slice(0, 8);
    for (const { peer } of [a, b]) expect((error as Error).message).toContain(short(peer.id)); // It was matched above.
    const pipe = await clock.run(c.names.open({ name: 'log', peer: b.peer.id }));
    await send(pipe, 'to b');
    await clock.run(pipe.flush());
    expect(heard).toEqual(['to b']);
  });

  it('is bound to the only one that is still there, though another said before its crash that it listens', async () => {
    const [a, b, c] = [await member('a'), await member('b'), await member('c')];
    await hear(a);
    expect(await clock.run(found(c))).toHaveLength(1);
    a.crash();
    await hear(b);
    const pipe = await clock.run(c.names.open({ name: 'log' }));
    expect(pipe.peer).toBe(b.peer.id);
  });

  it('goes on at another peer when the listener moves, and says so', async () => {
    const [a, b, c] = [await member('a'), await member('b'), await member('c')];
    const first = await hear(a);
    const notices: string[] = [];
    const pipe = await clock.run(
      c.names.open({ name: 'log', onNotice: (notice) => notices.push(`${notice.type} ${notice.peer}`) }),
    );
    await send(pipe, 'one');
    await clock.run(pipe.flush());
    await clock.run(first.listener.close());
    await clock.run(a.peer.close());
    const second = await hear(b);
    await send(pipe, 'two');
    await clock.run(pipe.flush());
    expect([first.heard, second.heard]).toEqual([['one'], ['two']]);
    expect(notices).toEqual([`bound ${a.peer.id}`, `interrupted ${a.peer.id}`, `bound ${b.peer.id}`]);
    await clock.run(pipe.close());
    expect(await pipe.closed).toBeUndefined();
    expect(await codeOf(pipe.send(bytes('three')))).toBe('closed');
  });

  it('ends with the listener when it is not to be kept', async () => {
    const a = await member('a');
    const b = await member('b');
    await hear(a);
    const pipe = await clock.run(b.names.open({ name: 'log', keep: false }));
    await clock.run(a.peer.close());
    expect(await clock.run(pipe.closed)).toMatchObject({ code: 'closed' });
    expect(await codeOf(pipe.send(bytes('x')))).toBe('closed');
  });

  it('asks and gets the reply', async () => {
    const a = await member('a');
    const b = await member('b');
    await clock.run(a.names.serve({ name: 'upper' }, async (body) => bytes(text(body).toUpperCase())));
    await clock.runFor(2_000);
    const pipe = await clock.run(b.names.open({ name: 'upper' }));
    const replies: string[] = [];
    pipe.receive((message) => void replies.push(text(message)));
    await send(pipe, 'hello');
    expect([pipe.kind, replies]).toEqual(['request', ['HELLO']]);
  });

  it('is listened to once a name', async () => {
    const a = await member('a');
    await hear(a);
    expect(await codeOf(hear(a))).toBe('busy');
    expect(await codeOf(a.names.serve({ name: 'log' }, async (body) => body))).toBe('busy');
    expect(await codeOf(a.names.propagate('log', { listed: true }))).toBe('unsupported');
  });

  it('is listened to by nobody whose advertisement nobody would take', async () => {
    const guest = await member('guest', { roles: ['guest'] });
    const refused = { code: 'refused', message: expect.stringContaining('"publish" for listening under "log"') };
    await expect(guest.names.listen({ name: 'log' }, () => {})).rejects.toMatchObject(refused);
    await expect(guest.names.serve({ name: 'log' }, async (body) => body)).rejects.toMatchObject(refused);
  });

  it('stays advertised for as long as somebody listens, and no longer than an hour after a crash', async () => {
    const a = await member('a');
    const b = await member('b');
    await hear(a);
    await clock.runFor(75 * 60_000);
    expect(await clock.run(found(b))).toHaveLength(1);
    a.crash();
    await clock.runFor(61 * 60_000);
    expect(await clock.run(found(b))).toEqual([]);
  });
});
