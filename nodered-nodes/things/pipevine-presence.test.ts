import { thingAdvertisementInit } from '@pipevine/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FlowTest, startFlow } from '../testing/flow-test.ts';
import { startTestOverlay, type TestOverlay } from '../testing/test-overlay.ts';
import pipevinePresence from './pipevine-presence.ts';
import { exposeLamp } from './testing/test-lamp.ts';
import { watchedNode } from './testing/watched-node.ts';

let overlay: TestOverlay;

beforeEach(async () => {
  overlay = await startTestOverlay();
});
afterEach(async () => {
  await overlay[Symbol.asyncDispose]();
});

async function flowWith(presence: object): Promise<FlowTest> {
  const { node, credentials } = await overlay.peerConfig('a');
  const p = watchedNode({ type: 'pipevine-presence', ...presence });
  return startFlow({ nodes: [pipevinePresence], userDir: overlay.folder('red'), credentials, flow: [node, ...p] });
}

const told = (messages: readonly object[]) =>
  messages.map((msg) => {
    const { event, payload, topic } = msg as { event: string; payload: string; topic: string };
    return `${event} ${topic} ${payload}`;
  });

describe('a presence node', () => {
  it('tells what is there, what comes, and what goes', async () => {
    const lamp = await exposeLamp(overlay.group);
    await using flow = await flowWith({ scope: 'all', snapshot: true });
    await flow.received('out', 1);
    const fan = await exposeLamp(overlay.group, 1, 'Fan');
    await flow.received('out', 2);
    await fan.exposed.destroy();
    await lamp.exposed.destroy();
    const got = await flow.received('out', 4);
    expect(told(got)[0]).toMatch(/^(present|added) Hall lamp up$/);
    expect(told(got).slice(1)).toEqual([
      expect.stringMatching(/^(present|added) Fan up$/),
      'removed Fan removed',
      'removed Hall lamp removed',
    ]);
    expect(got[0]).toMatchObject({
      thing: { id: lamp.exposed.description.id, connector: '', availability: 'up' },
      description: { title: 'Hall lamp' },
    });
  });

  it('does not tell what is there at the start unless it is to', async () => {
    const lamp = await exposeLamp(overlay.group);
    await using flow = await flowWith({ scope: 'all' });
    await flow.status('p', 'things: 1');
    await lamp.exposed.destroy();
    const [first] = await flow.received('out', 1);
    expect(first).toMatchObject({ event: 'removed', topic: 'Hall lamp' });
  });

  it('looks at one thing alone, or at titles like a pattern', async () => {
    await using flow = await flowWith({ scope: 'all', title: 'hall*', snapshot: true });
    await exposeLamp(overlay.group, 1, 'Fan');
    await exposeLamp(overlay.group, 1, 'Hall fan');
    const [only] = await flow.received('out', 1);
    expect(only).toMatchObject({ topic: 'Hall fan' });
    await flow.deploy([
      (await overlay.peerConfig('a')).node,
      ...watchedNode({ type: 'pipevine-presence', scope: 'one', thing: 'Fan', snapshot: true }),
    ]);
    await flow.status('p', 'up');
    expect((await flow.received('out', 2))[1]).toMatchObject({ topic: 'Fan', payload: 'up' });
  });

  it('tells when a thing falls asleep or is lost', async () => {
    const { exposed } = await exposeLamp(overlay.group);
    await using flow = await flowWith({ scope: 'one', thing: 'Hall lamp', snapshot: true });
    await flow.received('out', 1);
    const key = exposed.description.id.split(':').at(-1) ?? '';
    const { id: group } = overlay.group;
    for (const availability of ['sleeping', 'lost'] as const) {
      const { description } = exposed;
      await overlay.group.publish(thingAdvertisementInit({ group, key, description, availability, connector: '' }));
      await flow.status('p', availability);
    }
    const got = await flow.received('out', 3);
    expect(told(got).slice(1)).toEqual(['availability Hall lamp sleeping', 'availability Hall lamp lost']);
  });

  it('is told no thing: a catch node hears of it', async () => {
    await using flow = await flowWith({ scope: 'one', thing: '' });
    await flow.status('p', 'invalid-argument');
  });
});
