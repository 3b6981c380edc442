import type { MailboxMessage, ThingHandlers, ThingInit } from '@pipevine/runtime';
import { describe, expect, it } from 'vitest';
import { Home, MINUTE } from '../faults/home.ts';
import { groupOf } from '../simulator/household.ts';

const LAMP: ThingInit = { title: 'Hall lamp', properties: { brightness: { type: 'integer', observable: true } } };
const HANDLERS: ThingHandlers = {
  readProperty: async () => ({ value: 42, timestampMs: 0 }),
  writeProperty: async () => undefined,
  invokeAction: async () => undefined,
};

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (words: string) => new TextEncoder().encode(words);

/** Two edges that reach two relays, and not each other. */
async function apart(seed: string) {
  const home = await Home.make(seed);
  const second = await home.administrator('second');
  const a = await home.edge('a', undefined, ['gateway', 'second']);
  const b = await home.edge('b', undefined, ['gateway', 'second']);
  home.simulation.network.partition(['a'], ['b']);
  await home.clock.runUntil(() => [a, b].every((edge) => groupOf(edge).relays().leases.length === 2), MINUTE);
  return { home, second, a, b };
}

describe('peers that reach relays only', () => {
  it('bind pipes over a relay, and say which', async () => {
    const { home, second, a, b } = await apart('pipes');
    const got: string[] = [];
    groupOf(b).listen({ name: 'chat' }, (pipe) => pipe.receive((message) => void got.push(text(message))));
    const pipe = await home.clock.run(groupOf(a).connect({ peer: b.peer.id, name: 'chat' }));
    await home.clock.run(pipe.send(bytes('hello')));
    await home.clock.run(pipe.flush());
    expect(got).toEqual(['hello']);
    expect(pipe.path?.type).toBe('relayed');
    expect([home.gateway.peer.id, second.peer.id]).toContain(pipe.path?.via);
  });

  it('find and read each other’s things', async () => {
    const { home, a, b } = await apart('things');
    await home.clock.run(groupOf(b).expose(LAMP, HANDLERS));
    await home.clock.runFor(2_000);
    const lamp = await home.clock.run(groupOf(a).consume('Hall lamp'));
    expect((await home.clock.run(lamp.readProperty('brightness'))).value).toBe(42);
  });

  it('go on over the other relay when one is gone, and nothing is lost or doubled', async () => {
    const { home, second, a, b } = await apart('relay dies');
    const got: string[] = [];
    groupOf(b).listen({ name: 'chat' }, (pipe) => pipe.receive((message) => void got.push(text(message))));
    const pipe = await home.clock.run(groupOf(a).connect({ peer: b.peer.id, name: 'chat' }));
    const relay = [home.gateway, second].find((one) => one.peer.id === pipe.path?.via);
    const dead = relay?.peer.id;
    const sending = (async () => {
      for (let i = 0; i < 200; i++) {
        await pipe.send(bytes(`${i}`));
        if (i === 100) relay?.crash();
      }
      await pipe.flush({ timeoutMs: MINUTE });
    })();
    await home.clock.run(sending);
    expect(got).toEqual(Array.from({ length: 200 }, (_, i) => `${i}`));
    expect(pipe.path?.via).not.toBe(dead);
  });
});

describe('a member that leases at fewer relays than it wants', () => {
  it('finds one that came to the group later', async () => {
    const home = await Home.make('late relay');
    const a = await home.edge('a', undefined, ['gateway']);
    const leases = () => groupOf(a).relays().leases;
    await home.clock.runUntil(() => leases().length === 1, MINUTE);
    await home.clock.runFor(MINUTE);
    const second = await home.administrator('second');
    await home.clock.runUntil(() => leases().length === 2, 15 * MINUTE);
    expect(leases()).toContain(second.peer.id);
  });
});

describe('a message to a member that is away', () => {
  it('waits at a relay, and is taken once when the member is back', async () => {
    const { home, a, b } = await apart('mailbox');
    const recipient = b.peer.id;
    await home.clock.runFor(2_000);
    b.crash();
    await home.clock.runFor(5_000);
    const sent = await home.clock.run(groupOf(a).mailbox.send(recipient, bytes('while you were out')));
    expect(sent.state).toBe('stored');
    await home.clock.run(b.start());
    const got: MailboxMessage[] = [];
    groupOf(b).mailbox.receive(async (message) => void got.push(message));
    await home.clock.runUntil(() => got.length > 0, MINUTE);
    await home.clock.runFor(MINUTE);
    expect(got.map(({ body, sender }) => [text(body), sender])).toEqual([['while you were out', a.peer.id]]);
  });
});
