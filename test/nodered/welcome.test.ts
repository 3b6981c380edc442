import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort, LineReader, temporaryFolder } from '../e2e/pipevine-process.ts';
import { EditorPage } from './editor-page.ts';
import { RedComms } from './red-comms.ts';

const START = fileURLToPath(new URL('../../nodered-nodes/welcome/start.ts', import.meta.url));
const IMAGE = fileURLToPath(new URL('../../docs/images/welcome.png', import.meta.url));
/** Less than the linger of a peer, on a machine that does other things, too. */
const STOP_MS = 4_500;
/** Of the welcome flow. */
const TEMPERATURE = '7f1a5c3e9b2d4a12';
const LAMP = '7f1a5c3e9b2d4a34';
const LAMP_ON = '7f1a5c3e9b2d4a31';
const ERRORS = '7f1a5c3e9b2d4a42';

describe('npm run nodered', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let process: ReturnType<typeof spawn>;
  let url: string;
  let gone: Promise<unknown[]>;

  beforeAll(async () => {
    folder = await temporaryFolder();
    process = spawn(globalThis.process.execPath, [
      ...[START, '--no-open', '--home', join(folder.path, 'home'), '--port', String(await freePort())],
    ]);
    if (process.stdout === null || process.stderr === null) throw new Error('no pipes to the process');
    gone = once(process, 'close');
    const errors = new LineReader(process.stderr);
    const lines = new LineReader(process.stdout);
    url = await lines
      .next((line) => /http:\S+/.exec(line)?.[0], 90_000)
      .catch((error: Error) => {
        throw new Error(`${error.message}\n${errors.lines.join('\n')}`);
      });
  }, 120_000);

  afterAll(async () => {
    process?.kill('SIGTERM');
    await gone;
    await folder?.remove();
  }, 60_000);

  it('opens on a flow in which the values of a device move, and which switches it', async () => {
    using comms = await RedComms.open(url);
    const temperatures = await comms.settled(TEMPERATURE, (values) => new Set(values).size >= 3, 30_000);
    expect(temperatures.every((value) => typeof value === 'number' && value >= 15 && value <= 30)).toBe(true);
    await fetch(`${url}/inject/${LAMP_ON}`, { method: 'POST' });
    await comms.message(LAMP, (value) => value === true, { deadlineMs: 30_000 });
    expect(comms.values(ERRORS)).toEqual([]);
    if (globalThis.process.env.PIPEVINE_SCREENSHOTS === '1') {
      await using page = await EditorPage.open(url);
      await page.showSidebar('debug');
      await page.debugMessage('Greenhouse').waitFor();
      await page.screenshot(IMAGE);
    }
  });

  it('ends in good order at Ctrl-C, and keeps what was asked to be kept', async () => {
    // A terminal, and whoever waits at it, is not kept by peers that linger or are not heard.
    const patience = AbortSignal.timeout(STOP_MS);
    process.kill('SIGINT');
    expect(await gone).toEqual([0, null]);
    expect(patience.aborted, `it took longer than ${STOP_MS} ms`).toBe(false);
    await expect(fetch(url)).rejects.toThrow();
    for (const kept of ['node-red/flows.json', 'gateway/identity.key']) {
      expect(existsSync(join(folder.path, 'home', kept)), kept).toBe(true);
    }
  });
});
