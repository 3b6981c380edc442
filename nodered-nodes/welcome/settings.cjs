/** Settings of the Node-RED that `npm run nodered` starts: like those of a fresh install, but it asks and tells the network nothing. */
// Whoever started it is gone.
process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));

module.exports = {
  flowFile: 'flows.json',
  flowFilePretty: true,
  uiHost: '127.0.0.1',
  // There are no secrets in the demonstration; with --home a person may add some, and the file stays where it is.
  credentialSecret: false,
  diagnostics: { enabled: false, ui: false },
  telemetry: { enabled: false, updateNotification: false },
  externalModules: { autoInstall: false },
  editorTheme: { tours: false, header: { title: 'Node-RED with Pipevine' }, projects: { enabled: false } },
  logging: { console: { level: 'info', metrics: false, audit: false } },
};
