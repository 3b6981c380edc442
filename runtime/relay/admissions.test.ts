import { describe, expect, test } from 'vitest';
import { groupIdFromBytes, WORLD_GROUP } from '../id/group-id.ts';
import { type PeerId, peerIdToBytes } from '../id/peer-id.ts';
import { MEMBERSHIP_SERVICE } from '../membership/membership-defaults.ts';
import { codeOfKind } from '../pipe/pipe-kind.ts';
import { askingForRelay } from '../pipe/relayed-path.ts';
import { codeOf, numbered, Overlay, type TestPeer } from '../pipe/testing/overlay.ts';
import { RawPeer } from '../pipe/testing/raw-peer.ts';
import { FrameType } from '../wire/frame.ts';
import { ADMISSION_LIFETIME_MS, MAX_ADMISSION_BYTES, STRANGER_ADMISSIONS } from './relay-defaults.ts';
import { RelayForwarder } from './relay-forwarder.ts';

const HOME = groupIdFromBytes(new Uint8Array(32).fill(5));
const STRANGERS = 'relayed admissions of strangers';

/** A relay of a group, in which it forwards nothing here, with clients; whoever else is linked to it is a stranger. */
async function startRelay(overlay: Overlay, name: string, clients: readonly PeerId[], next?: PeerId) {
  let forwarder: RelayForwarder | undefined;
  const peer = await overlay.peer(name, { forwarder: (clock) => (forwarder = new RelayForwarder({ clock })) });
  if (forwarder === undefined) throw new Error('no forwarder was made');
  forwarder.open(HOME, {
    nextHop: () => {
      throw new Error('not asked for here');
    },
    admissionHop: ({ target, hops }) => {
      const to = clients.includes(target) ? target : hops === 0 ? next : undefined;
      return to && { to, isMember: false };
    },
  });
  return { ...peer, forwarder };
}

/** Linked to the relay; nobody can dial it. */
async function startBehind(overlay: Overlay, name: string, relay: TestPeer): Promise<TestPeer> {
  const peer = await overlay.peer(name);
  overlay.addresses.delete(peer.identity.id);
  await overlay.clock.run(peer.endpoint.connect(relay.identity.id));
  overlay.relays.set(peer.identity.id, [relay.identity.id]);
  return peer;
}

async function scene() {
  const overlay = new Overlay(1, { delayMs: 2 });
  const administrator = overlay.identity('administrator').id;
  const relay = await startRelay(overlay, 'relay', [administrator]);
  const target = await startBehind(overlay, 'administrator', relay);
  target.pipes.serve({ group: WORLD_GROUP, name: MEMBERSHIP_SERVICE }, async (body) => body);
  target.pipes.serve({ group: WORLD_GROUP, name: 'other' }, async (body) => body);
  const stranger = await startBehind(overlay, 'stranger', relay);
  const admissions = () => relay.forwarder.status()[STRANGERS];
  const open = (from = stranger, name = MEMBERSHIP_SERVICE) =>
    from.pipes.requester({ peer: administrator, group: WORLD_GROUP, name });
  return { overlay, relay, target, stranger, administrator, admissions, open };
}

describe('a relay of some group, to whoever is no member', () => {
  test('forwards requests to the membership service of a client', async () => {
    const { overlay, admissions, open } = await scene();
    const pipe = await overlay.clock.run(open());
    expect(await overlay.clock.run(pipe.request(numbered(1, 60_000)))).toEqual(numbered(1, 60_000));
    expect(admissions()?.used).toBe(1);
    await overlay.clock.run(pipe.close());
    await overlay.clock.runFor(5_000);
    expect(admissions()?.used).toBe(0);
  });

  test('forwards them over one more relay, and over no second', async () => {
    const overlay = new Overlay(1, { delayMs: 2 });
    const ids = ['far', 'farther'].map((name) => overlay.identity(name).id);
    const third = await startRelay(overlay, 'third', [ids[1] ?? overlay.identity('').id]);
    const second = await startRelay(overlay, 'second', [ids[0] ?? overlay.identity('').id], third.identity.id);
    const first = await startRelay(overlay, 'first', [], second.identity.id);
    await overlay.clock.run(first.endpoint.connect(second.identity.id));
    await overlay.clock.run(second.endpoint.connect(third.identity.id));
    const far = await startBehind(overlay, 'far', second);
    const farther = await startBehind(overlay, 'farther', third);
    const stranger = await startBehind(overlay, 'stranger', first);
    for (const peer of [far, farther]) {
      peer.pipes.serve({ group: WORLD_GROUP, name: MEMBERSHIP_SERVICE }, async (body) => body);
      overlay.relays.set(peer.identity.id, [first.identity.id]);
    }
    const open = (to: TestPeer) =>
      stranger.pipes.requester({ peer: to.identity.id, group: WORLD_GROUP, name: MEMBERSHIP_SERVICE });
    const pipe = await overlay.clock.run(open(far));
    expect(await overlay.clock.run(pipe.request(numbered(1)))).toEqual(numbered(1));
    expect(await overlay.clock.run(codeOf(open(farther)))).toBe('unreachable');
  });

  test('forwards nothing else to it', async () => {
    const { overlay, stranger, administrator, admissions, open } = await scene();
    expect(await overlay.clock.run(codeOf(open(stranger, 'other')))).toBe('refused');
    const to = { peer: administrator, group: WORLD_GROUP };
    const chat = stranger.pipes.connect({ ...to, name: MEMBERSHIP_SERVICE, kind: 'secure' });
    expect(await overlay.clock.run(codeOf(chat))).toBe('refused');
    expect(admissions()).toMatchObject({ used: 0, dropped: 2 });
  });

  test('forwards nothing to a neighbour that has no lease', async () => {
    const { overlay, relay, stranger } = await scene();
    const other = await startBehind(overlay, 'other', relay);
    other.pipes.serve({ group: WORLD_GROUP, name: MEMBERSHIP_SERVICE }, async (body) => body);
    const to = { peer: other.identity.id, group: WORLD_GROUP, name: MEMBERSHIP_SERVICE };
    expect(await overlay.clock.run(codeOf(stranger.pipes.requester(to)))).toBe('unreachable');
  });

  test('ends such a pipe after a minute', async () => {
    const { overlay, admissions, open } = await scene();
    await overlay.clock.run(open());
    await overlay.clock.runFor(ADMISSION_LIFETIME_MS - 1_000);
    expect(admissions()?.used).toBe(1);
    const before = overlay.clock.monotonicMs();
    await overlay.clock.runUntil(() => admissions()?.used === 0, 2_000);
    expect(overlay.clock.monotonicMs() - before).toBeLessThan(2_000);
  });

  test('carries no more over it than joining takes', async () => {
    const { overlay, relay, target, open } = await scene();
    let carried = 0;
    const link = relay.endpoint.linkTo(target.identity.id);
    if (link === undefined) throw new Error('no link');
    const queueData = link.queueData.bind(link);
    link.queueData = (channel, payload, sequence, more) => {
      carried += payload.length;
      return queueData(channel, payload, sequence, more);
    };
    const pipe = await overlay.clock.run(open());
    const large = pipe.request(numbered(1, 20 * MAX_ADMISSION_BYTES), { timeoutMs: 5_000 });
    const outcome = codeOf(large);
    await overlay.clock.runUntil(() => carried > MAX_ADMISSION_BYTES / 2, 5_000);
    expect(await overlay.clock.run(outcome)).not.toBe('none');
    // The pipe is bound again, as often as one binder may.
    expect(carried).toBeLessThan((STRANGER_ADMISSIONS.binderBurst + 2) * MAX_ADMISSION_BYTES);
  });

  test('is not taken up by one that floods it, and passes on no more than a few', async () => {
    const { overlay, relay, target, administrator, admissions, open } = await scene();
    const flood = await RawPeer.dial(overlay, 'flood', relay);
    const bindsBefore = target.pipes.status().pipes?.dropped ?? 0;
    for (let i = 0; i < 500; i++) {
      const pipe = new Uint8Array(16);
      new DataView(pipe.buffer).setUint32(0, i);
      const kind = codeOfKind('request');
      const bind = flood.bindFrame({ pipe, target: administrator, name: MEMBERSHIP_SERVICE, kind, security: 1 });
      flood.link.queueFrame({ ...bind, session: askingForRelay(new Uint8Array(1), 1_000) });
    }
    await overlay.clock.runFor(50);
    const said = flood.frames.flatMap((frame) => (frame.type === FrameType.unbind ? frame.code : []));
    expect(said.filter((code) => code === 'overloaded').length).toBeGreaterThanOrEqual(490);
    expect((target.pipes.status().pipes?.dropped ?? 0) - bindsBefore).toBeLessThanOrEqual(
      STRANGER_ADMISSIONS.binderBurst,
    );
    expect(admissions()?.dropped).toBeGreaterThanOrEqual(490);
    // Somebody else gets through meanwhile.
    const pipe = await overlay.clock.run(open());
    expect(await overlay.clock.run(pipe.request(numbered(1)))).toEqual(numbered(1));
  });

  test('does not believe that another has sent a BIND', async () => {
    const { overlay, relay, administrator } = await scene();
    const liar = await RawPeer.dial(overlay, 'liar', relay);
    const bind = liar.bindFrame({
      pipe: new Uint8Array(16),
      target: administrator,
      name: MEMBERSHIP_SERVICE,
      kind: codeOfKind('request'),
      security: 1,
    });
    const named = { ...bind, session: askingForRelay(new Uint8Array(1), 1_000, [overlay.identity('x').id]) };
    expect(await liar.ask(named)).toBe('unbind refused');
    const passed = askingForRelay(new Uint8Array(1), 1_000);
    passed[1] = 2;
    expect(await liar.ask({ ...bind, session: passed })).toBe('unbind refused');
    expect(peerIdToBytes(administrator)).toEqual(bind.target);
  });
});
