import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pipeIn, tab } from './flow-parts.ts';
import { startGateway } from './overlay-gateway.ts';
import { installNodes, packNodes } from './packed-package.ts';
import { RedComms } from './red-comms.ts';
import { startRed } from './red-process.ts';

/** A peer that goes without a goodbye is missed after far longer. */
const GOODBYE_MS = 2_000;

let folder: string;
let tarball: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipevine-stop-'));
  tarball = await packNodes();
}, 120_000);

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  if (tarball !== undefined) rmSync(dirname(tarball), { recursive: true, force: true });
});

describe('a Node-RED that is asked to end', () => {
  it.each(['node-red', 'node-red-4'])('says goodbye as a peer (%s)', async (name) => {
    const userDir = join(folder, name);
    await installNodes(tarball, userDir);
    // Here no system closes the connections of a process that is gone.
    await using gateway = await startGateway({ transport: 'udp' });
    await using red = await startRed(name, userDir, gateway.environment);
    await red.deploy([
      tab('flow'),
      { id: 'peer', type: 'pipevine-peer', name: 'short', join: 'local', home: gateway.home, multicast: false },
      pipeIn('in', 'flow', 'peer', 'news', []),
    ]);
    using comms = await RedComms.open(red.url);
    await comms.status('in', (text) => /online/.test(text));
    await red.terminate();
    expect(red.process.exitCode).toBe(0);
    await gateway.peerGone(GOODBYE_MS);
  });
});
