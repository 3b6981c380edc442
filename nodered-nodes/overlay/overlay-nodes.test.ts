import { formatJoinCode, parseJoinCode } from '@pipevine/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PeerConfigNode } from '../peer/overlay-session.ts';
import { type FlowNode, type FlowTest, startFlow } from '../testing/flow-test.ts';
import { membersInReach } from '../testing/in-reach.ts';
import { startTestOverlay, type TestOverlay } from '../testing/test-overlay.ts';
import { joinLink } from './join-link.ts';
import pipevineDiscover from './pipevine-discover.ts';
import pipevineGroup from './pipevine-group.ts';
import pipevinePeerInfo from './pipevine-peer-info.ts';

type Message = Readonly<Record<string, unknown>> & { readonly payload: unknown };

describe('discover, peer info and group', () => {
  let overlay: TestOverlay;
  let flow: FlowTest;
  let nodes: FlowNode[];
  const taken = new Map<string, number>();

  /** The next message at a helper node. */
  const next = async (id: string): Promise<Message> => {
    const count = (taken.get(id) ?? 0) + 1;
    taken.set(id, count);
    // Every message of these nodes has a payload.
    return (await flow.received(id, count))[count - 1] as Message;
  };
  const ask = (id: string, msg: object, from: string) => {
    flow.send(id, msg as never);
    return next(from);
  };

  beforeAll(async () => {
    overlay = await startTestOverlay();
    const a = await overlay.peerConfig('a');
    const place = { z: 't', x: 0, y: 0 };
    nodes = [
      { ...a.node, id: 'a', type: 'pipevine-peer' },
      { id: 't', type: 'tab' },
      {
        id: 'find',
        ...place,
        type: 'pipevine-discover',
        peer: 'a',
        kind: '',
        filter: 'wanted',
        filterType: 'msg',
        attributes: 'attributes',
        attributesType: 'msg',
        wires: [['found']],
      },
      {
        id: 'each',
        ...place,
        type: 'pipevine-discover',
        peer: 'a',
        kind: 'name',
        filter: 'room-*',
        output: 'each',
        limit: '2',
        body: true,
        wires: [['found']],
      },
      {
        id: 'watch',
        ...place,
        type: 'pipevine-discover',
        peer: 'a',
        mode: 'changes',
        kind: 'content',
        filter: 'song-*',
        wires: [['changed']],
      },
      { id: 'info', ...place, type: 'pipevine-peer-info', peer: 'a', target: '', wires: [['told']] },
      { id: 'members', ...place, type: 'pipevine-group', peer: 'a', operation: '', wires: [['told']] },
      { id: 'changes', ...place, type: 'pipevine-group', peer: 'a', operation: 'changes', wires: [['came']] },
      {
        id: 'all',
        ...place,
        type: 'pipevine-group',
        peer: 'a',
        operation: 'changes',
        initial: true,
        wires: [['all-came']],
      },
      { id: 'catch', ...place, type: 'catch', scope: null, wires: [['caught']] },
      ...['found', 'changed', 'told', 'came', 'all-came', 'caught'].map((id) => ({ id, ...place, type: 'helper' })),
    ];
    flow = await startFlow({
      nodes: [pipevineDiscover, pipevinePeerInfo, pipevineGroup],
      userDir: overlay.folder('red'),
      credentials: a.credentials,
      flow: nodes,
    });
    await membersInReach(overlay, flow, ['a']);
    for (const [name, floor] of [
      ['room-1', 'up'],
      ['room-2', 'down'],
      ['room-3', 'up'],
      ['hall', 'up'],
    ] as const) {
      await overlay.group.publish({ kind: 'name', key: name, name, attributes: { floor }, body: Uint8Array.of(1, 2) });
    }
  }, 60_000);
  afterAll(async () => {
    await flow[Symbol.asyncDispose]();
    await overlay[Symbol.asyncDispose]();
  });

  it('finds by kind, by a pattern for the name and by attributes, all from the message', async () => {
    const { payload, mine } = await ask(
      'find',
      { kind: 'name', wanted: 'room-*', attributes: { floor: 'up' }, mine: 1 },
      'found',
    );
    expect(mine).toBe(1);
    expect((payload as { name: string }[]).map(({ name }) => name).sort()).toEqual(['room-1', 'room-3']);
    expect((payload as object[])[0]).toMatchObject({
      kind: 'name',
      peer: overlay.gateway.id,
      attributes: { floor: 'up' },
      issued: expect.stringMatching(/Z$/),
    });
    expect((payload as object[])[0]).not.toHaveProperty('body');
  });

  it('gives each in a message of its own, not more than the limit, in the form that join takes', async () => {
    const first = await ask('each', {}, 'found');
    const second = await next('found');
    expect([first.parts, second.parts]).toMatchObject([
      { index: 0, count: 2 },
      { index: 1, count: 2 },
    ]);
    expect((first.payload as { body: Buffer }).body).toEqual(Buffer.from([1, 2]));
  });

  it('a kind or attributes that are none reach the catch node', async () => {
    expect(await ask('find', { kind: 'nonsense' }, 'caught')).toMatchObject({ error: { code: 'invalid-argument' } });
    expect(await ask('find', { kind: 'name', attributes: ['x'] }, 'caught')).toMatchObject({
      error: { code: 'invalid-argument' },
    });
  });

  it('tells what comes, changes and goes, and nothing else', async () => {
    const publish = (name: string, body: number) =>
      overlay.group.publish({ kind: 'content', key: name, name, body: Uint8Array.of(body) });
    await publish('song-1', 1);
    expect(await next('changed')).toMatchObject({ change: 'added', topic: 'song-1', payload: { kind: 'content' } });
    await publish('speech', 1);
    await publish('song-1', 2);
    expect(await next('changed')).toMatchObject({ change: 'updated', topic: 'song-1' });
    await overlay.group.withdraw({ kind: 'content', key: 'song-1' });
    expect(await next('changed')).toMatchObject({ change: 'removed', topic: 'song-1' });
  });

  it('a message makes it look for something else', async () => {
    const other = nodes.map((node) =>
      node.id === 'watch' ? { ...node, filter: 'wanted', filterType: 'msg', kind: '' } : node,
    );
    await flow.deploy(other, 'nodes');
    flow.send('watch', { wanted: 'speech', kind: 'content' } as never);
    expect(await next('changed')).toMatchObject({ change: 'added', topic: 'speech' });
  });

  it('a member says how it is, by name and by id; without one the peer itself does', async () => {
    const { payload } = await ask('info', { peer: 'gateway' }, 'told');
    expect(payload).toMatchObject({
      id: overlay.gateway.id,
      self: false,
      name: 'gateway',
      uptimeSeconds: expect.any(Number),
    });
    expect((await ask('info', { peer: overlay.gateway.id }, 'told')).payload).toMatchObject({ name: 'gateway' });
    const { peer } = flow.node<PeerConfigNode>('a').session;
    expect((await ask('info', {}, 'told')).payload).toMatchObject({ id: peer?.id, self: true, linkCount: 1 });
    expect(await ask('info', { peer: 'nobody' }, 'caught')).toMatchObject({ error: { code: 'not-found' } });
  });

  it('lists the members with their roles', async () => {
    const { payload, topic } = await ask('members', {}, 'told');
    expect(topic).toBe('home');
    expect(payload).toContainEqual(expect.objectContaining({ peer: overlay.gateway.id, name: 'gateway' }));
    expect(payload).toContainEqual(expect.objectContaining({ roles: ['member'], online: true, revoked: false }));
  });

  it('who may not admit is refused an invitation, and whoever may gets a code that works once', async () => {
    expect(await ask('members', { operation: 'invite' }, 'caught')).toMatchObject({ error: { code: 'refused' } });
    expect(await ask('members', { operation: 'destroy' }, 'caught')).toMatchObject({
      error: { code: 'invalid-argument' },
    });
    expect(await ask('members', { operation: 'invite', uses: 'many' }, 'caught')).toMatchObject({
      error: { code: 'invalid-argument' },
    });
    const { session } = flow.node<PeerConfigNode>('a');
    if (session.peer === undefined) throw new Error('no peer');
    await overlay.group.grant(session.peer.id, { roles: ['administrator'], capabilities: [] });
    const made = await untilGranted(
      () => ask('members', { operation: 'invite', minutes: 5, uses: 1 }, 'told'),
      session,
    );
    expect(parseJoinCode(String(made.payload)).seeds).toEqual([]);
    expect(made).toMatchObject({ link: expect.stringMatching(/^pipevine:\/\/join\//), uses: 1, group: 'home' });
    const lifetimeMs = Date.parse(String(made.expires)) - Date.now();
    expect(lifetimeMs).toBeGreaterThan(0);
    expect(lifetimeMs).toBeLessThanOrEqual(300_000);
  });

  it('tells who comes; those who were there only when they are wanted', async () => {
    const { peer } = await overlay.member('newcomer');
    for (;;) {
      const { payload } = await next('came');
      expect(payload).toMatchObject({ event: 'joined', initial: false });
      if ((payload as { peer: string }).peer === peer.id) break;
    }
    const first = await next('all-came');
    expect(first).toMatchObject({ topic: 'joined', payload: { initial: true } });
  });
});

/** The new credential is on its way. */
async function untilGranted<T>(make: () => Promise<T>, { group }: PeerConfigNode['session']): Promise<T> {
  await expect.poll(() => group?.credential?.roles, { timeout: 20_000 }).toContain('administrator');
  return make();
}

it('a link says at most two addresses that others can reach', () => {
  const code = formatJoinCode({ fingerprint: new Uint8Array(16), secret: new Uint8Array(10) });
  const addresses = [
    'tcp://127.0.0.1:1',
    'tcp://[fe80::1%lo]:1',
    'tcp://10.0.0.1:1',
    'udp://10.0.0.1:2',
    'tcp://10.0.0.2:1',
  ];
  expect(parseJoinCode(joinLink(code, addresses)).seeds).toEqual(['tcp://10.0.0.1:1', 'udp://10.0.0.1:2']);
  expect(parseJoinCode(joinLink(code, [])).seeds).toEqual([]);
});
