#!/usr/bin/env node
// biome-ignore-all lint/style/useNodejsImportProtocol: an old Node does not know it
// biome-ignore-all format: an old Node does not know a comma after the last argument
'use strict';
// JavaScript of 2015: an old Node must be able to parse this file, if only to say that it is too old.

const childProcess = require('child_process');
const fs = require('fs');
const path = require('path');

const MINIMUM = [22, 13];

function isRecentEnough(version) {
  const parts = version.split('.').map(Number);
  return parts[0] > MINIMUM[0] || (parts[0] === MINIMUM[0] && parts[1] >= MINIMUM[1]);
}

/** The Node that `npm ci` has put beside this program. */
function localNode() {
  const name = process.platform === 'win32' ? 'node.exe' : 'node';
  for (let folder = fs.realpathSync(__dirname); ; folder = path.dirname(folder)) {
    const candidate = path.join(folder, 'node_modules', 'node', 'bin', name);
    if (fs.existsSync(candidate)) return candidate;
    if (path.dirname(folder) === folder) return undefined;
  }
}

function runWith(node, options) {
  const env = Object.assign({}, process.env, { PIPEVINE_LAUNCHED: '1' });
  const args = options.concat([__filename], process.argv.slice(2));
  const child = childProcess.spawn(node, args, { stdio: 'inherit', env: env });
  process.on('SIGINT', () => {
    // A terminal sends Ctrl-C to the child by itself; forwarded once more, it would count as the second.
    if (!process.stdin.isTTY) child.kill('SIGINT');
  });
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  process.on('SIGHUP', () => child.kill('SIGHUP'));
  child.on('error', (error) => {
    console.error(`pipevine: ${node} cannot be run (${error.message}); run \`npm ci\` again`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

function main() {
  const relaunched = process.env.PIPEVINE_LAUNCHED === '1';
  const version = process.versions.node;
  if (!isRecentEnough(version)) {
    const node = relaunched ? undefined : localNode();
    if (node !== undefined) return runWith(node, []);
    console.error(
      `pipevine: Node ${MINIMUM.join('.')} or newer is needed, this is ${version}; ` +
        'install one from https://nodejs.org, or run `npm ci` in the clone, which brings its own',
    );
    process.exit(1);
  }
  const isClone = fs.existsSync(path.join(__dirname, '..', 'main.ts'));
  // Node 22.13 to 22.17 strip types only when they are asked to.
  if (isClone && !process.features.typescript && !relaunched) {
    return runWith(process.execPath, ['--experimental-strip-types']);
  }
  delete process.env.PIPEVINE_LAUNCHED;
  return require('./start.cjs')(isClone);
}

main();
