import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { createRequire } from 'node:module';
import { buffer } from 'node:stream/consumers';
import type { Pipe } from '@pipevine/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NodeAPI } from '../node/red.ts';
import type { PeerConfigNode } from '../peer/overlay-session.ts';
import { type FlowNode, type FlowTest, type NodeModule, startFlow } from '../testing/flow-test.ts';
import { membersInReach, pipeInReach } from '../testing/in-reach.ts';
import { startTestOverlay, type TestOverlay } from '../testing/test-overlay.ts';
import { PipeDuplex } from './pipe-duplex.ts';
import pipevineHttpCall from './pipevine-http-call.ts';
import pipevineHttpExpose from './pipevine-http-expose.ts';

const httpNodes: NodeModule = createRequire(import.meta.url)('@node-red/nodes/core/network/21-httpin.js');
const expressApp = createRequire(import.meta.url)('express');
let red: NodeAPI | undefined;

/** What is beside the flow's endpoints in the same app, and the app above it with the editor, as Node-RED has them. */
function surroundings(RED: NodeAPI): void {
  red = RED;
  const app = RED.httpNode as unknown as {
    get(path: string, handler: (request: IncomingMessage, response: { send(text: string): void }) => void): void;
  };
  app.get('/ui/secret', (_request, response) => response.send('of another node'));
  const above = expressApp();
  for (const path of ['/flows', '/settings', '/auth/login']) {
    above.get(path, (_request: unknown, response: { send(text: string): void }) => response.send('editor'));
  }
  above.use('/red', RED.httpNode);
}

function echo(RED: NodeAPI): void {
  RED.nodes.registerType('echo', function (this: import('node-red').Node, config: object) {
    RED.nodes.createNode(this, config as never);
    this.on('input', (msg, send, done) => {
      const { req } = msg as unknown as { req: IncomingMessage & { url: string; body: unknown; params: unknown } };
      if (req.url.startsWith('/never')) return done();
      const { method, url, headers, body, params } = req;
      const raw = Buffer.isBuffer(body) ? { length: body.length, first: body[0] } : body;
      msg.payload = req.url.startsWith('/big') ? 'y'.repeat(300_000) : { method, url, headers, body: raw, params };
      Object.assign(msg, { headers: { 'x-from': 'flow' }, statusCode: req.url.startsWith('/teapot') ? 418 : 200 });
      send(msg);
      done();
    });
  });
}

const endpoint = (id: string, method: string, url: string, more: object = {}): FlowNode => ({
  id,
  z: 't',
  x: 0,
  y: 0,
  type: 'http in',
  method,
  url,
  wires: [['echo']],
  ...more,
});

describe('http expose and http call', () => {
  let overlay: TestOverlay;
  let flow: FlowTest;
  let nodes: FlowNode[];

  beforeAll(async () => {
    overlay = await startTestOverlay();
    const a = await overlay.peerConfig('a');
    const b = await overlay.peerConfig('b');
    const place = { z: 't', x: 0, y: 0 };
    nodes = [
      { ...a.node, id: 'a', type: 'pipevine-peer' },
      { ...b.node, id: 'b', type: 'pipevine-peer' },
      { id: 't', type: 'tab' },
      endpoint('in1', 'get', '/status/:room'),
      endpoint('in2', 'post', '/orders'),
      endpoint('in3', 'get', '/never'),
      endpoint('in4', 'get', '/teapot'),
      endpoint('in5', 'get', '/big'),
      endpoint('in6', 'post', '/raw', { skipBodyParsing: true }),
      { id: 'echo', ...place, type: 'echo', wires: [['answer']] },
      { id: 'answer', ...place, type: 'http response', wires: [] },
      { id: 'web', ...place, type: 'pipevine-http-expose', peer: 'a', pipe: 'web', maxMegabytes: '1', timeout: '2' },
      { id: 'gold', ...place, type: 'pipevine-http-expose', peer: 'a', pipe: 'gold', roles: 'administrator, gold' },
      { id: 'ui', ...place, type: 'pipevine-http-expose', peer: 'a', pipe: 'ui', paths: '/ui' },
      {
        id: 'call',
        ...place,
        type: 'pipevine-http-call',
        peer: 'b',
        pipe: '',
        method: 'use',
        query: 'query',
        queryType: 'msg',
        ret: 'json',
        timeout: '10',
        wires: [['got']],
      },
      { id: 'got', ...place, type: 'helper' },
      { id: 'catch', ...place, type: 'catch', scope: ['call'], wires: [['caught']] },
      { id: 'caught', ...place, type: 'helper' },
    ];
    flow = await startFlow({
      nodes: [httpNodes, surroundings, echo, pipevineHttpExpose, pipevineHttpCall],
      userDir: overlay.folder('red'),
      credentials: { ...a.credentials, ...b.credentials },
      flow: nodes,
    });
    await membersInReach(overlay, flow, ['a', 'b']);
    for (const name of ['web', 'gold', 'ui']) await pipeInReach(flow, 'b', name);
  }, 60_000);
  afterAll(async () => {
    await flow[Symbol.asyncDispose]();
    await overlay[Symbol.asyncDispose]();
  });

  let gotBefore = 0;
  let caughtBefore = 0;
  const call = async (msg: object) => {
    flow.send('call', { pipe: 'web', method: 'GET', ...msg } as never);
    gotBefore++;
    const all = await flow.received('got', gotBefore);
    // As the nodes document it.
    return all[gotBefore - 1] as unknown as { payload: Record<string, never>; statusCode: number; headers: object };
  };
  const failing = async (msg: object) => {
    flow.send('call', { pipe: 'web', method: 'GET', ...msg } as never);
    caughtBefore++;
    const all = await flow.received('caught', caughtBefore);
    return (all[caughtBefore - 1] as unknown as { error: { code: string } }).error;
  };
  const peerOf = (id: string) => {
    const { peer } = flow.node<PeerConfigNode>(id).session;
    if (peer === undefined) throw new Error('no peer');
    return peer;
  };
  /** Bytes as a hostile member would send them; the answer until the other side ends. */
  const raw = async (text: string, name = 'web'): Promise<string> => {
    const pipe = await overlay.group.connect({ peer: peerOf('a').id, name });
    const duplex = new PipeDuplex(pipe);
    duplex.write(text);
    let answer = '';
    try {
      for await (const chunk of duplex) answer += String(chunk);
    } catch {
      // Broken off: what came before counts.
    }
    return answer;
  };

  it('a call reaches the http in of the other side, which learns who asks', async () => {
    const { payload, statusCode, headers } = await call({
      url: '/status/2',
      query: { a: 'x y' },
      headers: { 'X-Mine': '1' },
    });
    expect(statusCode).toBe(200);
    expect(headers).toMatchObject({ 'x-from': 'flow' });
    expect(payload).toMatchObject({
      method: 'GET',
      url: '/status/2?a=x+y',
      params: { room: '2' },
      headers: { 'x-mine': '1', 'x-pipevine-peer': peerOf('b').id, 'x-pipevine-roles': 'member' },
    });
  });

  it('bodies go there: JSON, text, bytes, and raw ones as they are', async () => {
    expect((await call({ method: 'POST', url: '/orders', payload: { n: [1, 'ü'] } })).payload).toMatchObject({
      body: { n: [1, 'ü'] },
    });
    expect((await call({ method: 'POST', url: '/orders', payload: 'plain' })).payload).toMatchObject({ body: 'plain' });
    expect((await call({ method: 'POST', url: '/orders', payload: Buffer.alloc(200_000, 7) })).payload).toMatchObject({
      body: { length: 200_000, first: 7 },
    });
    expect((await call({ method: 'POST', url: '/raw', payload: { n: 1 } })).payload).toMatchObject({
      body: { length: 7 },
    });
  });

  it('an answer of any status is an answer', async () => {
    expect((await call({ url: '/teapot' })).statusCode).toBe(418);
    expect((await call({ url: '/nothing' })).statusCode).toBe(404);
    expect((await call({ url: '/orders' })).statusCode).toBe(404);
  });

  it('many calls go at once, and an idle pipe is used again', async () => {
    for (let at = 0; at < 60; at++)
      flow.send('call', { pipe: 'web', method: 'GET', url: `/status/${at}`, at } as never);
    gotBefore += 60;
    const all = (await flow.received('got', gotBefore)).slice(-60) as unknown as {
      at: number;
      payload: { params: object };
    }[];
    expect(all.every(({ at, payload }) => JSON.stringify(payload.params) === JSON.stringify({ room: `${at}` }))).toBe(
      true,
    );
  });

  it('an answer that is not of the chosen form, a flow that never answers, and nobody there reach the catch node', async () => {
    expect(await failing({ url: '/big' })).toMatchObject({ code: 'malformed' });
    expect((await call({ url: '/never' })).statusCode).toBe(504);
    expect(await failing({ url: '/', pipe: 'nobody' })).toMatchObject({ code: 'not-found' });
    expect(await failing({ url: '//evil/x' })).toMatchObject({ code: 'invalid-argument' });
    expect(await failing({ url: '/', method: 'GET /x HTTP/1.1' })).toMatchObject({ code: 'invalid-argument' });
    expect(await failing({ url: '/', headers: { a: 'b\r\nX-Pipevine-Peer: c' } })).toMatchObject({
      code: 'invalid-argument',
    });
  });

  it('who has none of the roles is refused before the flow hears of it', async () => {
    const { statusCode, payload } = await call({ pipe: 'gold', url: '/status/1' });
    expect(statusCode).toBe(403);
    expect(payload).toMatchObject({ code: 'refused' });
  });

  it.each([
    '/flows',
    '/settings',
    '/auth/login',
    '/red/flows',
    '/..%2fflows',
    '/status/../flows',
    '/%2e%2e/flows',
    '/status/%2e%2e/ui/secret',
    '//flows',
    '/status%2f2',
    '/status\\2',
    '/%00',
    '/%zz',
    'http://localhost/flows',
    'http://localhost/status/2',
    '*',
    '/ui/secret',
    '/UI/secret',
  ])('%s is not there', async (target) => {
    const answer = await raw(`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 40[04] /);
    expect(answer).not.toContain('editor');
    expect(answer).not.toContain('of another node');
  });

  it('what other nodes serve is there only below a prefix that was named, and nothing else is', async () => {
    const get = (path: string) => raw(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`, 'ui');
    expect(await get('/ui/secret')).toContain('of another node');
    for (const path of ['/status/2', '/uix', '/ui/../status/2', '/flows'])
      expect(await get(path)).toMatch(/^HTTP\/1\.1 40[04] /);
  });

  it('headers that flows trust cannot be said from outside', async () => {
    const forged = [
      'X-Pipevine-Peer: boss',
      'x_pipevine_roles: administrator',
      'X-Forwarded-For: 127.0.0.1',
      'X-Pipevine-Other: 1',
    ];
    const answer = await raw(
      `GET /status/2 HTTP/1.1\r\nHost: a\r\n${forged.join('\r\n')}\r\nConnection: close\r\n\r\n`,
    );
    const { headers } = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4));
    expect(headers['x-pipevine-peer']).toBe(overlay.gateway.id);
    expect(headers['x-pipevine-roles']).toMatch(/administrator/);
    expect(
      Object.keys(headers)
        .filter((name) => /pipevine|forwarded/.test(name))
        .sort(),
    ).toEqual(['x-pipevine-peer', 'x-pipevine-roles']);
  });

  it.each([
    ['two lengths', 'POST /orders HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde'],
    [
      'length and chunks',
      'POST /orders HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['chunks in disguise', 'POST /orders HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n'],
    ['a space before the colon', 'POST /orders HTTP/1.1\r\nHost: a\r\nContent-Length : 4\r\n\r\nabcd'],
    ['a folded line', 'GET /status/2 HTTP/1.1\r\nHost: a\r\nX: 1\r\n X-Pipevine-Peer: boss\r\n\r\n'],
    ['a bare line feed', 'GET /status/2 HTTP/1.1\r\nHost: a\r\nX: 1\nX-Pipevine-Peer: boss\r\n\r\n'],
    ['no host', 'GET /status/2 HTTP/1.1\r\n\r\n'],
    ['no HTTP', 'hello\r\n\r\n'],
    ['a head without end', `GET /status/2 HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(40_000)}`],
  ])('%s is no request', async (_what, text) => {
    expect(await raw(text)).toMatch(/^HTTP\/1\.1 4(00|31) /);
  });

  it('a body beyond the limit is refused, said or unsaid, and others are served on', async () => {
    expect(await raw('POST /raw HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n')).toMatch(/^HTTP\/1\.1 413 /);
    const chunk = `${(60_000).toString(16)}\r\n${'x'.repeat(60_000)}\r\n`;
    const answer = await raw(`POST /raw HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(40)}`);
    expect(answer).toMatch(/^(HTTP\/1\.1 413 |$)/);
    expect((await call({ url: '/status/1' })).statusCode).toBe(200);
  });

  it('a flood of requests on one connection is cut off', async () => {
    // Each by itself would be answered with 504 in the end.
    expect(await raw('GET /never HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(50))).toBe('');
    expect((await call({ url: '/status/1' })).statusCode).toBe(200);
  });

  it('a flow that is deployed again is served at once, on a new pipe', async () => {
    const web = nodes.map((node) => (node.id === 'web' ? { ...node, timeout: '3' } : node));
    await flow.deploy(web, 'nodes');
    for await (const { change } of overlay.group.watch({ kind: 'pipe', key: 'web' })) if (change !== 'removed') break;
    expect((await call({ url: '/status/1' })).statusCode).toBe(200);
  });

  it('the setting httpNodeAuth is asked, unless membership is to be enough', async () => {
    const pass = createHash('md5').update('open').digest('hex');
    Object.assign((red as NodeAPI).settings, { httpNodeAuth: { user: 'me', pass } });
    const place = { z: 't', x: 0, y: 0, type: 'pipevine-http-expose', peer: 'a' };
    const more = [
      { id: 'shut', ...place, pipe: 'shut' },
      { id: 'free', ...place, pipe: 'free', auth: 'members' },
    ];
    await flow.deploy([...nodes, ...more], 'nodes');
    for (const name of ['shut', 'free']) await pipeInReach(flow, 'b', name);
    const authorization = `Basic ${Buffer.from('me:open').toString('base64')}`;
    const head = 'GET /status/2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n';
    expect(await raw(`${head}\r\n`, 'shut')).toMatch(/^HTTP\/1\.1 401 /);
    expect(await raw(`${head}Authorization: Basic ${Buffer.from('me:no').toString('base64')}\r\n\r\n`, 'shut')).toMatch(
      /^HTTP\/1\.1 401 /,
    );
    expect(await raw(`${head}Authorization: ${authorization}\r\n\r\n`, 'shut')).toMatch(/^HTTP\/1\.1 200 /);
    expect(await raw(`${head}\r\n`, 'free')).toMatch(/^HTTP\/1\.1 200 /);
    Object.assign((red as NodeAPI).settings, { httpNodeAuth: undefined });
  });
});

describe('PipeDuplex', () => {
  /** Its bytes to the end. A plain loop would destroy it then, though it is still written to. */
  const bytesOf = (duplex: PipeDuplex) => buffer(duplex.iterator({ destroyOnReturn: false }));

  it('either side ends first, and every byte comes', async () => {
    await using overlay = await startTestOverlay();
    const { peer, group } = await overlay.member('m');
    let accepted = (_pipe: Pipe) => {};
    const other = new Promise<Pipe>((resolve) => {
      accepted = resolve;
    });
    overlay.group.listen({ name: 'bytes', kinds: ['secure'] }, (pipe) => accepted(pipe));
    const left = new PipeDuplex(await group.connect({ peer: overlay.gateway.id, name: 'bytes' }));
    const right = new PipeDuplex(await other);
    expect(peer.id).not.toBe(overlay.gateway.id);
    const sent = Buffer.alloc(3_000_000, 'abcdefg');
    left.end(sent);
    expect((await bytesOf(right)).equals(sent)).toBe(true);
    right.end('thanks');
    expect(String(await bytesOf(left))).toBe('thanks');
    expect(await left.overlayPipe.closed).toBeUndefined();
  });

  it('a pipe that breaks off is an error, not an end', async () => {
    await using overlay = await startTestOverlay();
    const { group } = await overlay.member('m');
    overlay.group.listen({ name: 'bytes', kinds: ['secure'] }, (pipe) => {
      void pipe.send(Buffer.from('half')).then(() => pipe.close());
    });
    const duplex = new PipeDuplex(await group.connect({ peer: overlay.gateway.id, name: 'bytes' }));
    const read = async () => {
      let text = '';
      for await (const chunk of duplex) text += String(chunk);
      return text;
    };
    await expect(read()).rejects.toMatchObject({ code: 'closed' });
  });
});
