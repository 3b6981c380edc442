import { readFileSync } from 'node:fs';
import { nodeCrypto, seededRandom } from '@pipevine/transports';
import { decode } from 'cborg';
import { describe, expect, it } from 'vitest';
import { Cddl } from '../../test/vectors/cddl.ts';
import { groupIdToBytes } from '../id/group-id.ts';
import { peerIdToBytes } from '../id/peer-id.ts';
import { openMessage } from '../link/sealed-message.ts';
import { joinBytes } from '../wire/join-bytes.ts';
import type { MailboxMessage, MailboxSendResult } from './mailbox.ts';
import type { MailboxClient } from './mailbox-client.ts';
import { encodeDeliverRequest, encodeMailboxRequest } from './mailbox-codec.ts';
import type { MailboxBounds } from './mailbox-defaults.ts';
import { openEnvelope, sealEnvelope } from './mailbox-envelope.ts';
import { MailboxWorld, type Member, string, text } from './testing/mailbox-world.ts';

/** Two members, and a relay that is the recipient's. */
function world(bounds: Partial<MailboxBounds> = {}) {
  const world = new MailboxWorld();
  const relay = world.relay('relay', bounds);
  const [alice, carol] = [world.member('alice'), world.member('carol')];
  world.relaysOf.set(carol.peer.localPeer, [relay.peer.localPeer]);
  const sender = world.client(alice, [relay]);
  const send = (body: string, options = {}, from: MailboxClient = sender) =>
    from.send(carol.peer.localPeer, text(body), options);
  return { world, clock: world.clock, relay, alice, carol, sender, send };
}

/** Receives everything; `taken` are the bodies. */
function receiving(client: MailboxClient, onMessage: (message: MailboxMessage) => void = () => undefined) {
  const taken: string[] = [];
  const receiver = client.receive(async (message) => {
    onMessage(message);
    taken.push(string(message.body));
  });
  return { taken, close: () => receiver.close() };
}

const held = (relay: Member) => relay.server?.status()['mailbox messages']?.used;

describe('sending', () => {
  it('goes straight to a recipient that is there, which sees who sent it', async () => {
    const { world: w, clock, relay, alice, carol, send } = world();
    const seen: MailboxMessage[] = [];
    const { taken } = receiving(w.client(carol, [relay]), (message) => seen.push(message));
    const result = await clock.run(send('hello'));
    expect(result.state).toBe('delivered');
    expect(taken).toEqual(['hello']);
    expect(seen[0]).toMatchObject({ sender: alice.peer.localPeer, id: result.id, credential: { roles: ['member'] } });
    expect(relay.peer.requests.get('mailbox')).toBe(1); // Carol's reader.
    expect(held(relay)).toBe(0);
  });

  it('stores at the recipient’s relay while it is away, and the recipient finds all of it in order', async () => {
    const { world: w, clock, relay, carol, send } = world();
    w.away(carol);
    for (const body of ['one', 'two', 'three']) {
      expect(await clock.run(send(body))).toMatchObject({ state: 'stored', relay: relay.peer.localPeer });
    }
    expect(held(relay)).toBe(3);
    w.back(carol);
    const { taken } = receiving(w.client(carol, [relay]));
    await clock.runUntil(() => taken.length === 3 && held(relay) === 0);
    expect(taken).toEqual(['one', 'two', 'three']);
  });

  it('uses its own relay where the recipient names none, and says so where there is none at all', async () => {
    const { world: w, clock, relay, alice, carol, send } = world();
    w.relaysOf.clear();
    w.away(carol);
    expect(await clock.run(send('here'))).toMatchObject({ state: 'stored', relay: relay.peer.localPeer });
    const lonely = w.member('lonely');
    const result = await clock.run(send('there', {}, w.client(lonely)));
    expect(result).toMatchObject({ state: 'waiting', reason: { code: 'unreachable' } });
    expect(alice.client?.status()['mailbox outbox messages']).toMatchObject({ used: 0 });
  });

  it('tells a relay only sender, recipient, size and time', async () => {
    const { world: w, clock, relay, carol, send } = world();
    w.away(carol);
    await clock.run(send('a very recognisable text'));
    const stored = [...relay.storage.scan(`mailbox-sealed/${w.group.group}`)];
    expect(stored).toHaveLength(1);
    expect(string(stored[0]?.[1] ?? text(''))).not.toContain('recognisable');
    await expect(async () =>
      openEnvelope(
        { identity: relay.peer.identity, access: w.access(), crypto: nodeCrypto, random: seededRandom('x') },
        stored[0]?.[1] ?? text(''),
      ),
    ).rejects.toMatchObject({ code: 'forged' });
  });

  it('tries another relay when the first has no room, and says which bound it was when there is none', async () => {
    const { world: w, clock, relay, carol, send } = world({ pair: { bytes: 1e6, messages: 1 } });
    const second = w.relay('second', { pair: { bytes: 1e6, messages: 1 } });
    w.relaysOf.set(carol.peer.localPeer, [relay.peer.localPeer, second.peer.localPeer]);
    w.away(carol);
    expect(await clock.run(send('1'))).toMatchObject({ relay: relay.peer.localPeer });
    expect(await clock.run(send('2'))).toMatchObject({ relay: second.peer.localPeer });
    const third = await clock.run(send('3'));
    expect(third).toMatchObject({
      state: 'waiting',
      reason: { code: 'overloaded', message: expect.stringContaining('pair-messages') },
    });
  });

  it('gives nothing to a member that may not be a relay', async () => {
    const { world: w, clock, carol, send } = world();
    w.relaysOf.set(carol.peer.localPeer, [w.member('no relay').peer.localPeer]);
    w.away(carol);
    expect(await clock.run(send('x'))).toMatchObject({ state: 'waiting', reason: { code: 'refused' } });
  });

  it('keeps a message through a restart of the sender until somebody has it', async () => {
    const { world: w, clock, relay, alice, carol, send } = world();
    w.away(carol);
    w.away(relay);
    expect((await clock.run(send('survives'))).state).toBe('waiting');
    const again = w.crash(alice);
    const client = w.client(again, [relay]);
    expect(client.status()['mailbox outbox messages']).toMatchObject({ used: 1 });
    w.back(carol);
    const { taken } = receiving(w.client(carol, [relay]));
    await clock.runUntil(() => taken.length === 1);
    await clock.runUntil(() => client.status()['mailbox outbox messages']?.used === 0);
    expect([...again.storage.scan(`mailbox-outbox/${w.group.group}`)]).toEqual([]);
  });

  it('tries again at once when the relay comes', async () => {
    const { world: w, clock, relay, alice, carol, send } = world();
    w.away(carol);
    w.away(relay);
    expect((await clock.run(send('x', { timeoutMs: 40_000 }))).state).toBe('waiting');
    w.back(relay);
    w.network.link(alice.peer, relay.peer);
    await clock.runUntil(() => held(relay) === 1, 3_000);
  });

  it('does not send what cannot be made durable', async () => {
    const { clock, alice, carol, send, sender, relay } = world();
    alice.storage.failNextSync('storage-full');
    await expect(clock.run(send('x'))).rejects.toMatchObject({ code: 'storage-full' });
    expect(sender.status()['mailbox outbox messages']).toMatchObject({ used: 0 });
    await clock.runFor(30_000);
    expect(held(relay)).toBe(0);
    expect(carol.peer.requests.size).toBe(0);
  });

  it.each([
    ['too-large', new Uint8Array(48 * 1024 + 1), {}],
    ['invalid-argument', new Uint8Array(1), { lifetimeMs: 0 }],
    ['invalid-argument', new Uint8Array(1), { lifetimeMs: 91 * 86_400_000 }],
  ])('says %s to what cannot be', async (code, body, options) => {
    const { clock, carol, sender } = world();
    await expect(clock.run(sender.send(carol.peer.localPeer, body, options))).rejects.toMatchObject({ code });
  });

  it('takes the largest message that may be', async () => {
    const { world: w, clock, relay, carol, sender } = world();
    w.away(carol);
    const result = await clock.run(sender.send(carol.peer.localPeer, new Uint8Array(48 * 1024)));
    expect(result).toMatchObject({ state: 'stored', relay: relay.peer.localPeer });
  });

  it('says overloaded when its outbox is full, and tells of each message that expires there', async () => {
    const { world: w, clock, relay, carol } = world();
    const sender = w.client(w.member('bob'), [relay], { messages: 10, bytes: 1e6 });
    w.away(carol);
    w.away(relay);
    const failed: string[] = [];
    sender.subscribe({ onFailed: ({ error }) => failed.push(error.code) });
    const results = Promise.allSettled(
      Array.from({ length: 11 }, () => sender.send(carol.peer.localPeer, text('x'), { lifetimeMs: 60_000 })),
    );
    const settled = await clock.run(results);
    expect(settled.filter(({ status }) => status === 'rejected')).toMatchObject([{ reason: { code: 'overloaded' } }]);
    await clock.runFor(60_000);
    expect(failed).toHaveLength(10);
    expect(new Set(failed)).toEqual(new Set(['expired']));
    expect(sender.status()['mailbox outbox messages']).toMatchObject({ used: 0, dropped: 1 });
  });
});

describe('receiving', () => {
  it('offers a message again that the handler did not take, after others, and deletes nothing before', async () => {
    const { world: w, clock, relay, carol, send } = world();
    w.away(carol);
    await clock.run(send('bad'));
    await clock.run(send('good'));
    w.back(carol);
    let failures = 3;
    const taken: string[] = [];
    w.client(carol, [relay]).receive(async ({ body }) => {
      if (string(body) === 'bad' && failures-- > 0) throw new Error('not now');
      taken.push(string(body));
    });
    await clock.runUntil(() => taken.length === 1 && held(relay) === 1);
    expect(taken).toEqual(['good']);
    await clock.runUntil(() => taken.length === 2 && held(relay) === 0, 120_000);
    expect(taken).toEqual(['good', 'bad']);
  });

  it('gives a message once to its handler though it was delivered by two relays and directly', async () => {
    const { world: w, clock, relay, alice, carol } = world();
    const second = w.relay('second');
    const { taken } = receiving(w.client(carol, [relay, second]));
    const sealed = sealEnvelope(
      { identity: alice.peer.identity, access: w.access(), crypto: nodeCrypto, random: seededRandom('twice') },
      { peer: carol.peer.localPeer, staticKey: carol.peer.identity.agreement.publicKey },
      { id: new Uint8Array(16).fill(9), sentAtMs: clock.wallMs(), content: { type: 'message', body: text('once') } },
    );
    const message = {
      recipient: carol.peer.localPeer,
      id: new Uint8Array(16).fill(9),
      sealed,
      lifetimeMs: 1e6,
      wantsReceipt: false,
    };
    const put = encodeMailboxRequest({ type: 'put', messages: [message] });
    for (const one of [relay, second, relay]) {
      await clock.run((await clock.run(alice.peer.connect(one.peer.localPeer))).request('mailbox', put));
    }
    const link = await clock.run(alice.peer.connect(carol.peer.localPeer));
    await clock.run(link.request('mailbox-deliver', encodeDeliverRequest([message])));
    await clock.runUntil(() => held(relay) === 0 && held(second) === 0);
    expect(taken).toEqual(['once']);
  });

  it('knows after a power cut what it had taken', async () => {
    const { world: w, clock, relay, carol, send } = world();
    w.away(carol);
    await clock.run(send('once'));
    w.back(carol);
    const { taken } = receiving(w.client(carol, [relay]));
    await clock.runUntil(() => taken.length === 1);
    // The id is durable, the relay has not heard of it.
    await clock.runUntil(() => [...carol.storage.scan(`mailbox-taken/${w.group.group}`)].length === 1);
    await clock.runFor(2.1);
    const again = w.crash(carol);
    const later = receiving(w.client(again, [relay]));
    await clock.runUntil(() => held(relay) === 0);
    expect([...taken, ...later.taken]).toEqual(['once']);
  });

  it('stores what the handler returns together with the memory of the message', async () => {
    const { world: w, clock, relay, carol, send } = world();
    w.away(carol);
    await clock.run(send('counted'));
    w.back(carol);
    w.client(carol, [relay]).receive(async ({ id, body }) => [{ table: 'app', key: id.join(), value: body }]);
    carol.storage.failNextSync('storage-failed');
    await clock.runUntil(() => held(relay) === 0, 120_000);
    expect([...carol.storage.scan('app')].map(([, value]) => string(value))).toEqual(['counted']);
  });

  it('reads from a neighbour that is a relay, though it is none of its own', async () => {
    const { world: w, clock, relay, carol, send } = world();
    w.relaysOf.clear();
    w.away(carol);
    await clock.run(send('at the sender’s relay'));
    w.back(carol);
    const { taken } = receiving(w.client(carol, []));
    w.network.link(carol.peer, relay.peer);
    await clock.runUntil(() => taken.length === 1 && held(relay) === 0);
  });

  it('a gateway is relay and recipient in one', async () => {
    const { world: w, clock, relay, alice, send } = world();
    const { taken } = receiving(w.client(relay));
    w.relaysOf.set(alice.peer.localPeer, []);
    w.away(alice);
    const result = await clock.run(
      (relay.client as MailboxClient).send(alice.peer.localPeer, text('from the gateway')), // The line above has made it.
    );
    expect(result).toMatchObject({ state: 'stored', relay: relay.peer.localPeer });
    w.back(alice);
    const atAlice = receiving(alice.client as MailboxClient); // Made by world().
    await clock.runUntil(() => atAlice.taken.length === 1);
    expect((await clock.run((alice.client as MailboxClient).send(relay.peer.localPeer, text('back')))).state).toBe(
      'delivered',
    );
    expect(taken).toEqual(['back']);
    void send;
  });

  it('heals by itself when the relay was away', async () => {
    const { world: w, clock, relay, carol, send } = world();
    const { taken } = receiving(w.client(carol, [relay]));
    await clock.runFor(100);
    const again = w.crash(relay);
    w.serve(again);
    await clock.runFor(1);
    w.network.unlink(carol.peer, relay.peer);
    await clock.run(send('direct'));
    w.away(carol);
    await clock.run(send('stored'));
    w.back(carol);
    await clock.runUntil(() => taken.length === 2 && held(again) === 0, 60_000);
  });
});

describe('hostile messages', () => {
  const sealing = (w: MailboxWorld, from: Member, to: Member, id: Uint8Array) =>
    sealEnvelope(
      { identity: from.peer.identity, access: w.access(), crypto: nodeCrypto, random: seededRandom('hostile') },
      { peer: to.peer.localPeer, staticKey: to.peer.identity.agreement.publicKey },
      { id, sentAtMs: 0, content: { type: 'message', body: text('hostile') } },
    );

  it('are deleted and counted: of another sender, under another id, for another peer, damaged', async () => {
    const { world: w, clock, relay, alice, carol, send } = world();
    const mallory = w.member('mallory');
    w.away(carol);
    const id = new Uint8Array(16).fill(1);
    const ofAlice = sealing(w, alice, carol, id);
    const own = sealing(w, mallory, carol, id);
    const bad: [Uint8Array, Uint8Array][] = [
      [id, ofAlice],
      [new Uint8Array(16).fill(2), own],
      [new Uint8Array(16).fill(3), sealing(w, mallory, relay, new Uint8Array(16).fill(3))],
      [new Uint8Array(16).fill(4), own.map((byte, i) => (i === own.length - 1 ? byte ^ 1 : byte))],
      [new Uint8Array(16).fill(5), new Uint8Array(0)],
    ];
    const messages = bad.map(([one, sealed]) => {
      return { recipient: carol.peer.localPeer, id: one, sealed, lifetimeMs: 1e6, wantsReceipt: true };
    });
    const link = await clock.run(mallory.peer.connect(relay.peer.localPeer));
    await clock.run(link.request('mailbox', encodeMailboxRequest({ type: 'put', messages })));
    await clock.run(send('honest'));
    w.back(carol);
    const client = w.client(carol, [relay]);
    const { taken } = receiving(client);
    await clock.runUntil(() => held(relay) === 0);
    expect(taken).toEqual(['honest']);
    expect(client.status()['mailbox messages refused']).toMatchObject({ dropped: 5 });
  });

  it('of a member that was revoked are deleted; of one whose membership ran out wait for better news', async () => {
    const { world: w, clock, relay, carol, send } = world();
    w.away(carol);
    await clock.run(send('revoked'));
    w.back(carol);
    w.group.revoked.add(
      [...w.network.peers.values()].find(({ name }) => name === 'alice')?.localPeer ?? relay.peer.localPeer,
    );
    const client = w.client(carol, [relay]);
    const { taken } = receiving(client);
    await clock.runUntil(() => held(relay) === 0);
    expect(taken).toEqual([]);
    expect(client.status()['mailbox messages refused']).toMatchObject({ dropped: 1 });
  });

  it('cost a bounded time: who delivers without end is told to store them, and others are served', async () => {
    const { world: w, clock, relay, carol, send } = world();
    const client = w.client(carol, [relay]);
    const { taken } = receiving(client);
    const mallory = w.member('mallory');
    const link = await clock.run(mallory.peer.connect(carol.peer.localPeer));
    const flood = encodeDeliverRequest(
      Array.from({ length: 64 }, () => ({ id: new Uint8Array(16), sealed: new Uint8Array(96) })),
    );
    for (let i = 0; i < 12; i++) await clock.run(link.request('mailbox-deliver', flood));
    const { dropped = 0 } = client.status()['mailbox messages refused'] ?? {};
    expect(dropped).toBeLessThan(530);
    expect(client.status()['mailbox deliverers']?.dropped).toBe(12 * 64 - dropped);
    expect((await clock.run(send('served'))).state).toBe('delivered');
    expect(taken).toEqual(['served']);
  });

  it('say to a direct sender that they will never be taken', async () => {
    const { world: w, clock, relay, alice, carol } = world();
    receiving(w.client(carol, [relay]));
    const mallory = w.member('mallory');
    const link = await clock.run(mallory.peer.connect(carol.peer.localPeer));
    const id = new Uint8Array(16);
    const answer = await clock.run(
      link.request('mailbox-deliver', encodeDeliverRequest([{ id, sealed: sealing(w, alice, carol, id) }])),
    );
    expect(decode(answer)).toMatchObject([[2, 'forged', expect.any(String)]]);
  });
});

describe('receipts', () => {
  it('tell the sender that the recipient has it, though neither was there at the same time', async () => {
    const { world: w, clock, relay, alice, carol, sender, send } = world();
    const delivered: Uint8Array[] = [];
    sender.subscribe({ onDelivered: ({ id }) => delivered.push(id) });
    w.away(carol);
    const result: MailboxSendResult = await clock.run(send('x', { receipt: true }));
    expect(result.state).toBe('stored');
    // Until it is durable here, too, where the message is.
    await clock.runFor(10);
    const later = w.crash(alice);
    w.away(later);
    w.back(carol);
    const { taken } = receiving(w.client(carol, [relay]));
    await clock.runUntil(() => taken.length === 1);
    await clock.runFor(1_000);
    expect(held(relay)).toBe(1);
    w.back(later);
    const again = w.client(later, [relay]);
    again.subscribe({ onDelivered: ({ id }) => delivered.push(id) });
    await clock.runUntil(() => delivered.length === 1 && held(relay) === 0);
    expect(delivered).toEqual([result.id]);
    expect(again.status()['mailbox receipts awaited']).toMatchObject({ used: 0 });
  });

  it('of a peer that was not the recipient count for nothing', async () => {
    const { world: w, clock, relay, alice, carol, sender, send } = world();
    w.away(carol);
    const { id } = await clock.run(send('x', { receipt: true }));
    const mallory = w.member('mallory');
    const sealed = sealEnvelope(
      { identity: mallory.peer.identity, access: w.access(), crypto: nodeCrypto, random: seededRandom('r') },
      { peer: alice.peer.localPeer, staticKey: alice.peer.identity.agreement.publicKey },
      { id, sentAtMs: 0, content: { type: 'receipt', taken: id } },
    );
    const message = { recipient: alice.peer.localPeer, id, sealed, lifetimeMs: 1e6, wantsReceipt: false };
    const link = await clock.run(mallory.peer.connect(relay.peer.localPeer));
    await clock.run(link.request('mailbox', encodeMailboxRequest({ type: 'put', messages: [message] })));
    await clock.runUntil(() => held(relay) === 1);
    expect(sender.status()['mailbox receipts awaited']).toMatchObject({ used: 1 });
  });
});

it('the CDDL describes what is inside a sealed message', () => {
  const { world: w, alice, carol } = world();
  const cddl = new Cddl(readFileSync(new URL('../../docs/protocol/mailbox.cddl', import.meta.url), 'utf8'));
  const init = { access: w.access(), crypto: nodeCrypto, random: seededRandom('cddl') };
  const to = { peer: carol.peer.localPeer, staticKey: carol.peer.identity.agreement.publicKey };
  const id = new Uint8Array(16);
  const prologue = joinBytes([text('pipevine/1 mailbox'), groupIdToBytes(w.group.group), peerIdToBytes(to.peer)]);
  for (const [rule, content] of [
    ['message-envelope', { type: 'message', body: text('x') }],
    ['receipt-envelope', { type: 'receipt', taken: id }],
  ] as const) {
    const sealed = sealEnvelope({ ...init, identity: alice.peer.identity }, to, { id, sentAtMs: 1, content });
    const { plaintext } = openMessage({ ...init, prologue, localStatic: carol.peer.identity.agreement }, sealed);
    const value = decode(plaintext, { useMaps: true, strict: true });
    expect(cddl.matches(rule, value)).toBe(true);
    expect(cddl.matches('envelope', value)).toBe(true);
  }
});
