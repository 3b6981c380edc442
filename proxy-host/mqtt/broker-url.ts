import { PipevineError } from '@pipevine/runtime';

export interface BrokerUrl {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly username: string | undefined;
  /** The URL without a user, for messages. */
  readonly text: string;
}

const EXPECTED = 'expected mqtt://[USER@]HOST[:1883] or mqtts://[USER@]HOST[:8883]';

/** Reads the address of a broker. Throws `invalid-argument`, also for a password: others would see it. */
export function parseBrokerUrl(text: string): BrokerUrl {
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    throw new PipevineError('invalid-argument', `MQTT broker: ${EXPECTED}, got ${JSON.stringify(text)}`, { cause });
  }
  if (url.password !== '') {
    throw new PipevineError(
      'invalid-argument',
      'MQTT broker: a password in the URL can be seen by others: give it by the environment or by a file',
    );
  }
  const tls = url.protocol === 'mqtts:';
  const rest = url.pathname.replace(/^\/$/, '') + url.search + url.hash;
  if ((url.protocol !== 'mqtt:' && !tls) || url.hostname === '' || rest !== '') {
    throw new PipevineError('invalid-argument', `MQTT broker: ${EXPECTED}, got ${JSON.stringify(text)}`);
  }
  const port = url.port === '' ? (tls ? 8883 : 1883) : Number(url.port);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return {
    host,
    port,
    tls,
    username: url.username === '' ? undefined : decodeURIComponent(url.username),
    text: `${url.protocol}//${url.hostname}:${port}`,
  };
}
