import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NodeMessage } from '../node/red.ts';
import { type FlowNode, type FlowTest, startFlow } from '../testing/flow-test.ts';
import { startTestOverlay, type TestOverlay } from '../testing/test-overlay.ts';
import pipevineProperty from './pipevine-property.ts';
import { exposeLamp, type TestLamp } from './testing/test-lamp.ts';
import { watchedNode } from './testing/watched-node.ts';

let overlay: TestOverlay;
let lamp: TestLamp;

beforeEach(async () => {
  overlay = await startTestOverlay();
  lamp = await exposeLamp(overlay.group);
});
afterEach(async () => {
  await overlay[Symbol.asyncDispose]();
});

interface Setup {
  readonly peer?: Readonly<Record<string, unknown>>;
  readonly more?: readonly FlowNode[];
}

async function flowWith(
  property: Readonly<Record<string, unknown>>,
  { peer, more = [] }: Setup = {},
): Promise<FlowTest> {
  const a = await overlay.peerConfig('a', peer);
  return startFlow({
    nodes: [pipevineProperty],
    userDir: overlay.folder('red'),
    credentials: a.credentials,
    flow: [a.node, ...nodes(property), ...more],
  });
}

function nodes(property: Readonly<Record<string, unknown>>): FlowNode[] {
  const common = { thing: 'Hall lamp', thingType: 'str', property: 'brightness', propertyType: 'str' };
  return watchedNode({ type: 'pipevine-property', ...common, ...property });
}

describe('a property node that reads', () => {
  it('sends the value, whose it is, and when it was had', async () => {
    await using flow = await flowWith({ mode: 'read' });
    flow.send('p', { payload: 'now', keep: 1 } as NodeMessage);
    const [msg] = await flow.received('out', 1);
    expect(msg).toMatchObject({
      payload: 10,
      topic: 'Hall lamp/brightness',
      property: 'brightness',
      thing: { title: 'Hall lamp', id: lamp.exposed.description.id, peer: overlay.gateway.id },
      stale: false,
      lastSeen: expect.stringMatching(/^\d{4}-.*Z$/),
      timestamp: expect.any(Number),
      keep: 1,
    });
    expect(await flow.received('completed', 1)).toHaveLength(1);
  });

  it('takes the thing from the message, by title, id or what another node sent', async () => {
    await using flow = await flowWith({ mode: 'read', thing: '', property: '' });
    const { id } = lamp.exposed.description;
    for (const thing of ['Hall lamp', id, { id }]) flow.send('p', { thing, property: 'brightness' } as NodeMessage);
    const got = await flow.received('out', 3);
    expect(got.map(({ payload }) => payload)).toEqual([10, 10, 10]);
  });

  it('takes thing and property from the flow, the global context, the environment and an expression', async () => {
    process.env.PIPEVINE_TEST_THING = 'Hall lamp';
    const { node, credentials } = await overlay.peerConfig('a');
    const kinds = [
      { thing: 'which', thingType: 'flow' },
      { thing: 'which', thingType: 'global' },
      { thing: 'PIPEVINE_TEST_THING', thingType: 'env' },
      { thing: '"Hall " & payload', thingType: 'jsonata' },
      { thing: 'topic', thingType: 'msg' },
    ];
    const flowNodes = kinds.map((kind, i) => ({
      ...nodes({ mode: 'read', ...kind })[1],
      id: `p${i}`,
      type: 'pipevine-property',
    }));
    await using flow = await startFlow({
      nodes: [pipevineProperty],
      userDir: overlay.folder('red'),
      credentials,
      flow: [node, { id: 't', type: 'tab' }, ...flowNodes, { id: 'out', z: 't', type: 'helper' }],
    });
    flow.node('p0').context().flow.set('which', 'Hall lamp');
    flow.node('p1').context().global.set('which', 'Hall lamp');
    for (const i of kinds.keys()) flow.send(`p${i}`, { payload: 'lamp', topic: 'Hall lamp' } as NodeMessage);
    expect(await flow.received('out', kinds.length)).toHaveLength(kinds.length);
    delete process.env.PIPEVINE_TEST_THING;
  });

  it.each([
    ['a property that is not there', { property: 'colour' }, 'invalid-argument'],
    ['a thing that is not there', { thing: 'Cellar lamp' }, 'not-found'],
    ['no thing', { thing: '' }, 'invalid-argument'],
    ['a refusal', { property: 'secret' }, 'refused'],
    ['no answer in time', { property: 'slow', timeout: '0.3' }, 'timeout'],
  ])('tells a catch node of %s, by a code', async (_, config, code) => {
    await using flow = await flowWith({ mode: 'read', ...config });
    flow.send('p', { payload: 1 });
    const [msg] = await flow.received('caught', 1);
    expect(msg).toMatchObject({ error: { code } });
    await flow.status('p', code);
  });
});

describe('a property node that writes', () => {
  it('writes the payload, in the type that the description wants', async () => {
    await using flow = await flowWith({ mode: 'write' });
    for (const payload of [20, '30', ' 40 ']) flow.send('p', { payload });
    const got = await flow.received('out', 3);
    expect(got.map(({ payload }) => payload)).toEqual([20, 30, 40]);
    expect(lamp.writes).toEqual([20, 30, 40]);
    await flow.received('completed', 3);
  });

  it('refuses what the description does not allow', async () => {
    await using flow = await flowWith({ mode: 'write' });
    for (const payload of ['bright', 101, { a: 1 }, undefined]) flow.send('p', { payload });
    const caught = await flow.received('caught', 4);
    for (const msg of caught) expect(msg).toMatchObject({ error: { code: 'invalid-argument' } });
    expect(lamp.writes).toEqual([]);
  });

  it('keeps values while the thing is away when the peer is to, and writes them in order', async () => {
    await lamp.exposed.destroy();
    await using flow = await flowWith({ mode: 'write' }, { peer: { offline: 'queue' } });
    await flow.status('p', 'online');
    for (const payload of [1, 2, 3]) flow.send('p', { payload });
    await flow.status('p', 'waiting');
    const again = await exposeLamp(overlay.group);
    await flow.received('out', 3);
    expect(again.writes).toEqual([1, 2, 3]);
  });

  it('tells a catch node, or drops the value, when the peer is to', async () => {
    await lamp.exposed.destroy();
    await using flow = await flowWith({ mode: 'write' }, { peer: { offline: 'error' } });
    await flow.status('p', 'online');
    flow.send('p', { payload: 1 });
    expect((await flow.received('caught', 1))[0]).toMatchObject({ error: { code: 'not-found' } });
    const { node } = await overlay.peerConfig('a', { offline: 'drop' });
    await flow.deploy([node, ...nodes({ mode: 'write' })]);
    await flow.status('p', 'online');
    flow.send('p', { payload: 2 });
    await flow.status('p', 'dropped');
    await flow.received('completed', 1);
  });
});

describe('a property node that observes', () => {
  it('sends the present value, then each change', async () => {
    await using flow = await flowWith({ mode: 'observe' });
    await flow.received('out', 1);
    lamp.change(11);
    await flow.received('out', 2);
    lamp.change(11);
    const got = await flow.received('out', 3);
    expect(got.map(({ payload }) => payload)).toEqual([10, 11, 11]);
    expect(got[2]).toMatchObject({ topic: 'Hall lamp/brightness', stale: false });
    await flow.status('p', '11');
  });

  it('leaves out what is like the last value when it is to', async () => {
    await using flow = await flowWith({ mode: 'observe', onChange: true, deadband: '5' });
    await flow.received('out', 1);
    for (const value of [12, 14]) {
      lamp.change(value);
      await lamp.observed(value, overlay.group);
    }
    lamp.change(15);
    const got = await flow.received('out', 2);
    expect(got.map(({ payload }) => payload)).toEqual([10, 15]);
  });

  it('says that the value is out of date when the thing is gone, and goes on when it is back', async () => {
    await using flow = await flowWith({ mode: 'observe', tellStale: true });
    await flow.received('out', 1);
    await lamp.exposed.destroy();
    const [, stale] = await flow.received('out', 2);
    expect(stale).toMatchObject({ payload: 10, stale: true });
    await flow.status('p', 'gone');
    const again = await exposeLamp(overlay.group, 50);
    const [, , back] = await flow.received('out', 3);
    expect(back).toMatchObject({ payload: 50, stale: false });
    again.change(51);
    expect((await flow.received('out', 4))[3]).toMatchObject({ payload: 51, stale: false });
  });

  it('waits for a thing that comes later', async () => {
    await using flow = await flowWith({ mode: 'observe', thing: 'Cellar lamp' });
    await flow.status('p', 'gone');
    await exposeLamp(overlay.group, 3, 'Cellar lamp');
    expect((await flow.received('out', 1))[0]).toMatchObject({ payload: 3, topic: 'Cellar lamp/brightness' });
  });

  it('says of two things with the title that it cannot choose, and takes the one that is left', async () => {
    const other = await overlay.member('other');
    const twin = await exposeLamp(other.group, 7);
    await using flow = await flowWith({ mode: 'observe' });
    await flow.status('p', 'ambiguous');
    await lamp.exposed.destroy();
    await flow.received('out', 1);
    twin.change(8);
    await flow.status('p', '8');
  });

  it('goes on after a deploy, full or of itself alone', async () => {
    const { node, credentials } = await overlay.peerConfig('a');
    await using flow = await startFlow({
      nodes: [pipevineProperty],
      userDir: overlay.folder('red'),
      credentials,
      flow: [node, ...nodes({ mode: 'observe' })],
    });
    await flow.received('out', 1);
    await flow.deploy([node, ...nodes({ mode: 'observe', name: 'renamed' })], 'nodes');
    await flow.received('out', 2);
    await flow.deploy([node, ...nodes({ mode: 'observe' })], 'full');
    await flow.received('out', 3);
    lamp.change(12);
    expect((await flow.received('out', 4)).at(-1)).toMatchObject({ payload: 12 });
  });

  it('tells a catch node of what will not come by waiting', async () => {
    await using flow = await flowWith({ mode: 'observe', property: 'colour' });
    expect((await flow.received('caught', 1))[0]).toMatchObject({ error: { code: 'invalid-argument' } });
  });
});
