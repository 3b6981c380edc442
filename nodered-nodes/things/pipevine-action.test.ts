import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NodeMessage } from '../node/red.ts';
import { type FlowTest, startFlow } from '../testing/flow-test.ts';
import { startTestOverlay, type TestOverlay } from '../testing/test-overlay.ts';
import pipevineAction from './pipevine-action.ts';
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

async function flowWith(action: object, peer: Readonly<Record<string, unknown>> = {}): Promise<FlowTest> {
  const { node, credentials } = await overlay.peerConfig('a', peer);
  const p = watchedNode({ type: 'pipevine-action', thing: 'Hall lamp', action: 'blink', ...action });
  return startFlow({ nodes: [pipevineAction], userDir: overlay.folder('red'), credentials, flow: [node, ...p] });
}

describe('an action node', () => {
  it('invokes with the payload in the type that is wanted, and sends what the action gave', async () => {
    await using flow = await flowWith({});
    flow.send('p', { payload: '3' });
    const [msg] = await flow.received('out', 1);
    expect(msg).toMatchObject({
      payload: 'blinked 3',
      topic: 'Hall lamp/blink',
      action: 'blink',
      thing: { title: 'Hall lamp' },
    });
    await flow.received('completed', 1);
  });

  it('gives nothing to an action that takes nothing, and passes the payload on when nothing comes back', async () => {
    await using flow = await flowWith({ action: 'ring' });
    flow.send('p', { payload: 'anything' });
    expect((await flow.received('out', 1))[0]).toMatchObject({ payload: 'anything', action: 'ring' });
    expect(lamp.invocations).toEqual([undefined]);
  });

  it('takes thing, action and input from the message', async () => {
    await using flow = await flowWith({ thing: '', action: '', input: 'times', inputType: 'msg' });
    flow.send('p', { thing: 'Hall lamp', action: 'blink', times: 5 } as NodeMessage);
    expect((await flow.received('out', 1))[0]).toMatchObject({ payload: 'blinked 5' });
  });

  it.each([
    ['a refusal', { action: 'jam' }, 'busy'],
    ['an action that is not there', { action: 'explode' }, 'invalid-argument'],
    ['an input that does not fit', { input: 'often', inputType: 'str' }, 'invalid-argument'],
    ['a thing that is not there', { thing: 'Cellar lamp' }, 'not-found'],
  ])('tells a catch node of %s, by a code', async (_, config, code) => {
    await using flow = await flowWith(config, { offline: 'error' });
    await flow.status('p', 'online');
    flow.send('p', { payload: 1 });
    expect((await flow.received('caught', 1))[0]).toMatchObject({ error: { code } });
  });

  it('keeps invocations for a thing that is away, and invokes each once when it is back', async () => {
    await lamp.exposed.destroy();
    await using flow = await flowWith({}, { offline: 'queue' });
    await flow.status('p', 'online');
    flow.send('p', { payload: 1 });
    flow.send('p', { payload: 2 });
    await flow.status('p', 'waiting');
    const again = await exposeLamp(overlay.group);
    await flow.received('completed', 2);
    expect(again.invocations).toEqual([1, 2]);
  });
});
