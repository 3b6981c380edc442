import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { catching, code, debug, type FlowPart, inject, pipeIn, pipeOut, press, record, tab } from './flow-parts.ts';
import { type OverlayGateway, startGateway } from './overlay-gateway.ts';
import { installNodes, packNodes } from './packed-package.ts';
import { RedComms } from './red-comms.ts';
import { type RedProcess, startRed } from './red-process.ts';

const MESSAGES = 10_000;
/** How soon after its start a Node-RED is back. */
const BACK_MS = 10_000;
/** How soon the other side notices that one is gone: before what was sent could be given up as unacknowledged. */
const NOTICED_MS = 12_000;
const TICK_SECONDS = 0.25;
const POLICIES = ['queue', 'error', 'drop'] as const;

/** What counts numbered messages at the end of a pipe, and tells at the last. */
const COUNT = `
const count = (context.get('count') || 0) + 1;
const inOrder = (context.get('last') ?? -1) + 1 === msg.payload && context.get('inOrder') !== false;
context.set('count', count); context.set('last', msg.payload); context.set('inOrder', inOrder);
if (count < ${MESSAGES}) return null;
return { payload: { count, inOrder } };`;
const SERIES = `for (let i = 0; i < ${MESSAGES}; i++) node.send({ payload: i }); return null;`;

let folder: string;
let tarball: string;
let gateway: OverlayGateway;
let here: RedProcess;
let there: RedProcess;
let hereComms: RedComms;
let thereComms: RedComms;

const start = (name: 'here' | 'there') => startRed('node-red', join(folder, name), gateway.environment);
const fileOf = (policy: string) => join(folder, `seen-${policy}.jsonl`);

function inputs(): FlowPart[] {
  const peer = { name: 'there', join: 'local', home: gateway.home, multicast: false };
  return [
    tab('there'),
    { id: 'peer-there', type: 'pipevine-peer', ...peer },
    ...POLICIES.flatMap((policy) => [
      pipeIn(`in-${policy}`, 'there', 'peer-there', `ticks-${policy}`, [`from-${policy}`]),
      code(`from-${policy}`, 'there', 'return { payload: { at: msg.payload, peer: msg.peer } };', [
        `seen-${policy}`,
        `record-${policy}`,
      ]),
      debug(`seen-${policy}`, 'there'),
      ...record(`record-${policy}`, 'there', fileOf(policy)),
    ]),
    pipeIn('in-many', 'there', 'peer-there', 'many', ['count']),
    code('count', 'there', COUNT, ['counted']),
    debug('counted', 'there'),
  ];
}

async function outputs(): Promise<FlowPart[]> {
  const parts: FlowPart[] = [tab('here')];
  for (const policy of POLICIES) {
    // By code, unlike the other side.
    const peer = { join: 'code', seeds: gateway.address, multicast: false, offline: policy, queueLimit: 1_000 };
    const credentials = { code: await gateway.invite() };
    parts.push(
      { id: `peer-${policy}`, type: 'pipevine-peer', name: `here ${policy}`, ...peer, credentials },
      inject(`tick-${policy}`, 'here', [`out-${policy}`, `ticked-${policy}`], TICK_SECONDS),
      debug(`ticked-${policy}`, 'here'),
      pipeOut(`out-${policy}`, 'here', `peer-${policy}`, `ticks-${policy}`),
      catching(`catch-${policy}`, 'here', [`out-${policy}`], [`error-${policy}`]),
      code(`error-${policy}`, 'here', 'return { payload: { at: msg.payload, code: msg.error.code } };', [
        `caught-${policy}`,
      ]),
      debug(`caught-${policy}`, 'here'),
    );
  }
  return [
    ...parts,
    inject('inject-many', 'here', ['series']),
    code('series', 'here', SERIES, ['out-many']),
    pipeOut('out-many', 'here', 'peer-queue', 'many'),
    catching('catch-many', 'here', ['out-many'], ['caught-many']),
    debug('caught-many', 'here', 'error'),
  ];
}

/** A tick that has come, or was caught. */
interface Tick {
  readonly at: number;
  readonly peer?: string;
  readonly code?: string;
}
// Flows of this test make no other payloads at these nodes.
const tick = (value: unknown) => value as Tick;

/** Resolves with the first tick of each policy that was made after `sinceMs` and has come there. */
function flowing(sinceMs: number): Promise<Tick[]> {
  const first = async (policy: string) => {
    const isNew = (value: unknown) => tick(value).at > sinceMs;
    return tick((await thereComms.message(`seen-${policy}`, isNew, { deadlineMs: BACK_MS })).value);
  };
  return Promise.all(POLICIES.map(first));
}

/** What came there after `sinceMs`, in order, whatever process was there at the time. */
function arrived(policy: string, sinceMs: number): number[] {
  const lines = readFileSync(fileOf(policy), 'utf8').trim().split('\n');
  return lines.map((line) => tick(JSON.parse(line)).at).filter((at) => at > sinceMs);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipevine-two-'));
  [tarball, gateway] = await Promise.all([packNodes(), startGateway()]);
  await Promise.all(['here', 'there'].map((name) => installNodes(tarball, join(folder, name))));
  [here, there] = await Promise.all([start('here'), start('there')]);
  [hereComms, thereComms] = await Promise.all([RedComms.open(here.url), RedComms.open(there.url)]);
  await there.deploy(inputs());
  await here.deploy(await outputs());
  const isOnline = (text: string) => /online/.test(text);
  await Promise.all([
    ...POLICIES.map((policy) => hereComms.status(`out-${policy}`, isOnline)),
    ...POLICIES.map((policy) => thereComms.status(`in-${policy}`, isOnline)),
  ]);
}, 120_000);

afterAll(async () => {
  await Promise.all([here?.stop(), there?.stop()]);
  await gateway?.[Symbol.asyncDispose]();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  if (tarball !== undefined) rmSync(dirname(tarball), { recursive: true, force: true });
});

describe('two Node-REDs, each with a peer of its own', () => {
  it('bring what is injected here to a debug node there', async () => {
    await flowing(0);
  });

  it(`lose none of ${MESSAGES} messages, and keep their order`, async () => {
    await press(here, 'inject-many', 0);
    const { value } = await thereComms.message('counted', () => true, { deadlineMs: 60_000 });
    expect(value).toEqual({ count: MESSAGES, inOrder: true });
    expect(hereComms.values('caught-many')).toEqual([]);
  });

  it('go on when the receiving one was killed, each message as its offline policy wants', async () => {
    await there.kill();
    thereComms[Symbol.dispose]();
    const goneMs = Date.now();
    const from = hereComms.debug.length;
    const isGone = (value: unknown) => tick(value).at > goneMs;
    const isRefused = (value: unknown) => isGone(value) && tick(value).code === 'unreachable';
    await Promise.all([
      hereComms.status('out-queue', (text) => /waiting/.test(text), NOTICED_MS),
      hereComms.message('caught-error', isRefused, { deadlineMs: NOTICED_MS, from }),
      hereComms.status('out-drop', (text) => /dropped/.test(text), NOTICED_MS),
    ]);
    there = await start('there');
    const backMs = Date.now();
    thereComms = await RedComms.open(there.url);
    await flowing(backMs);

    const ticksOf = (policy: string) => hereComms.values(`ticked-${policy}`).map(Number);
    const missing = (policy: string) => {
      const came = new Set(arrived(policy, goneMs));
      const last = Math.max(...came);
      return ticksOf(policy).filter((at) => at > goneMs && at <= last && !came.has(at));
    };
    const caught = (policy: string) => hereComms.values(`caught-${policy}`).map(tick);

    expect(missing('queue')).toEqual([]);
    const queued = arrived('queue', goneMs);
    // What waited for its acknowledgement may come twice.
    const once = queued.filter((at, index) => queued.indexOf(at) === index);
    expect(once).toEqual([...once].sort((a, b) => a - b));
    expect(caught('queue').filter(isGone)).toEqual([]);

    const refused = new Map(caught('error').map(({ at, code: reason }) => [at, reason]));
    expect(missing('error').length).toBeGreaterThan(0);
    expect(missing('error').filter((at) => !refused.has(at))).toEqual([]);
    expect([...refused.values()]).toContain('unreachable');

    expect(missing('drop').length).toBeGreaterThan(0);
    expect(caught('drop').filter(isGone)).toEqual([]);
  });

  it('go on when the sending one was killed, as the same peers', async () => {
    const before = await flowing(Date.now());
    await here.kill();
    hereComms[Symbol.dispose]();
    here = await start('here');
    hereComms = await RedComms.open(here.url);
    const after = await flowing(Date.now());
    expect(after.map(({ peer }) => peer)).toEqual(before.map(({ peer }) => peer));
    expect(new Set(after.map(({ peer }) => peer)).size).toBe(POLICIES.length);
  });
});
