/** A Node-RED in a process of its own: `node red-host.mjs PACKAGE USERDIR`. Tells its parent where it listens. */
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

const [, , name, userDir] = process.argv;
const require = createRequire(import.meta.url);
const RED = require(name);
const server = createServer((request, response) => app(request, response));
const app = require('express')();

RED.init(server, {
  userDir,
  flowFile: 'flows.json',
  credentialSecret: 'a secret of the test',
  httpAdminRoot: '/',
  httpNodeRoot: '/flow',
  logging: { console: { level: 'warn', metrics: false, audit: false } },
  editorTheme: { projects: { enabled: false }, tours: false, palette: { catalogues: [] } },
  externalModules: { autoInstall: false },
  telemetry: { enabled: false, updateNotification: false },
});
app.use('/', RED.httpAdmin);
app.use('/flow', RED.httpNode);
// As Node-RED's own starter does.
const stop = () => RED.stop().then(() => process.exit(0));
process.on('message', (message) => {
  if (message === 'stop') stop();
});
process.on('SIGTERM', stop);
process.on('disconnect', () => process.exit(1));
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
await RED.start();
process.send({ port: server.address().port });
