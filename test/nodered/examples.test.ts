import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startGateway } from './overlay-gateway.ts';
import { installNodes, packNodes } from './packed-package.ts';
import { RedComms } from './red-comms.ts';
import { type RedProcess, startRed } from './red-process.ts';

interface FlowNode {
  readonly id: string;
  readonly type: string;
  readonly name?: string;
}
interface Example {
  readonly name: string;
  readonly nodes: readonly FlowNode[];
}

let tarball: string;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipevine-examples-'));
  tarball = await packNodes();
}, 240_000);

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  if (tarball !== undefined) rmSync(dirname(tarball), { recursive: true, force: true });
});

/** A Node-RED that finds no gateway but the one that it is told, and the examples that it offers. */
async function start(red: string, environment: NodeJS.ProcessEnv): Promise<{ red: RedProcess; examples: Example[] }> {
  const userDir = join(folder, red);
  await installNodes(tarball, userDir);
  const running = await startRed(red, userDir, { XDG_DATA_HOME: join(folder, 'nobody'), ...environment });
  const files = globSync(join(userDir, 'node_modules/@pipevine/node-red/examples/*.json')).sort();
  const examples = files.map((file) => ({
    name: basename(file, '.json'),
    nodes: JSON.parse(readFileSync(file, 'utf8')) as FlowNode[],
  }));
  return { red: running, examples };
}

/** All of them at once: the peer is the same in each. */
function together(examples: readonly Example[], peer: object): FlowNode[] {
  const byId = new Map(examples.flatMap(({ nodes }) => nodes.map((node) => [node.id, node] as const)));
  return [...byId.values()].map((node) => (node.type === 'pipevine-peer' ? { ...node, ...peer } : node));
}

it.each(['node-red', 'node-red-4'])(
  '%s offers all examples, and each of their nodes accepts its settings',
  async (name) => {
    const { red, examples } = await start(name, { PIPEVINE_HOME: join(folder, 'nobody') });
    await using running = red;
    const offered = JSON.stringify(await running.get<unknown>('/library/examples/flows/@pipevine/node-red'));
    for (const example of examples) expect(offered).toContain(example.name);
    const flows = together(examples, { multicast: false });
    await running.deploy(flows);
    const deployed = await running.get<FlowNode[]>('/flows');
    expect(deployed.length).toBe(flows.length);
    expect(running.output()).not.toMatch(/missing types|invalid-argument/i);
  },
);

it('the examples that need no device of a certain name work on a gateway', async () => {
  await using gateway = await startGateway();
  const { red, examples } = await start('node-red', gateway.environment);
  await using running = red;
  using comms = await RedComms.open(running.url);
  const find = (example: string, type: string, name: string) => {
    const node = examples
      .find((one) => one.name === example)
      ?.nodes.find((one) => one.type === type && one.name === name);
    if (node === undefined) throw new Error(`no ${type} "${name}" in ${example}`);
    return node.id;
  };
  const press = async (example: string, name: string) => {
    const { ok } = await fetch(`${running.url}/inject/${find(example, 'inject', name)}`, { method: 'POST' });
    expect(ok).toBe(true);
  };
  const shown = async (example: string, name: string, accept: (value: unknown) => boolean = () => true) =>
    (await comms.message(find(example, 'debug', name), accept)).value;

  await running.deploy(together(examples, { home: gateway.home, multicast: false }));
  const service = '4 flow as a service';
  expect(await shown(service, 'temperature', (value) => Number(value) > 0)).toBeTypeOf('number');

  await press(service, '22 °C');
  await shown(service, 'target is set');
  expect(await gateway.ask('read', 'Flow heating', 'target')).toMatchObject([{ value: 22 }]);
  await press(service, '10 minutes');
  expect(await shown(service, 'boost says')).toBe('boosting for 10 minutes');
  expect(Number(await shown(service, 'event'))).toBe(10);

  await press('pipe in and out', 'hello');
  expect(await shown('pipe in and out', 'got')).toMatchObject({ payload: { hello: 'world' } });
  await press('pipe in and out', 'to all');
  expect(await shown('pipe in and out', 'got by all')).toBe('hello all');
  await press('pipe request and reply', '21');
  expect(Number(await shown('pipe request and reply', 'answer'))).toBe(42);

  await press('http expose and call', 'call');
  const answer = await shown('http expose and call', 'answer');
  expect(answer).toMatchObject({ hello: 'Ann', you: expect.stringContaining('urn:pipevine:peer:') });
  const page = await fetch(`${running.url}/flow/remote/site`);
  expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('Flow heating')]);

  await press('discover', 'look');
  expect(await shown('discover', 'pipes')).toMatchObject(
    expect.arrayContaining([expect.objectContaining({ name: 'news' })]),
  );
  expect(await shown('discover', 'change')).toMatchObject({ change: 'added' });
  await press('peer info', 'me');
  expect(await shown('peer info', 'answer')).toMatchObject({ name: 'node-red' });
  await press('group', 'members');
  const members = expect.arrayContaining([expect.objectContaining({ name: 'cellar', online: true })]);
  expect(await shown('group', 'members')).toMatchObject(members);
  await press('5 fleet status', 'each minute');
  expect(await shown('5 fleet status', 'peer')).toHaveProperty('uptimeSeconds');
  expect(await shown('5 fleet status', 'device')).toMatchObject({ thing: { title: 'Flow heating' } });
});
