import { PipevineError } from '@pipevine/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Node, NodeAPI } from '../node/red.ts';
import type { PeerConfigNode } from '../peer/overlay-session.ts';
import { type FlowNode, type FlowTest, startFlow } from '../testing/flow-test.ts';
import { membersInReach, pipeInReach } from '../testing/in-reach.ts';
import { startTestOverlay, type TestOverlay } from '../testing/test-overlay.ts';
import { MAX_OPEN_OF_PEER, OpenRequests } from './open-requests.ts';
import pipevinePipeIn from './pipevine-pipe-in.ts';
import pipevineRequest from './pipevine-request.ts';
import pipevineResponse from './pipevine-response.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Answers in the flow: what a function node would do. */
function upper(RED: NodeAPI): void {
  RED.nodes.registerType('upper', function (this: Node, config: object) {
    RED.nodes.createNode(this, config as never);
    this.on('input', (msg, send, done) => {
      if (msg.payload === 'never') return done();
      if (msg.payload === 'no') Object.assign(msg, { error: { code: 'busy', message: 'later' } });
      else msg.payload = String(msg.payload).toUpperCase();
      send(msg);
      if (msg.payload === 'TWICE') send(RED.util.cloneMessage(msg));
      done();
    });
  });
}

describe('request pipes', () => {
  let overlay: TestOverlay;
  let flow: FlowTest;
  let nodes: FlowNode[];

  beforeAll(async () => {
    overlay = await startTestOverlay();
    const a = await overlay.peerConfig('a');
    const b = await overlay.peerConfig('b', { offline: 'error' });
    nodes = [
      { ...a.node, id: 'a', type: 'pipevine-peer' },
      { ...b.node, id: 'b', type: 'pipevine-peer' },
      { id: 't', type: 'tab' },
      {
        id: 'in',
        z: 't',
        type: 'pipevine-pipe-in',
        peer: 'a',
        pipe: 'up',
        kind: 'request',
        format: 'text',
        timeout: '20',
        wires: [['fn', 'asked']],
      },
      { id: 'asked', z: 't', type: 'helper' },
      { id: 'fn', z: 't', type: 'upper', wires: [['reply']] },
      { id: 'reply', z: 't', type: 'pipevine-response', wires: [] },
      {
        id: 'ask',
        z: 't',
        type: 'pipevine-request',
        peer: 'b',
        pipe: '',
        target: '',
        format: 'text',
        timeout: '5',
        wires: [['got']],
      },
      { id: 'got', z: 't', type: 'helper' },
      { id: 'catch', z: 't', type: 'catch', scope: ['ask', 'reply'], wires: [['caught']] },
      { id: 'caught', z: 't', type: 'helper' },
    ];
    // What has no place on the canvas counts as a config node.
    nodes = nodes.map((node) => ('z' in node ? { x: 0, y: 0, ...node } : node));
    flow = await startFlow({
      nodes: [pipevinePipeIn, pipevineRequest, pipevineResponse, upper],
      userDir: overlay.folder('red'),
      credentials: { ...a.credentials, ...b.credentials },
      flow: nodes,
    });
    await flow.status('in', 'online');
    await flow.status('ask', 'online');
    await membersInReach(overlay, flow, ['a', 'b']);
    await pipeInReach(flow, 'b', 'up');
  }, 60_000);
  afterAll(async () => {
    await flow[Symbol.asyncDispose]();
    await overlay[Symbol.asyncDispose]();
  });

  let gotBefore = 0;
  let caughtBefore = 0;
  const replies = async (count: number) => {
    gotBefore += count;
    return (await flow.received('got', gotBefore)).slice(gotBefore - count, gotBefore);
  };
  const caught = async () => {
    caughtBefore++;
    const all = await flow.received('caught', caughtBefore);
    return all[caughtBefore - 1];
  };

  it('the reply node answers what came out of pipe in, and the message goes on with it', async () => {
    flow.send('ask', { payload: 'hello', pipe: 'up', mine: 7 } as never);
    expect(await replies(1)).toMatchObject([
      { payload: 'HELLO', mine: 7, pipe: 'up', peer: expect.stringMatching(/^urn:pipevine:peer:/) },
    ]);
    const [asked] = await flow.received('asked', 1);
    expect(asked).toMatchObject({
      payload: 'hello',
      kind: 'request',
      roles: ['member'],
      pipevine: { request: expect.any(String) },
    });
  });

  it('many are under way at once, and each gets its own reply', async () => {
    for (let at = 0; at < 600; at++) flow.send('ask', { payload: `x${at}`, pipe: 'up', at } as never);
    const all = await replies(600);
    expect(all.every((msg) => msg.payload === `X${(msg as unknown as { at: number }).at}`)).toBe(true);
  });

  it('a refusal by the flow reaches the catch node of who asked, with its code', async () => {
    flow.send('ask', { payload: 'no', pipe: 'up' } as never);
    expect(await caught()).toMatchObject({
      error: { message: expect.stringContaining('later'), code: 'busy', source: { id: 'ask' } },
    });
  });

  it('a second reply to one request is an error of the reply node', async () => {
    flow.send('ask', { payload: 'twice', pipe: 'up' } as never);
    expect(await replies(1)).toMatchObject([{ payload: 'TWICE' }]);
    expect(await caught()).toMatchObject({ error: { code: 'not-found', source: { id: 'reply' } } });
  });

  it('a message that came from elsewhere cannot be a reply', async () => {
    flow.send('reply', { payload: 'x' });
    expect(await caught()).toMatchObject({ error: { code: 'invalid-argument', source: { id: 'reply' } } });
  });

  it('a name that nobody serves, and no name at all, reach the catch node', async () => {
    flow.send('ask', { payload: 'x', pipe: 'nobody' } as never);
    expect(await caught()).toMatchObject({ error: { code: 'not-found' } });
    flow.send('ask', { payload: 'x' });
    expect(await caught()).toMatchObject({ error: { code: 'invalid-argument' } });
  });

  it('a flow that never answers comes to timeout', async () => {
    const silent = nodes.map((node) => (node.id === 'ask' ? { ...node, timeout: '0.3' } : node));
    await flow.deploy(silent, 'nodes');
    await flow.status('ask', 'online');
    flow.send('ask', { payload: 'never', pipe: 'up' } as never);
    expect(await caught()).toMatchObject({ error: { code: 'timeout', source: { id: 'ask' } } });
    await flow.deploy(nodes, 'nodes');
  });

  it('a flow that is deployed again serves requests on the same pipe', async () => {
    flow.send('ask', { payload: 'before', pipe: 'up' } as never);
    expect(await replies(1)).toMatchObject([{ payload: 'BEFORE' }]);
    const changed = nodes.map((node) => (node.id === 'in' ? { ...node, timeout: '21' } : node));
    await flow.deploy(changed, 'nodes');
    // Withdrawn while the old node closes, advertised anew by the new one.
    for await (const { change } of overlay.group.watch({ kind: 'pipe', key: 'up' })) if (change !== 'removed') break;
    flow.send('ask', { payload: 'after', pipe: 'up' } as never);
    expect(await replies(1)).toMatchObject([{ payload: 'AFTER' }]);
  });

  it('what is not of the format never reaches the flow, and the asker is told', async () => {
    const { peer } = flow.node<PeerConfigNode>('a').session;
    if (peer === undefined) throw new Error('no peer');
    const pipe = await overlay.group.requester({ peer: peer.id, name: 'up' });
    await expect(pipe.request(Uint8Array.of(0xff, 0xfe))).rejects.toMatchObject({ code: 'malformed' });
    expect(text(await pipe.request(utf8('fine')))).toBe('FINE');
  });
});

describe('OpenRequests', () => {
  const init = { peer: 'p', format: 'text' as const, timeoutMs: 60_000 };

  it('holds so many of one peer, and others are unharmed', async () => {
    const table = new OpenRequests();
    const gone = new AbortController();
    const open = Array.from({ length: MAX_OPEN_OF_PEER }, () => table.open({ ...init, signals: [gone.signal] }));
    expect(() => table.open({ ...init, signals: [] })).toThrow(expect.objectContaining({ code: 'overloaded' }));
    const other = table.open({ ...init, peer: 'q', signals: [gone.signal] });
    table.answer(open[0]?.handle, () => utf8('yes'));
    expect(await open[0]?.reply).toEqual(utf8('yes'));
    expect(table.size).toBe(MAX_OPEN_OF_PEER);
    const results = Promise.allSettled([...open, other].map(({ reply }) => reply));
    gone.abort();
    expect((await results).filter(({ status }) => status === 'rejected')).toHaveLength(MAX_OPEN_OF_PEER);
    expect(table.size).toBe(0);
    expect(() => table.answer(other.handle, () => utf8('late'))).toThrow(
      expect.objectContaining({ code: 'not-found' }),
    );
  });

  it('a payload that cannot be written leaves the request open', async () => {
    const table = new OpenRequests();
    const { handle, reply } = table.open({ ...init, signals: [] });
    const unwritable = () => {
      throw new PipevineError('malformed', 'no');
    };
    expect(() => table.answer(handle, unwritable)).toThrow(expect.objectContaining({ code: 'malformed' }));
    table.answer(handle, () => utf8('second'));
    expect(text(await reply)).toBe('second');
  });
});
