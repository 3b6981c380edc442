import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FlowTest, startFlow } from '../testing/flow-test.ts';
import { startTestOverlay, type TestOverlay } from '../testing/test-overlay.ts';
import pipevineEvent from './pipevine-event.ts';
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

async function flowWith(event: object): Promise<FlowTest> {
  const { node, credentials } = await overlay.peerConfig('a');
  const p = watchedNode({ type: 'pipevine-event', thing: 'Hall lamp', event: 'pressed', ...event });
  return startFlow({ nodes: [pipevineEvent], userDir: overlay.folder('red'), credentials, flow: [node, ...p] });
}

describe('an event node', () => {
  it('sends each event of the thing', async () => {
    const subscribed = lamp.subscribed();
    await using flow = await flowWith({});
    await subscribed;
    await flow.status('p', 'subscribed');
    lamp.exposed.emitEvent('pressed', 'long');
    lamp.exposed.emitEvent('pressed', 'short');
    const got = await flow.received('out', 2);
    expect(got.map(({ payload }) => payload)).toEqual(['long', 'short']);
    expect(got[0]).toMatchObject({ topic: 'Hall lamp/pressed', event: 'pressed', timestamp: expect.any(Number) });
    expect(got[0]).not.toHaveProperty('lost');
  });

  it('says when the thing is gone, and subscribes again when it is back', async () => {
    await using flow = await flowWith({});
    await flow.status('p', 'subscribed');
    await lamp.exposed.destroy();
    await flow.status('p', 'gone');
    const again = await exposeLamp(overlay.group);
    await again.subscribed();
    await flow.status('p', 'subscribed');
    again.exposed.emitEvent('pressed', 'again');
    expect((await flow.received('out', 1))[0]).toMatchObject({ payload: 'again' });
  });

  it('tells a catch node of an event that the thing has not', async () => {
    await using flow = await flowWith({ event: 'burst' });
    expect((await flow.received('caught', 1))[0]).toMatchObject({ error: { code: 'invalid-argument' } });
    await flow.status('p', 'invalid-argument');
  });
});
