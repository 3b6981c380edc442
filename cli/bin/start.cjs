'use strict';
const { enableCompileCache } = require('node:module');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

/** Runs the sources in a clone, else the bundle. Loaded only by a Node that is recent enough. */
module.exports = (isClone) => {
  hideExpectedWarnings();
  const main = path.join(__dirname, ...(isClone ? ['..', 'main.ts'] : ['..', 'dist', 'pipevine.cjs']));
  if (!isClone) return require(main);
  // Types are stripped and code is compiled once: a command starts in a third of the time.
  enableCompileCache(path.join(__dirname, '..', '..', 'node_modules', '.cache', 'pipevine-compile'));
  return import(pathToFileURL(main).href);
};

/** Of Node's experimental features these two are used knowingly; every other warning is shown. */
function hideExpectedWarnings() {
  const emitWarning = process.emitWarning;
  process.emitWarning = (warning, ...rest) => {
    const type = typeof rest[0] === 'object' ? rest[0]?.type : rest[0];
    if (type === 'ExperimentalWarning' && /Type Stripping|SQLite/.test(String(warning))) return;
    emitWarning.call(process, warning, ...rest);
  };
}
