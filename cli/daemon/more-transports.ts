import type { Transport } from '@pipevine/runtime';
import { httpTransport, proxySettingsFrom, udpTransport, webSocketTransport } from '@pipevine/transports';
import type { Environment, Settings } from '../config/settings.ts';

/** What carries links besides TCP. Nothing is opened before somebody listens or dials. */
export function moreTransports(settings: Settings, env: Environment): Transport[] {
  const { tlsCertificate, tlsKey, tlsCa } = settings;
  const tls = {
    ...(tlsCertificate !== undefined && { certificateFile: tlsCertificate }),
    ...(tlsKey !== undefined && { keyFile: tlsKey }),
    ...(tlsCa !== undefined && { caFile: tlsCa }),
  };
  const proxy = proxySettingsFrom(env);
  return [udpTransport(), webSocketTransport({ tls, proxy }), httpTransport({ tls, proxy })];
}
