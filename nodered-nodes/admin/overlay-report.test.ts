import type { ThingHandlers } from '@pipevine/runtime';
import { describe, expect, it } from 'vitest';
import { type FlowTest, startFlow } from '../testing/flow-test.ts';
import { startTestOverlay, type TestOverlay } from '../testing/test-overlay.ts';
import type { OverlayReport } from './overlay-report.ts';

const handlers = (value: () => number): ThingHandlers => ({
  readProperty: async () => ({ value: value(), timestampMs: 1_700_000_000_000 }),
  writeProperty: async () => {},
  invokeAction: async () => undefined,
});
const expose = (overlay: TestOverlay, title: string, value = () => 21.5) =>
  overlay.group.expose(
    {
      title,
      properties: { temperature: { type: 'number', unit: 'Cel', readOnly: true, observable: true } },
      actions: { blink: {} },
      events: { pressed: {} },
    },
    handlers(value),
  );

async function editor(overlay: TestOverlay): Promise<FlowTest> {
  const { node, credentials } = await overlay.peerConfig('p');
  return startFlow({ nodes: [], flow: [node], credentials, userDir: overlay.folder('red') });
}

/** Asks as the sidebar does until an answer is as wanted. */
async function until(flow: FlowTest, holds: (report: OverlayReport) => boolean): Promise<OverlayReport> {
  let since = '';
  for (;;) {
    const { status, body } = await flow.get(`/pipevine/p/overlay${since}`);
    expect(status).toBe(200);
    // What the route says it answers.
    const report = body as OverlayReport;
    if ('things' in report && holds(report)) return report;
    since = `?since=${report.generation}`;
  }
}

describe('the report for the sidebar', () => {
  it('lists peers with the way to each, and things with what they have', async () => {
    await using overlay = await startTestOverlay();
    await expose(overlay, 'Hall lamp');
    await using flow = await editor(overlay);
    const report = await until(flow, ({ things, peers }) => things.length === 1 && peers.length === 2);
    expect(report.group?.name).toBe('home');
    expect(report.peers[0]).toMatchObject({ id: report.self?.id, route: { state: 'self' } });
    expect(report.peers[1]).toMatchObject({
      id: overlay.gateway.id,
      name: 'gateway',
      route: { state: 'direct', transport: 'tcp' },
    });
    const [thing] = report.things;
    expect(thing).toMatchObject({ title: 'Hall lamp', availability: 'up', route: { state: 'direct' } });
    expect(thing?.properties).toMatchObject([{ name: 'temperature', unit: 'Cel', readOnly: true, writeOnly: false }]);
    expect(thing?.actions.map(({ name }) => name)).toEqual(['blink']);
    expect(thing?.events.map(({ name }) => name)).toEqual(['pressed']);
  });

  it('answers a waiting question when a thing comes, and when it goes', async () => {
    await using overlay = await startTestOverlay();
    await using flow = await editor(overlay);
    await until(flow, ({ phase }) => phase === 'online');
    const waiting = until(flow, ({ things }) => things.some(({ title }) => title === 'Late'));
    const thing = await expose(overlay, 'Late');
    await waiting;
    const gone = until(flow, ({ things }) => things.length === 0);
    await thing.destroy();
    await gone;
  });

  it('says that no peer is deployed', async () => {
    await using overlay = await startTestOverlay();
    await using flow = await startFlow({ nodes: [], flow: [], userDir: overlay.folder('red') });
    expect(await flow.get('/pipevine/p/overlay')).toMatchObject({
      status: 200,
      body: { phase: 'absent', group: null },
    });
  });
});

describe('the value of a property', () => {
  it('is read when it is asked for', async () => {
    await using overlay = await startTestOverlay();
    let now = 21.5;
    await expose(overlay, 'Hall lamp', () => now);
    await using flow = await editor(overlay);
    const { things } = await until(flow, (report) => report.things.length === 1);
    const path = `/pipevine/p/value/${encodeURIComponent(things[0]?.id ?? '')}/temperature`;
    expect(await flow.get(path)).toMatchObject({
      status: 200,
      body: { text: '21.5', timestamp: '2023-11-14T22:13:20.000Z' },
    });
    now = 22;
    expect(await flow.get(path)).toMatchObject({ body: { text: '22' } });
  });

  it('is a code and a message for what is not there', async () => {
    await using overlay = await startTestOverlay();
    await using flow = await editor(overlay);
    await until(flow, ({ phase }) => phase === 'online');
    const body = { code: 'not-found', message: expect.any(String) };
    expect(await flow.get('/pipevine/p/value/nothing/temperature')).toMatchObject({ status: 200, body });
  });
});
