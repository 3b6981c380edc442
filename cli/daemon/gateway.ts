import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import {
  type EmbeddedBroker,
  MqttConnector,
  type ProxyHostNotice,
  type RemoteBroker,
  startEmbeddedBroker,
  startProxyHost,
} from '@pipevine/proxy-host';
import { createPeer, PipevineError, shortPeerId } from '@pipevine/runtime';
import { dnsSdDirectory } from '@pipevine/transports';
import type { Settings } from '../config/settings.ts';
import type { Devices, DevicesInit } from './devices.ts';
import type { Log } from './log.ts';

export { createPeer, dnsSdDirectory };

const DEFAULT_MQTT_LISTEN = '0.0.0.0:1883';

/** Starts the embedded broker, unless another one is given, the MQTT connector and the proxy host. */
export async function startDevices(init: DevicesInit): Promise<Devices> {
  const { peer, platform, settings, log } = init;
  const { storage, clock, crypto, random } = platform;
  const remote = await remoteBroker(settings);
  const embedded =
    remote === undefined
      ? await startEmbeddedBroker({ storage, clock, listen: listenAddress(settings.mqttListen ?? DEFAULT_MQTT_LISTEN) })
      : undefined;
  const broker: RemoteBroker | EmbeddedBroker | undefined = embedded ?? remote;
  if (broker === undefined) throw new PipevineError('internal', 'neither an embedded nor another broker');
  try {
    const connector = new MqttConnector({ clock, random, broker, onStatus: brokerLog(log) });
    const host = await startProxyHost({
      peer,
      group: await init.homeGroup(),
      connectors: [connector],
      storage,
      clock,
      crypto,
      random,
      onNotice: (notice) => logNotice(log, notice),
    });
    return {
      mqtt: embedded === undefined ? [settings.mqtt ?? ''] : brokerAddresses(embedded),
      status: () => {
        const { connectors, ...queues } = host.status();
        return {
          facts: { connectors, ...(embedded === undefined ? {} : { broker: { ...embedded.status() } }) },
          queues: Object.fromEntries(
            Object.entries(queues).map(([name, bound]) => [`proxy-host ${name}`, { ...bound }]),
          ),
        };
      },
      close: async () => {
        await host.close();
        await embedded?.close();
      },
    };
  } catch (error) {
    await embedded?.close();
    throw error;
  }
}

async function remoteBroker(settings: Settings): Promise<RemoteBroker | undefined> {
  const { mqtt, mqttPassword, mqttPasswordFile, mqttCa } = settings;
  if (mqtt === undefined) return undefined;
  const fromFile =
    mqttPasswordFile === undefined ? undefined : await readText(mqttPasswordFile, '--mqtt-password-file');
  const password = mqttPassword ?? fromFile?.split(/\r?\n/)[0];
  const ca = mqttCa === undefined ? undefined : await readText(mqttCa, '--mqtt-ca');
  if (ca !== undefined && !ca.includes('-----BEGIN CERTIFICATE-----')) {
    throw new PipevineError('invalid-argument', `--mqtt-ca: ${mqttCa} is no certificate in PEM form`);
  }
  return { url: mqtt, ...(password === undefined ? {} : { password }), ...(ca === undefined ? {} : { ca }) };
}

async function readText(file: string, option: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PipevineError('invalid-argument', `${option}: ${file} cannot be read (${reason})`, { cause });
  }
}

function listenAddress(text: string): { host: string; port: number } {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(text.slice(colon + 1)) };
}

/** A wildcard is no address that a device can use: those of the machine's interfaces are. */
function brokerAddresses(broker: EmbeddedBroker): string[] {
  const { host, port } = broker.address;
  const hosts =
    host === '0.0.0.0' || host === '::'
      ? Object.values(networkInterfaces())
          .flatMap((addresses) => addresses ?? [])
          .filter((address) => !address.internal && address.family === 'IPv4')
          .map((address) => address.address)
      : [host];
  const reachable = hosts.length > 0 ? hosts : ['127.0.0.1'];
  return reachable.map((each) => `mqtt://${each.includes(':') ? `[${each}]` : each}:${port}`);
}

function brokerLog(
  log: Log,
): (status: { readonly state: string; readonly broker: string; readonly lastError: string | null }) => void {
  let wasConnected: boolean | undefined;
  return ({ state, broker, lastError }) => {
    if (state === 'connected' && wasConnected !== true) {
      log.info(wasConnected === undefined ? `MQTT broker ${broker} connected` : `MQTT broker ${broker} is back`);
      wasConnected = true;
    } else if (state === 'waiting' && wasConnected !== false) {
      log.warn(
        `MQTT broker ${broker} ${wasConnected === undefined ? 'cannot be reached' : 'lost'}: ${lastError ?? 'no reason given'}; trying again`,
      );
      wasConnected = false;
    }
  };
}

function logNotice(log: Log, notice: ProxyHostNotice): void {
  switch (notice.type) {
    case 'device-added':
      log.info(`device came: ${notice.title} (${shortPeerId(notice.peer)}, ${notice.connector})`);
      return;
    case 'device-removed':
      log.info(`device removed: ${notice.title} (${shortPeerId(notice.peer)}, ${notice.connector})`);
      return;
    case 'availability':
      log.info(`device ${notice.availability}: ${notice.title} (${shortPeerId(notice.peer)})`);
      return;
    case 'device-refused':
      log.warn(`device refused: ${notice.key} (${notice.connector}): ${notice.error.message}`);
      return;
    case 'error':
      log.error(notice.error.message);
  }
}
