/**
 * `npm run nodered`: Node-RED with the nodes of this clone, a gateway and a simulated device, on loopback alone. Ctrl-C ends all.
 *
 *     --home DIR   keep flows, identities and groups there; without it they are gone afterwards
 *     --port PORT  of the editor; default 1880, or another where that is taken
 *     --no-open    do not open a browser
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { openBrowser } from './open-browser.ts';
import { type Part, startPart } from './part.ts';
import { prepareUserFolder } from './user-folder.ts';

const EDITOR_PORT = 1880;
const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

const values = options();
const port = values.port === undefined ? await freePort(EDITOR_PORT) : Number(values.port);
if (!Number.isInteger(port) || port < 1 || port > 65_535) {
  usage(`--port is a number from 1 to 65535, not "${values.port}".`);
}
const home = values.home === undefined ? mkdtempSync(join(tmpdir(), 'pipevine-nodered-')) : resolve(values.home);
mkdirSync(home, { recursive: true });

/** In the order of their start. */
const parts: Part[] = [];
let stopping: Promise<void> | undefined;
const stop = (code: number) => {
  stopping ??= (async () => {
    for (const part of parts.toReversed()) await part.stop();
    if (values.home === undefined) rmSync(home, { recursive: true, force: true });
    process.exit(code);
  })();
  return stopping;
};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop(0));

const start = (name: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) => {
  const part = startPart(name, args, env);
  parts.push(part);
  return part;
};

try {
  const nodes = join(home, 'nodes');
  await promisify(execFile)(process.execPath, [at('../build.ts'), '--out', nodes]);

  const gatewayHome = join(home, 'gateway');
  const broker = `127.0.0.1:${await freePort()}`;
  const gateway = start('The gateway', [
    ...[at('../../cli/bin/pipevine.cjs'), 'up', '--json', '--home', gatewayHome, '--name', 'welcome'],
    ...['--listen', `tcp://127.0.0.1:${await freePort()}`, '--mqtt-listen', broker, '--no-multicast'],
  ]);
  await gateway.line((line) => (line.includes('"ready"') ? true : undefined));
  await start('The simulated device', [at('testing/simulated-device.ts'), `mqtt://${broker}`]).message();

  const userDir = join(home, 'node-red');
  prepareUserFolder(userDir, nodes);
  const url = `http://127.0.0.1:${port}`;
  const nodeRed = start(
    'Node-RED',
    [
      fileURLToPath(import.meta.resolve('node-red/red.js')),
      ...['--userDir', userDir, '--settings', at('settings.cjs'), '--port', String(port)],
    ],
    { PIPEVINE_WELCOME_GATEWAY: gatewayHome },
  );
  await nodeRed.line((line) => (line.includes(url) ? true : undefined));

  console.log(`
  Node-RED      ${url}
  Gateway       npx pipevine status --home ${gatewayHome}
  MQTT          mqtt://${broker}, with a simulated greenhouse: its thermometer and its lamp
  Data          ${home}${values.home === undefined ? ' (removed at the end; --home DIR keeps it)' : ''}
  Stop          Ctrl-C
`);
  if (values['no-open'] !== true) openBrowser(url);
  const reason = await Promise.race(parts.map(({ ended }) => ended));
  if (stopping === undefined) console.error(reason);
  await stop(1);
} catch (error) {
  if (stopping === undefined) console.error(error instanceof Error ? error.message : error);
  await stop(1);
}

function options() {
  const known = { home: { type: 'string' }, port: { type: 'string' }, 'no-open': { type: 'boolean' } } as const;
  try {
    return parseArgs({ options: known }).values;
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error));
  }
}

function usage(message: string): never {
  console.error(`${message}\nUsage: npm run nodered -- [--home DIR] [--port PORT] [--no-open]`);
  process.exit(2);
}
