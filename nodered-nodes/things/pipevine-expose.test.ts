import { type ConsumedThing, PipevineError } from '@pipevine/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Node, NodeMessage, NodeMessageInFlow } from '../node/red.ts';
import { type FlowNode, type FlowTest, startFlow } from '../testing/flow-test.ts';
import { startTestOverlay, type TestOverlay } from '../testing/test-overlay.ts';
import { openInteractions } from './open-interactions.ts';
import pipevineExpose from './pipevine-expose.ts';
import pipevineProperty from './pipevine-property.ts';
import pipevineReply from './pipevine-reply.ts';
import { watchedNode } from './testing/watched-node.ts';

let overlay: TestOverlay;

beforeEach(async () => {
  overlay = await startTestOverlay();
});
afterEach(async () => {
  await overlay[Symbol.asyncDispose]();
});

const boiler = {
  type: 'pipevine-expose',
  title: 'Boiler',
  propertyRows: [
    { name: 'target', type: 'number', unit: '°C', minimum: '5', maximum: '30', observable: true },
    { name: 'state', type: 'string', readOnly: true, observable: true, enum: 'on, off' },
  ],
  actionRows: [{ name: 'boost', input: 'integer', output: 'string' }],
  eventRows: [{ name: 'fault', data: 'string' }],
};

function flowNodes(expose: object = {}): FlowNode[] {
  const reply = { id: 'reply', z: 't', type: 'pipevine-reply', payload: 'payload', payloadType: 'msg', wires: [] };
  // The test helper has room for one catch node.
  const nodes = watchedNode({ ...boiler, ...expose });
  return [...nodes.map((node) => (node.type === 'catch' ? { ...node, scope: ['p', 'reply'] } : node)), reply];
}

async function flowWith(expose: object = {}): Promise<FlowTest> {
  const { node, credentials } = await overlay.peerConfig('a');
  const nodes = [pipevineExpose, pipevineReply, pipevineProperty];
  const flow = await startFlow({
    nodes,
    userDir: overlay.folder('red'),
    credentials,
    flow: [node, ...flowNodes(expose)],
  });
  await flow.status('p', 'exposed');
  return flow;
}

/** The thing as another peer sees it, once it does. */
async function consumed(title = 'Boiler'): Promise<ConsumedThing> {
  for await (const { change, thing } of overlay.group.watchThings()) {
    if (change !== 'removed' && thing.title === title) return overlay.group.consume(thing);
  }
  throw new Error('the watch has ended');
}

/** Answers the requests that come out, as a function node between expose and reply would. */
function answerWith(flow: FlowTest, make: (msg: Requested) => object): void {
  flow.node<Node>('out').on('input', (msg) => flow.send('reply', { ...msg, ...make(msg as Requested) }));
}
interface Requested extends NodeMessageInFlow {
  readonly request: { readonly type: string; readonly name: string; readonly roles: readonly string[] };
}

describe('an expose node', () => {
  it('makes a flow a thing: reads, writes and invocations come out and are answered', async () => {
    await using flow = await flowWith();
    answerWith(flow, ({ request, payload }) => ({
      payload: request.type === 'read' ? '21.5' : request.type === 'invoke' ? `boosted ${payload}` : undefined,
    }));
    const thing = await consumed();
    expect(thing.summary.description.properties?.target).toMatchObject({
      type: 'number',
      unit: '°C',
      minimum: 5,
      maximum: 30,
    });
    expect((await thing.readProperty('target')).value).toBe(21.5);
    await thing.writeProperty('target', 20);
    expect(await thing.invokeAction('boost', 3)).toBe('boosted 3');
    const requests = await flow.received('out', 3);
    expect(requests.map((msg) => (msg as Requested).request)).toMatchObject([
      { type: 'read', name: 'target', thing: 'Boiler', peer: overlay.gateway.id },
      { type: 'write', name: 'target' },
      { type: 'invoke', name: 'boost' },
    ]);
    expect(requests[1]).toMatchObject({ payload: 20, topic: 'Boiler/target' });
  });

  it('refuses when the flow does, with its code', async () => {
    await using flow = await flowWith();
    answerWith(flow, ({ request }) => ({
      error: request.type === 'read' ? { code: 'busy', message: 'The burner starts.' } : 'Not now.',
    }));
    const thing = await consumed();
    await expect(thing.readProperty('target')).rejects.toMatchObject({ code: 'busy', message: 'The burner starts.' });
    await expect(thing.writeProperty('target', 20)).rejects.toMatchObject({ code: 'refused', message: 'Not now.' });
  });

  it('ends a request that nobody answers, and tells the late reply', async () => {
    await using flow = await flowWith({ timeout: '0.2' });
    const thing = await consumed();
    await expect(thing.readProperty('target')).rejects.toMatchObject({ code: 'timeout' });
    const [request] = await flow.received('out', 1);
    flow.send('reply', { ...request, payload: 20 });
    expect((await flow.received('caught', 1))[0]).toMatchObject({ error: { code: 'not-found' } });
  });

  it('tells the reply node of an answer that the description does not allow, and takes another', async () => {
    await using flow = await flowWith();
    const thing = await consumed();
    const reading = thing.readProperty('target');
    const [request] = await flow.received('out', 1);
    flow.send('reply', { ...request, payload: 'hot' });
    expect((await flow.received('caught', 1))[0]).toMatchObject({ error: { code: 'invalid-argument' } });
    flow.send('reply', { ...request, payload: 30 });
    expect((await reading).value).toBe(30);
  });

  it('tells observers of values and events that the flow sends in', async () => {
    await using flow = await flowWith({ serveLast: true });
    flow.send('p', { topic: 'target', payload: '19' });
    await flow.received('completed', 1);
    const thing = await consumed();
    expect((await thing.readProperty('target')).value).toBe(19);
    const values: unknown[] = [];
    for await (const notice of thing.observeProperty('target')) {
      if (notice.type === 'value') values.push(notice.reading.value);
      if (values.length === 1) flow.send('p', { payload: { target: 20, state: 'ON' } });
      if (values.length === 2) break;
    }
    expect(values).toEqual([19, 20]);
    expect((await thing.readProperty('state')).value).toBe('on');
    const events = thing.subscribeEvent('fault')[Symbol.asyncIterator]();
    const first = events.next();
    // Requests on one pipe are begun in order: once this one is answered, the subscription is there.
    await thing.readProperty('state');
    flow.send('p', { event: 'fault', payload: 'no flame' } as NodeMessage);
    expect((await first).value).toMatchObject({ type: 'event', data: 'no flame' });
    await events.return?.();
  });

  it('keeps a value that was written and accepted, when it serves the last one', async () => {
    await using flow = await flowWith({ serveLast: true });
    answerWith(flow, () => ({}));
    const thing = await consumed();
    await thing.writeProperty('target', 12);
    expect((await thing.readProperty('target')).value).toBe(12);
  });

  it.each([
    ['a value that does not fit', { topic: 'target', payload: 99 }],
    ['a property that is not there', { topic: 'colour', payload: 1 }],
    ['an event that is not there', { event: 'burst', payload: 1 }],
    ['nothing that says what it is', { payload: 1 }],
  ])('tells a catch node of %s', async (_, msg) => {
    await using flow = await flowWith();
    flow.send('p', msg);
    expect((await flow.received('caught', 1))[0]).toMatchObject({ error: { code: 'invalid-argument' } });
  });

  it('lets only the roles that it names read, observe, write, invoke and subscribe', async () => {
    await using flow = await flowWith({
      readRoles: 'nurse',
      writeRoles: 'nurse, doctor',
      invokeRoles: 'doctor',
      serveLast: true,
    });
    flow.send('p', { topic: 'target', payload: 20 });
    const thing = await consumed();
    const refused = { code: 'refused' };
    await expect(thing.readProperty('target')).rejects.toMatchObject(refused);
    await expect(thing.writeProperty('target', 20)).rejects.toMatchObject(refused);
    await expect(thing.invokeAction('boost', 1)).rejects.toMatchObject(refused);
    const first = (items: AsyncIterable<unknown>) => items[Symbol.asyncIterator]().next();
    await expect(first(thing.observeProperty('target'))).rejects.toMatchObject(refused);
    await expect(first(thing.subscribeEvent('fault'))).rejects.toMatchObject(refused);
  });

  it('refuses more open requests than its bound, and takes others when they are answered', async () => {
    await using flow = await flowWith();
    const { id } = overlay.gateway;
    const { signal } = new AbortController();
    const table = openInteractions({ events: {} } as Parameters<typeof openInteractions>[0]);
    const open = () => table.open({ peer: id, what: 'x', timeoutMs: 60_000, signals: [signal], accept: () => 1 });
    const all = Array.from({ length: 256 }, open);
    expect(open).toThrow(expect.objectContaining({ code: 'overloaded' }));
    for (const { id: request } of all) table.answer(request, 1);
    expect(table.counters).toEqual({ open: 0, refused: 1, expired: 0 });
    const refused = open();
    table.refuse(refused.id, new PipevineError('refused', 'no'));
    await expect(refused.answer).rejects.toMatchObject({ code: 'refused' });
    await flow.status('p', 'exposed');
  });

  it('is found again after a deploy, with its new description', async () => {
    await using flow = await flowWith();
    await consumed();
    const { node } = await overlay.peerConfig('a');
    await flow.deploy([node, ...flowNodes({ title: 'Heater' })], 'nodes');
    await flow.status('p', 'exposed');
    const heater = await consumed('Heater');
    expect(heater.summary.title).toBe('Heater');
    const there = new Set<string>();
    for await (const { change, thing } of overlay.group.watchThings()) {
      if (change === 'removed') there.delete(thing.title);
      else there.add(thing.title);
      if (there.has('Heater') && !there.has('Boiler')) break;
    }
    expect([...there]).toEqual(['Heater']);
  });

  it('serves a node of the same peer, too', async () => {
    const { node, credentials } = await overlay.peerConfig('a');
    const read = {
      id: 'r',
      z: 't',
      type: 'pipevine-property',
      peer: 'a',
      mode: 'read',
      thing: 'Boiler',
      property: 'target',
    };
    await using flow = await startFlow({
      nodes: [pipevineExpose, pipevineReply, pipevineProperty],
      userDir: overlay.folder('red'),
      credentials,
      flow: [
        node,
        ...flowNodes({ serveLast: true }),
        { ...read, wires: [['got']] },
        { id: 'got', z: 't', type: 'helper' },
      ],
    });
    await flow.status('p', 'exposed');
    flow.send('p', { topic: 'Boiler/target', payload: 7 });
    flow.send('r', { payload: '' });
    expect((await flow.received('got', 1))[0]).toMatchObject({ payload: 7 });
  });

  it('says at the start what is wrong with its description', async () => {
    const { node, credentials } = await overlay.peerConfig('a');
    const p = flowNodes({ propertyRows: [{ name: 'a', type: 'colour' }] });
    const nodes = [pipevineExpose, pipevineReply];
    await using flow = await startFlow({ nodes, userDir: overlay.folder('red'), credentials, flow: [node, ...p] });
    await flow.status('p', 'invalid-argument');
    flow.send('p', { topic: 'a', payload: 1 });
    await flow.received('caught', 1);
  });

  it('has its description checked for the editor', async () => {
    await using flow = await flowWith();
    const { body: fine } = await flow.post('/pipevine/check-description', boiler);
    expect(fine).toMatchObject({ message: null, description: { title: 'Boiler' } });
    const { body: wrong } = await flow.post('/pipevine/check-description', { form: 'json', td: '{"title": 7}' });
    expect(wrong).toMatchObject({ message: expect.stringContaining('title'), description: null });
  });
});
