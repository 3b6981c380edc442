import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import mqtt, { type MqttClient } from 'mqtt';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { showLamp } from '../e2e/hall-lamp.ts';
import { EditorPage } from './editor-page.ts';
import { pipeIn, tab } from './flow-parts.ts';
import { type OverlayGateway, startGateway } from './overlay-gateway.ts';
import { installNodes, packNodes } from './packed-package.ts';
import { type RedProcess, startRed } from './red-process.ts';

const IMAGES = fileURLToPath(new URL('../../docs/images', import.meta.url));
const wantsImages = process.env.PIPEVINE_SCREENSHOTS === '1';

let folder: string;
let tarball: string;
let gateway: OverlayGateway;
let device: MqttClient;
let red: RedProcess;
let page: EditorPage;
let observed: string;
let failed = false;

const picture = async (name: string) => {
  if (wantsImages) await page.screenshot(join(IMAGES, `${name}.png`));
};
const measure = (value: number) =>
  device.publishAsync('lamps/1/state', JSON.stringify({ temperature: value }), { retain: true, qos: 1 });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipevine-editor-'));
  [tarball, gateway] = await Promise.all([packNodes(), startGateway()]);
  device = await mqtt.connectAsync(gateway.mqttUrl, { clientId: 'hall-lamp' });
  await device.subscribeAsync('lamps/1/power/set', { qos: 1 });
  await showLamp(device);
  await installNodes(tarball, join(folder, 'user'));
  red = await startRed('node-red', join(folder, 'user'), gateway.environment);
  page = await EditorPage.open(red.url);
}, 120_000);

afterEach(({ task }) => {
  failed ||= task.result?.state === 'fail';
});

afterAll(async () => {
  if (failed && process.env.PIPEVINE_FAILED_SCREENSHOT !== undefined) {
    await page?.screenshot(process.env.PIPEVINE_FAILED_SCREENSHOT);
  }
  await page?.[Symbol.asyncDispose]();
  await red?.stop();
  await device?.endAsync(true);
  await gateway?.[Symbol.asyncDispose]();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  if (tarball !== undefined) rmSync(dirname(tarball), { recursive: true, force: true });
}, 60_000);

describe('the editor in a browser', () => {
  it('shows the nodes in a category of their own', async () => {
    const types = await page.palette('pipevine');
    expect(types).toEqual(expect.arrayContaining(['pipevine-property', 'pipevine-pipe-in', 'pipevine-pipe-out']));
  });

  it('makes peers by the gateway of this machine and by a join code, and a pipe between them', async () => {
    const input = await page.drag('pipevine-pipe-in', 200, 100);
    const first = await page.edit(input);
    const local = await page.addConfig('peer');
    await local.locator('#node-config-input-name').fill('kitchen');
    await local.locator('#node-config-input-home').fill(gateway.home);
    await local.locator('#pipevine-peer-test').click();
    await local.locator('#pipevine-peer-result', { hasText: 'in reach' }).waitFor();
    if (wantsImages) {
      await local.locator('#node-config-input-home').fill('');
      await picture('peer');
      await local.locator('#node-config-input-home').fill(gateway.home);
    }
    await page.confirmConfig();
    await first.locator('#node-input-pipe').fill('greetings');
    await page.confirm();

    const output = await page.drag('pipevine-pipe-out', 480, 200);
    const second = await page.edit(output);
    const byCode = await page.addConfig('peer');
    await byCode.locator('#node-config-input-name').fill('attic');
    await byCode.locator('#node-config-input-join').selectOption('code');
    await byCode.locator('#node-config-input-code').fill(await gateway.invite());
    await byCode.locator('#node-config-input-seeds').fill(gateway.address);
    await page.confirmConfig();
    await page.typed(second, 'pipe').fill('greetings');
    await page.confirm();
    expect((await page.fields(output)).peer).not.toBe((await page.fields(input)).peer);

    const inject = await page.drag('inject', 200, 200);
    const debug = await page.drag('debug', 480, 100);
    await page.wire(input, debug);
    await page.wire(inject, output);
    await page.deploy();
    await page.status(input, /online/);
    await page.status(output, /online/);
    await page.showSidebar('debug');
    await page.press(inject);
    await page.debugMessage('greetings').waitFor();
  });

  it('offers what is in the group, and shows what a device publishes', async () => {
    observed = await page.drag('pipevine-property', 200, 300);
    const dialog = await page.edit(observed);
    await dialog.locator('#node-input-peer').selectOption({ label: 'kitchen' });
    await dialog.locator('#node-input-mode').selectOption('observe');
    await page.choose(page.typed(dialog, 'thing'), 'Hall lamp');
    await page.typed(dialog, 'property').click();
    await page.typed(dialog, 'property').press('ArrowDown');
    await page.suggestion('temperature').waitFor();
    await picture('property');
    await page.suggestion('temperature').click();
    await page.confirm();
    const peer = await page.fields(observed);
    expect(peer).toMatchObject({ thing: 'Hall lamp', property: 'temperature', mode: 'observe', inputs: 0 });
    const debug = await page.drag('debug', 480, 300);
    await page.wire(observed, debug);
    await page.deploy();
    await page.showSidebar('debug');
    await page.debugMessage('21.5').waitFor();
    await measure(23.25);
    await page.debugMessage('23.25').waitFor();
  });

  it('brings a value to the device', async () => {
    const write = await page.drag('pipevine-property', 480, 400);
    const dialog = await page.edit(write);
    await dialog.locator('#node-input-peer').selectOption({ label: 'kitchen' });
    await dialog.locator('#node-input-mode').selectOption('write');
    // A name may be typed as well as chosen.
    await page.typed(dialog, 'thing').fill('Hall lamp');
    await page.choose(page.typed(dialog, 'property'), 'power');
    await page.setTyped(dialog, 'value', 'bool', 'true');
    await page.confirm();
    const inject = await page.drag('inject', 200, 400);
    await page.wire(inject, write);
    await page.deploy();
    const command = new Promise<[string, string]>((resolve) =>
      device.once('message', (topic, payload) => resolve([topic, payload.toString()])),
    );
    await page.press(inject);
    expect(await command).toEqual(['lamps/1/power/set', 'ON']);
  });

  it('shows the group in a sidebar, of which a line becomes a node', async () => {
    await page.showSidebar('pipevine');
    await page.overlayRow('Hall lamp').click();
    await page.overlayRow('temperature').hover();
    await page.overlayRow(/temperature.*23.25/).waitFor();
    await picture('sidebar');
    const made = await page.dragRow('temperature', 480, 500);
    expect(await page.fields(made)).toMatchObject({
      ...{ type: 'pipevine-property', mode: 'observe', thing: 'Hall lamp', property: 'temperature', inputs: 0 },
    });
    const debug = await page.drag('debug', 760, 500);
    await page.wire(made, debug);
    await page.deploy();
    await page.showSidebar('debug');
    await measure(24.75);
    await page.debugMessage('24.75').waitFor();
  });

  it('has help for a node', async () => {
    await page.select(observed);
    await page.showSidebar('help');
    await page.help('thing').waitFor();
  });

  it('is as readable in the dark', async () => {
    await page.darken();
    await page.showSidebar('pipevine');
    await page.overlayRow('temperature').waitFor();
    await picture('dark');
    const { text, ground } = await page.colours('.pipevine-sidebar');
    expect(ground).toBeLessThan(0.3);
    expect(text).toBeGreaterThan(ground + 0.3);
  });

  it('imports an example', async () => {
    const ids = await page.importExample('@pipevine/node-red', 'pipe in and out');
    const types = await Promise.all(ids.map(async (id) => (await page.fields(id)).type));
    expect(types).toEqual(expect.arrayContaining(['pipevine-pipe-in', 'pipevine-pipe-out']));
  });

  it('writes nothing to the console, and asks no other host', () => {
    expect(page.errors).toEqual([]);
  });
});

describe('the editor of Node-RED 4.1', () => {
  it('shows palette and sidebar, and takes a line of the sidebar as a node', async () => {
    const userDir = join(folder, 'four');
    await installNodes(tarball, userDir);
    await using four = await startRed('node-red-4', userDir, gateway.environment);
    const peer = { name: 'cabin', join: 'local', home: gateway.home, multicast: false };
    await four.deploy([
      tab('flow'),
      { id: 'peer', type: 'pipevine-peer', ...peer },
      pipeIn('in', 'flow', 'peer', 'greetings', []),
    ]);
    await using old = await page.openBeside(four.url);
    expect(await old.palette('pipevine')).toEqual(await page.palette('pipevine'));
    await old.showSidebar('pipevine');
    await old.overlayRow('Hall lamp').click();
    const made = await old.dragRow('temperature', 480, 300);
    expect(await old.fields(made)).toMatchObject({ type: 'pipevine-property', thing: 'Hall lamp', mode: 'observe' });
    expect(old.errors).toEqual([]);
  });
});
