import { type EndpointAddress, holePunching, messaging, type PipevineError } from '@pipevine/runtime';
import {
  httpTransport,
  mqttTransport,
  nodeCrypto,
  proxySettingsFrom,
  udpTransport,
  webSocketTransport,
} from '@pipevine/transports';
import type { Environment, Settings } from '../config/settings.ts';
import { brokerLogins, brokersFileOf } from './broker-logins.ts';
import type { Reach } from './open-peer.ts';

/** What the secret of listeners at brokers is derived from, besides the identity (RFC 5869, info). */
const LISTENER_LABEL = 'pipevine/1 mqtt listeners';

/** What carries links besides TCP, and what makes use of that. Nothing is opened before somebody listens or dials. */
export function moreTransports(settings: Settings, env: Environment, warn: (text: string) => void): Reach {
  const { tlsCertificate, tlsKey, tlsCa } = settings;
  const tls = {
    ...(tlsCertificate !== undefined && { certificateFile: tlsCertificate }),
    ...(tlsKey !== undefined && { keyFile: tlsKey }),
    ...(tlsCa !== undefined && { caFile: tlsCa }),
  };
  const proxy = proxySettingsFrom(env);
  const logins = brokerLogins(brokersFileOf(settings.home));
  const onListenWaits = (address: EndpointAddress, { message }: PipevineError) =>
    warn(`nobody can connect at ${address} yet; trying on: ${message}`);
  const transports: Reach['transports'] = (seed) => {
    const label = new TextEncoder().encode(LISTENER_LABEL);
    const listenerSeed = nodeCrypto.hkdfSha256(seed, new Uint8Array(0), label, 32);
    return [
      udpTransport(),
      webSocketTransport({ tls, proxy }),
      httpTransport({ tls, proxy }),
      mqttTransport({ logins, listenerSeed, onListenWaits }),
    ];
  };
  return { transports, parts: [messaging, holePunching], schemes: ['tcp', 'udp'] };
}
