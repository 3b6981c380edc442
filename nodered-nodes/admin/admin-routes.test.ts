import { expect, it } from 'vitest';
import type { NodeAPI } from '../node/red.ts';
import { startFlow } from '../testing/flow-test.ts';
import { startTestOverlay } from '../testing/test-overlay.ts';
import { ADMIN_ROUTES } from './admin-routes.ts';
import { registerAdminRoutes } from './register-admin-routes.ts';

it('every route is behind its permission, below /pipevine/, and no GET writes', () => {
  const registered: { method: string; path: string; first: unknown }[] = [];
  const add = (method: string) => (path: string, first: unknown) => void registered.push({ method, path, first });
  const all = ['get', 'post', 'put', 'delete', 'patch', 'all', 'use'].map((method) => [method, add(method)]);
  const RED = {
    httpAdmin: Object.fromEntries(all),
    auth: { needsPermission: (permission: string) => ({ guard: permission }) },
  };
  // All that the registration uses of it.
  registerAdminRoutes(RED as unknown as NodeAPI);
  expect(registered).toEqual(
    ADMIN_ROUTES.map(({ method, path, permission }) => ({ method, path, first: { guard: permission } })),
  );
  for (const { method, path, permission } of ADMIN_ROUTES) {
    expect(path).toMatch(/^\/pipevine\//);
    if (method === 'get') expect(permission).toBe('pipevine.read');
  }
});

it('answers what is there, and says what to do where nothing runs', async () => {
  await using overlay = await startTestOverlay();
  await overlay.group.expose(
    { title: 'Hall lamp', properties: { power: { type: 'boolean' } }, actions: { blink: {} } },
    {
      readProperty: async () => ({ value: true, timestampMs: 0 }),
      writeProperty: async () => {},
      invokeAction: async () => undefined,
    },
  );
  await overlay.group.namedPipes.listen({ name: 'news' }, () => {});
  const a = await overlay.peerConfig('a');
  await using flow = await startFlow({
    nodes: [],
    userDir: overlay.folder('red'),
    credentials: a.credentials,
    flow: [a.node],
  });
  expect(await flow.get('/pipevine/a/things')).toMatchObject({
    status: 200,
    body: {
      standIn: false,
      things: [
        {
          title: 'Hall lamp',
          properties: [{ name: 'power', type: 'boolean', readOnly: false }],
          actions: [{ name: 'blink' }],
        },
      ],
    },
  });
  // A peer that is not deployed: another one stands in.
  expect(await flow.get('/pipevine/new/pipes')).toMatchObject({
    body: { standIn: true, pipes: [{ name: 'news', kind: 'secure', peer: overlay.gateway.id }] },
  });
  expect(await flow.get('/pipevine/a/peers')).toMatchObject({
    body: { peers: expect.arrayContaining([expect.objectContaining({ id: overlay.gateway.id, connected: true })]) },
  });
  expect(await flow.get('/pipevine/a/state')).toMatchObject({ body: { phase: 'online', group: { name: 'home' } } });
  expect(await flow.get(`/pipevine/a/route/${overlay.gateway.id}`)).toMatchObject({
    body: { state: 'direct', transport: 'tcp' },
  });
  expect(await flow.get('/pipevine/a/route/nobody')).toMatchObject({ status: 400, body: { code: 'invalid-argument' } });
  expect(await flow.post('/pipevine/a/invite', { uses: 0 })).toMatchObject({ status: 400 });
  expect(await flow.post('/pipevine/a/invite', {})).toMatchObject({ status: 403, body: { code: 'refused' } });
  expect(await flow.post('/pipevine/peer/a/test')).toMatchObject({ body: { result: 'member', message: 'home' } });
});

it('tests what a dialog shows without joining, with the saved credentials', async () => {
  await using overlay = await startTestOverlay();
  const a = await overlay.peerConfig('a');
  await using flow = await startFlow({
    nodes: [],
    userDir: overlay.folder('red'),
    credentials: a.credentials,
    flow: [a.node],
  });
  const config = { join: 'code', multicast: false };
  expect(await flow.post('/pipevine/peer/a/test', { config, credentials: {} })).toMatchObject({
    body: { result: 'found', links: 1 },
  });
  expect(await flow.post('/pipevine/peer/a/test', { config, credentials: { code: 'BXX' } })).toMatchObject({
    body: { result: 'failed', code: 'invalid-argument' },
  });
  expect(await flow.post('/pipevine/peer/new/test', { config: { join: 'group' } })).toMatchObject({
    body: { result: 'failed', code: 'invalid-argument' },
  });
});
