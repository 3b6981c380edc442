import { describe, expect, it } from 'vitest';
import type { GroupNeighbour } from '../resolver/resolver.ts';
import {
  decodePutAnswer,
  decodeTakeItem,
  encodeMailboxRequest,
  type MailboxRequest,
  type PutStatus,
  type TakeItem,
} from './mailbox-codec.ts';
import type { MailboxBounds } from './mailbox-defaults.ts';
import { MailboxWorld, type Member, string, text } from './testing/mailbox-world.ts';

const DAY_MS = 86_400_000;
const idOf = (number: number) => Uint8Array.from([number & 255, number >> 8, ...new Uint8Array(14)]);

/** One relay, two senders and one recipient that speak to it without a client. */
function relayed(bounds: Partial<MailboxBounds> = {}) {
  const world = new MailboxWorld();
  let relay: Member = world.relay('relay', bounds);
  const [alice, bob, carol] = [world.member('alice'), world.member('bob'), world.member('carol')];
  const neighbour = (member: Member) => world.clock.run(member.peer.connect(relay.peer.localPeer));
  const request = async (member: Member, one: MailboxRequest): Promise<Uint8Array> =>
    world.clock.run((await neighbour(member)).request('mailbox', encodeMailboxRequest(one)));
  const message = (number: number, body = `m${number}`, more = {}) => ({
    recipient: carol.peer.localPeer,
    id: idOf(number),
    sealed: text(body),
    lifetimeMs: DAY_MS,
    wantsReceipt: false,
    ...more,
  });
  const put = async (member: Member, ...messages: ReturnType<typeof message>[]): Promise<PutStatus[]> =>
    decodePutAnswer(await request(member, { type: 'put', messages }), messages.length);
  const done = (member: Member, sender: Member, number: number, receipt?: Uint8Array) =>
    request(member, { type: 'done', taken: [{ sender: sender.peer.localPeer, id: idOf(number), receipt }] });
  /** What waits now. */
  const take = async (member: Member, after?: number): Promise<Extract<TakeItem, { type: 'message' }>[]> =>
    world.clock.run(collect(await neighbour(member), after));
  const bodies = async (member: Member) => (await take(member)).map(({ sealed }) => string(sealed));
  const restart = () => {
    relay = world.crash(relay);
    return world.serve(relay, bounds);
  };
  const server = () => {
    if (relay.server === undefined) throw new Error('no server');
    return relay.server;
  };
  return {
    world,
    alice,
    bob,
    carol,
    neighbour,
    request,
    message,
    put,
    done,
    take,
    bodies,
    restart,
    server,
    relay: () => relay,
  };
}

async function collect(neighbour: GroupNeighbour, after: number | undefined) {
  const items: Extract<TakeItem, { type: 'message' }>[] = [];
  const request = encodeMailboxRequest({ type: 'take', after, watch: false });
  for await (const bytes of neighbour.stream('mailbox', request)) {
    const item = decodeTakeItem(bytes);
    if (item?.type === 'message') items.push(item);
  }
  return items;
}

describe('what a relay keeps', () => {
  it('gives it to the recipient oldest first, to nobody else, and until it is done', async () => {
    const { alice, bob, carol, put, take, bodies, done, message } = relayed();
    expect(await put(alice, message(1), message(2))).toEqual([{ type: 'stored' }, { type: 'stored' }]);
    await put(bob, message(1, 'of bob'));
    const items = await take(carol);
    expect(items.map(({ sealed, sender }) => [string(sealed), sender])).toEqual([
      ['m1', alice.peer.localPeer],
      ['m2', alice.peer.localPeer],
      ['of bob', bob.peer.localPeer],
    ]);
    expect(await bodies(alice)).toEqual([]);
    expect((await take(carol, items[1]?.position)).map(({ sealed }) => string(sealed))).toEqual(['of bob']);
    await done(carol, alice, 1);
    await done(alice, alice, 2);
    expect(await bodies(carol)).toEqual(['m2', 'of bob']);
  });

  it('says held to a message that it has, and keeps one of it', async () => {
    const { alice, carol, put, bodies, message } = relayed();
    await put(alice, message(1));
    expect(await put(alice, message(1, 'again'), message(2))).toEqual([{ type: 'held' }, { type: 'stored' }]);
    expect(await bodies(carol)).toEqual(['m1', 'm2']);
  });

  it('has what it acknowledged after a power cut, and no other deletion than those that it acknowledged', async () => {
    const { alice, carol, put, bodies, done, message, restart } = relayed();
    await put(alice, message(1), message(2), message(3));
    await done(carol, alice, 2);
    restart();
    expect(await bodies(carol)).toEqual(['m1', 'm3']);
  });

  it('answers a put only when it is durable', async () => {
    const { world, alice, carol, neighbour, message, restart, bodies, relay } = relayed();
    const asked = (await neighbour(alice)).request(
      'mailbox',
      encodeMailboxRequest({ type: 'put', messages: [message(1)] }),
    );
    asked.catch(() => undefined);
    // The message has arrived and its commit is under way.
    await world.clock.runUntil(() => relay().server?.status()['mailbox messages']?.used === 1);
    restart();
    await expect(world.clock.run(asked)).rejects.toMatchObject({ code: 'unreachable' });
    expect(await bodies(carol)).toEqual([]);
  });

  it('refuses a put whose sync fails, gives the message to nobody, and takes it again', async () => {
    const { alice, carol, put, bodies, message, relay } = relayed();
    for (const code of ['storage-full', 'storage-failed'] as const) {
      relay().storage.failNextSync(code);
      await expect(put(alice, message(1))).rejects.toMatchObject({ code });
      expect(await bodies(carol)).toEqual([]);
    }
    expect(await put(alice, message(1))).toEqual([{ type: 'stored' }]);
    expect(await bodies(carol)).toEqual(['m1']);
  });

  it('refuses a done whose sync fails, and still has the message', async () => {
    const { alice, carol, put, bodies, done, message, relay } = relayed();
    await put(alice, message(1));
    relay().storage.failNextSync('storage-failed');
    await expect(done(carol, alice, 1)).rejects.toMatchObject({ code: 'storage-failed' });
    expect(await bodies(carol)).toEqual(['m1']);
    await done(carol, alice, 1);
    expect(await bodies(carol)).toEqual([]);
  });

  it('tells a second done of the same message only when the first is durable', async () => {
    const { world, alice, carol, put, neighbour, message, relay, bodies } = relayed();
    await put(alice, message(1));
    const body = encodeMailboxRequest({
      type: 'done',
      taken: [{ sender: alice.peer.localPeer, id: idOf(1), receipt: undefined }],
    });
    const link = await neighbour(carol);
    relay().storage.failNextSync('storage-failed');
    const both = await world.clock.run(
      Promise.allSettled([link.request('mailbox', body), link.request('mailbox', body)]),
    );
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await bodies(carol)).toEqual(['m1']);
  });

  it('streams what comes to a recipient that watches, and lets a newer reader take over', async () => {
    const { world, alice, carol, neighbour, put, message } = relayed();
    const link = await neighbour(carol);
    const request = encodeMailboxRequest({ type: 'take', after: undefined, watch: true });
    const stream = link.stream('mailbox', request)[Symbol.asyncIterator]();
    const item = async (next: Promise<IteratorResult<Uint8Array>>) =>
      decodeTakeItem((await world.clock.run(next)).value ?? new Uint8Array(0));
    expect(await item(stream.next())).toEqual({ type: 'waiting', messages: 0 });
    const coming = stream.next();
    await put(alice, message(7));
    expect(await item(coming)).toMatchObject({ type: 'message', sealed: text('m7') });
    expect((await world.clock.run(stream.next())).done).toBe(true);
    const later = encodeMailboxRequest({ type: 'take', after: 1, watch: true });
    const older = link.stream('mailbox', later)[Symbol.asyncIterator]();
    await world.clock.run(older.next());
    const replaced = older.next();
    replaced.catch(() => undefined);
    await world.clock.run(link.stream('mailbox', request)[Symbol.asyncIterator]().next());
    await expect(world.clock.run(replaced)).rejects.toMatchObject({ code: 'busy' });
  });
});

it('gives no more than 64 messages, nor more than 512 KiB, in one answer', async () => {
  const { alice, carol, put, take, message } = relayed();
  for (let at = 0; at < 128; at += 64) {
    await put(alice, ...Array.from({ length: 64 }, (_, i) => message(at + i)));
  }
  const first = await take(carol);
  const second = await take(carol, first.at(-1)?.position);
  expect([first.length, second.length]).toEqual([64, 64]);
  for (let i = 0; i < 10; i++) await put(alice, message(200 + i, 'x'.repeat(60_000)));
  expect(await take(carol, second.at(-1)?.position)).toHaveLength(8);
});

describe('bounds', () => {
  const small = { bytes: 1e9, messages: 2 };
  it.each([
    [{ pair: small }, 'pair-messages', 2],
    [{ sender: small }, 'sender-messages', 2],
    [{ recipient: small }, 'recipient-messages', 2],
    [{ total: small }, 'total-messages', 2],
    [{ pair: { bytes: 1_100, messages: 9 } }, 'pair-bytes', 1_100],
    [{ sender: { bytes: 1_100, messages: 9 } }, 'sender-bytes', 1_100],
    [{ recipient: { bytes: 1_100, messages: 9 } }, 'recipient-bytes', 1_100],
    [{ total: { bytes: 1_100, messages: 9 } }, 'total-bytes', 1_100],
  ])(
    'with %j it says %s to the third message, counts it, and takes it when there is room',
    async (bounds, reason, limit) => {
      const { alice, carol, put, done, message, server } = relayed(bounds);
      const statuses = await put(alice, message(1), message(2), message(3));
      expect(statuses).toEqual([{ type: 'stored' }, { type: 'stored' }, { type: 'refused', reason, limit }]);
      expect(Object.values(server().status()).filter(({ dropped }) => dropped > 0)).toEqual([
        expect.objectContaining({ limit, dropped: 1 }),
      ]);
      await done(carol, alice, 1);
      expect(await put(alice, message(3))).toEqual([{ type: 'stored' }]);
    },
  );

  it('lets one sender that fills its share take nothing from another', async () => {
    const { alice, bob, put, message } = relayed({ pair: small });
    await put(alice, message(1), message(2), message(3));
    expect(await put(bob, message(1), message(2))).toEqual([{ type: 'stored' }, { type: 'stored' }]);
  });

  it('holds its bounds through a restart', async () => {
    const { alice, put, message, restart } = relayed({ pair: small });
    await put(alice, message(1), message(2));
    restart();
    expect(await put(alice, message(3))).toMatchObject([{ type: 'refused', reason: 'pair-messages' }]);
  });

  it('says how long it keeps messages to one that wants more', async () => {
    const { alice, put, message } = relayed({ lifetimeMs: DAY_MS });
    expect(await put(alice, message(1, 'm', { lifetimeMs: DAY_MS + 1 }))).toEqual([
      { type: 'refused', reason: 'lifetime', limit: DAY_MS },
    ]);
  });
});

describe('time', () => {
  it('deletes what nobody fetched in its lifetime, and counts it', async () => {
    const { world, alice, carol, put, bodies, message, restart, server } = relayed();
    await put(alice, message(1), message(2, 'longer', { lifetimeMs: 3 * DAY_MS }));
    await world.clock.runFor(DAY_MS + 1_000);
    expect(await bodies(carol)).toEqual(['longer']);
    expect(server().status()['mailbox expired']).toMatchObject({ dropped: 1 });
    restart();
    expect(await bodies(carol)).toEqual(['longer']);
  });

  it('counts the time that the relay was off, and no time for a wall clock that was set back', async () => {
    const { world, alice, carol, put, bodies, message, restart } = relayed();
    await put(alice, message(1), message(2, 'longer', { lifetimeMs: 4 * DAY_MS }));
    world.clock.stepWall(-300 * DAY_MS);
    restart();
    await world.clock.runFor(1_000);
    expect(await bodies(carol)).toEqual(['m1', 'longer']);
    world.clock.stepWall(2 * DAY_MS);
    restart();
    await world.clock.runFor(1_000);
    // The mark was made before the clock was set back: nobody knows more than that it was not negative.
    expect(await bodies(carol)).toEqual(['m1', 'longer']);
    await world.clock.runFor(DAY_MS);
    expect(await bodies(carol)).toEqual(['longer']);
    world.clock.stepWall(3 * DAY_MS);
    restart();
    await world.clock.runFor(1_000);
    expect(await bodies(carol)).toEqual([]);
  });

  it('tries again when expired messages could not be deleted', async () => {
    const { world, alice, carol, put, bodies, message, relay } = relayed();
    await put(alice, message(1));
    await world.clock.runFor(DAY_MS - 60_000);
    relay().storage.failNextSync('storage-failed');
    await world.clock.runFor(120_000);
    expect(await bodies(carol)).toEqual([]);
  });
});

describe('receipts', () => {
  it('go into the mailbox of a sender that wanted one, with the deletion', async () => {
    const { alice, carol, put, take, done, message, restart } = relayed();
    await put(alice, message(1, 'm1', { wantsReceipt: true }), message(2));
    await done(carol, alice, 1, text('receipt 1'));
    await done(carol, alice, 2, text('unwanted'));
    restart();
    expect(await take(alice)).toMatchObject([
      { sender: carol.peer.localPeer, id: idOf(1), sealed: text('receipt 1'), wantsReceipt: false },
    ]);
    expect(await take(carol)).toEqual([]);
  });

  it('are counted and left out where the sender’s mailbox is full, and the message is done nevertheless', async () => {
    const { alice, bob, carol, put, bodies, done, message, server } = relayed({
      recipient: { bytes: 1e9, messages: 1 },
    });
    await put(bob, message(9, 'for alice', { recipient: alice.peer.localPeer }));
    await put(alice, message(1, 'm1', { wantsReceipt: true }));
    await done(carol, alice, 1, text('receipt'));
    expect(await bodies(carol)).toEqual([]);
    expect(await bodies(alice)).toEqual(['for alice']);
    expect(server().status()['mailbox receipts']).toMatchObject({ used: 0, dropped: 1 });
  });
});

describe('access', () => {
  it('takes messages from members that may publish, and gives them to any that may discover', async () => {
    const { world, alice, put, message, neighbour, bodies } = relayed();
    const guest = world.member('guest', ['guest']);
    await expect(put(guest, message(1))).rejects.toMatchObject({ code: 'refused' });
    await put(alice, message(2, 'for the guest', { recipient: guest.peer.localPeer }));
    expect(await bodies(guest)).toEqual(['for the guest']);
    const stranger = world.member('stranger', ['relay']);
    const link = await neighbour(stranger);
    const request = encodeMailboxRequest({ type: 'take', after: undefined, watch: false });
    await expect(world.clock.run(link.stream('mailbox', request)[Symbol.asyncIterator]().next())).rejects.toMatchObject(
      {
        code: 'refused',
      },
    );
  });

  it.each([
    ['an empty map', Uint8Array.of(0xa0)],
    ['no messages', Uint8Array.of(0xa2, 1, 0, 2, 0x80)],
    ['an unknown request', Uint8Array.of(0xa1, 1, 9)],
    ['no map', Uint8Array.of(0x01)],
    ['half an item', Uint8Array.of(0xa2, 1, 0, 2, 0x81)],
  ])('says malformed to %s, and serves the next', async (_, body) => {
    const { world, alice, carol, neighbour, put, bodies, message } = relayed();
    const link = await neighbour(alice);
    await expect(world.clock.run(link.request('mailbox', body))).rejects.toMatchObject({ code: 'malformed' });
    await put(alice, message(1));
    expect(await bodies(carol)).toEqual(['m1']);
  });

  it('says closed once it is closed, and not-found after', async () => {
    const { alice, put, message, server } = relayed();
    const closing = server().close();
    await expect(put(alice, message(1))).rejects.toMatchObject({ code: 'not-found' });
    await closing;
  });
});
