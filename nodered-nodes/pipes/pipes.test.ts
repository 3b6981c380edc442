import { describe, expect, it, vi } from 'vitest';
import type { Node } from '../node/red.ts';
import type { PeerConfigNode } from '../peer/overlay-session.ts';
import { type FlowNode, type FlowTest, startFlow } from '../testing/flow-test.ts';
import { startTestOverlay, type TestOverlay } from '../testing/test-overlay.ts';
import { PathWatch } from './path-watch.ts';
import pipevinePipeIn from './pipevine-pipe-in.ts';
import pipevinePipeOut from './pipevine-pipe-out.ts';

const CATCH: FlowNode = { id: 'catcher', z: 't', type: 'catch', scope: null, uncaught: false, wires: [['caught']] };
const ENDS: readonly FlowNode[] = [
  { id: 't', type: 'tab', label: 't' },
  CATCH,
  { id: 'caught', z: 't', type: 'helper' },
  { id: 'got', z: 't', type: 'helper' },
];
const pipeIn = (more: object = {}): FlowNode => ({
  id: 'in',
  z: 't',
  type: 'pipevine-pipe-in',
  peer: 'a',
  pipe: 'news',
  format: 'json',
  wires: [['got']],
  ...more,
});
const pipeOut = (more: object = {}): FlowNode => ({
  id: 'out',
  z: 't',
  type: 'pipevine-pipe-out',
  peer: 'b',
  pipe: 'news',
  pipeType: 'str',
  format: 'json',
  wires: [],
  ...more,
});

/** Two peers in one Node-RED: `a` for the pipe in, `b` for the pipe out. */
async function twoPeers(
  overlay: TestOverlay,
  parts: readonly FlowNode[],
  peers: Readonly<Record<string, unknown>> = {},
): Promise<{ flow: FlowTest; all: (parts: readonly FlowNode[]) => FlowNode[] }> {
  const a = await overlay.peerConfig('a', peers);
  const b = await overlay.peerConfig('b', peers);
  const all = (some: readonly FlowNode[]) => [a.node, b.node, ...ENDS, ...some];
  const flow = await startFlow({
    nodes: [pipevinePipeIn, pipevinePipeOut],
    userDir: overlay.folder('red'),
    credentials: { ...a.credentials, ...b.credentials },
    flow: all(parts),
  });
  return { flow, all };
}

describe('pipe out to pipe in', () => {
  it.each(['secure', 'reliable', 'unicast', 'propagate'])('carries messages of kind %s', async (kind) => {
    await using overlay = await startTestOverlay();
    const { flow } = await twoPeers(overlay, [pipeIn({ kind }), pipeOut({ kind })]);
    await using _flow = flow;
    await flow.status('in', 'online');
    await flow.status('out', 'online');
    const peer = flow.node<PeerConfigNode>('b').session.peer?.id;
    // A propagate pipe, and its group key, are heard of by and by; nobody keeps what is sent before.
    const timer = setInterval(() => flow.send('out', { payload: { warm: true } }), 200);
    const [msg] = await flow.received('got', 1);
    clearInterval(timer);
    expect(msg).toMatchObject({ payload: { warm: true }, pipe: 'news', topic: 'news', kind, peer, roles: ['member'] });
  });

  it.each([
    ['text', 'grün'],
    ['json', { a: [1, null] }],
    ['cbor', { a: [1, 2.5, Buffer.from([1, 255])] }],
    ['buffer', Buffer.from([0, 1, 255])],
  ])('carries %s as it is', async (format, payload) => {
    await using overlay = await startTestOverlay();
    const { flow } = await twoPeers(overlay, [pipeIn({ format }), pipeOut({ format })]);
    await using _flow = flow;
    flow.send('out', { payload });
    const [msg] = await flow.received('got', 1);
    expect(msg?.payload).toEqual(payload);
  });

  it('carries 10,000 messages at once, in order, and loses none', async () => {
    await using overlay = await startTestOverlay();
    const { flow } = await twoPeers(overlay, [pipeIn(), pipeOut()]);
    await using _flow = flow;
    await flow.status('in', 'online');
    for (let n = 0; n < 10_000; n++) flow.send('out', { payload: n });
    const got = await flow.received('got', 10_000);
    expect(got.map(({ payload }) => payload)).toEqual(Array.from({ length: 10_000 }, (_, n) => n));
  });

  it('takes pipe and peer from the message, and the peer by its name', async () => {
    await using overlay = await startTestOverlay();
    const { flow } = await twoPeers(overlay, [
      pipeIn(),
      pipeOut({ pipe: '', pipeType: 'str', target: '', targetType: 'str' }),
    ]);
    await using _flow = flow;
    await flow.status('in', 'online');
    flow.send('out', { payload: 1, pipe: 'news', peer: 'peer a' });
    flow.send('out', { payload: 2, pipe: 'news', peer: flow.node<PeerConfigNode>('a').session.peer?.id });
    const got = await flow.received('got', 2);
    expect(got.map(({ payload }) => payload).sort()).toEqual([1, 2]);
    flow.send('out', { payload: 3 });
    const [caught] = await flow.received('caught', 1);
    expect(caught).toMatchObject({ payload: 3, error: { message: expect.stringContaining('msg.pipe') } });
  });
});

describe('pipe out', () => {
  it('keeps what nobody hears yet, and sends it in order when somebody does', async () => {
    await using overlay = await startTestOverlay();
    const { flow, all } = await twoPeers(overlay, [pipeOut()], { offline: 'queue', queueLimit: 100 });
    await using _flow = flow;
    for (let n = 0; n < 20; n++) flow.send('out', { payload: n });
    await flow.status('out', 'waiting');
    await flow.deploy(all([pipeOut(), pipeIn()]), 'nodes');
    const got = await flow.received('got', 20);
    expect(got.map(({ payload }) => payload)).toEqual(Array.from({ length: 20 }, (_, n) => n));
    await flow.status('out', 'online');
  });

  it('tells a catch node, with the code, what it does not keep', async () => {
    await using overlay = await startTestOverlay();
    const { flow } = await twoPeers(overlay, [pipeOut()], { offline: 'error' });
    await using _flow = flow;
    flow.send('out', { payload: 1 });
    const [first] = await flow.received('caught', 1);
    expect(first).toMatchObject({ payload: 1, error: { source: { id: 'out' }, code: 'unreachable' } });
    await flow.status('out', 'unreachable');
    await flow.node<PeerConfigNode>('b').session.ready();
    flow.send('out', { payload: 2 });
    const [, second] = await flow.received('caught', 2);
    expect(second).toMatchObject({ payload: 2, error: { code: 'not-found' } });
  });

  it('drops and counts where it is told to', async () => {
    await using overlay = await startTestOverlay();
    const { flow } = await twoPeers(overlay, [pipeOut()], { offline: 'drop' });
    await using _flow = flow;
    await flow.node<PeerConfigNode>('b').session.ready();
    flow.send('out', { payload: 1 });
    await flow.status('out', '1 dropped');
  });

  it('says what it cannot encode', async () => {
    await using overlay = await startTestOverlay();
    const { flow } = await twoPeers(overlay, [pipeOut()]);
    await using _flow = flow;
    await flow.node<PeerConfigNode>('b').session.ready();
    flow.send('out', { payload: undefined });
    const [caught] = await flow.received('caught', 1);
    expect(caught).toMatchObject({ error: { code: 'malformed' } });
  });

  it('without a peer says so, and a message is an error', async () => {
    await using overlay = await startTestOverlay();
    const { flow } = await twoPeers(overlay, [pipeOut({ peer: '' })]);
    await using _flow = flow;
    await flow.status('out', 'no-peer');
    flow.send('out', { payload: 1 });
    expect((await flow.received('caught', 1))[0]).toMatchObject({ error: { code: 'invalid-argument' } });
  });
});

describe('pipe in', () => {
  it('says what is not of its format, once a second for a flood, and goes on', async () => {
    await using overlay = await startTestOverlay();
    const { flow } = await twoPeers(overlay, [pipeIn({ format: 'json' }), pipeOut({ format: 'text' })]);
    await using _flow = flow;
    for (let n = 0; n < 50; n++) flow.send('out', { payload: 'no JSON' });
    flow.send('out', { payload: '{"good":1}' });
    expect((await flow.received('got', 1))[0]).toMatchObject({ payload: { good: 1 } });
    const caught = await flow.received('caught', 1);
    expect(caught[0]).toMatchObject({ error: { source: { id: 'in' }, code: 'malformed' } });
    expect(caught.length).toBeLessThan(10);
  });
});

describe('a deploy', () => {
  it('of other nodes leaves the peer and its pipes as they are', async () => {
    await using overlay = await startTestOverlay();
    const { flow, all } = await twoPeers(overlay, [pipeIn(), pipeOut()]);
    await using _flow = flow;
    flow.send('out', { payload: 1 });
    await flow.received('got', 1);
    const { session } = flow.node<PeerConfigNode>('b');
    const { peer } = session;
    await flow.deploy(all([pipeIn(), pipeOut(), { id: 'other', z: 't', type: 'helper' }]), 'nodes');
    flow.send('out', { payload: 2 });
    await flow.received('got', 2);
    expect(flow.node<PeerConfigNode>('b').session).toBe(session);
    // A full one makes new config nodes, and the peers run on.
    await flow.deploy(all([pipeIn(), pipeOut()]), 'full');
    expect(flow.node<PeerConfigNode>('b').session.peer).toBe(peer);
    flow.send('out', { payload: 3 });
    expect((await flow.received('got', 3)).map(({ payload }) => payload)).toEqual([1, 2, 3]);
  });
});

describe('when Node-RED stops', () => {
  it('its peers say goodbye before it is gone, and after the nodes that use them', async () => {
    await using overlay = await startTestOverlay();
    const { flow } = await twoPeers(overlay, [pipeIn(), pipeOut()], { lingerSeconds: 3_600 });
    const config = flow.node<PeerConfigNode>('b');
    const { session } = config;
    flow.send('out', { payload: 1 });
    await flow.received('got', 1);
    const id = session.peer?.id;
    const order: string[] = [];
    const gone = new Promise<void>((resolve) => {
      overlay.gateway.subscribe((notice) => {
        if (notice.type === 'neighbour-down' && notice.peer === id) resolve();
      });
    });
    session.subscribe(({ phase }) => order.push(phase));
    const { deregister } = config;
    Object.assign(config, {
      deregister: (node: Node) => {
        order.push('unused');
        deregister(node);
      },
    });
    await flow[Symbol.asyncDispose]();
    expect(order[0]).toBe('unused');
    expect(order.at(-1)).toBe('closed');
    await gone;
  });
});

describe('the path of a pipe', () => {
  it('that is missing for a moment is not missed; for longer, it is, until it is back', () => {
    vi.useFakeTimers({ toFake: ['performance', 'setInterval', 'clearInterval'] });
    try {
      let hasPath = true;
      let back = 0;
      const watch = new PathWatch({
        hasPath: () => hasPath,
        onBack: () => {
          back++;
        },
      });
      vi.advanceTimersByTime(10_000);
      expect(watch.isAway).toBe(false);
      hasPath = false;
      vi.advanceTimersByTime(1_500);
      expect(watch.isAway).toBe(false);
      vi.advanceTimersByTime(1_500);
      expect(watch.isAway).toBe(true);
      hasPath = true;
      expect(watch.isAway).toBe(false);
      expect(back).toBe(1);
      hasPath = false;
      vi.advanceTimersByTime(3_000);
      expect(watch.isAway).toBe(true);
      hasPath = true;
      vi.advanceTimersByTime(500);
      expect(back).toBe(2);
      watch.end();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});
