import { PipevineError } from '@pipevine/runtime';

/** Says why listening for MQTT failed, and what to do. */
export function listenError(error: NodeJS.ErrnoException, host: string, port: number): PipevineError {
  const at = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return new PipevineError(
        'address-in-use',
        `MQTT port ${port} on ${host} is in use, perhaps by another broker. Choose another with ` +
          `--mqtt-listen HOST:PORT, or use that broker with --mqtt mqtt://HOST:${port}`,
        { cause: error },
      );
    case 'EACCES':
      return new PipevineError(
        'permission-denied',
        `listening for MQTT on ${at} is not permitted: choose a port of 1024 or above with --mqtt-listen HOST:PORT`,
        { cause: error },
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new PipevineError(
        'invalid-address',
        `cannot listen for MQTT on ${at}: this machine has no such address. Choose one with --mqtt-listen HOST:PORT`,
        { cause: error },
      );
    default:
      return new PipevineError('internal', `listening for MQTT on ${at} failed: ${error.message}`, { cause: error });
  }
}
