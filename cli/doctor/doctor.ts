import type { CommandContext } from '../commands/command-context.ts';
import type { Settings } from '../config/settings.ts';
import { ControlClient } from '../control/control-client.ts';
import type { Params } from '../control/json-rpc.ts';
import { DEFAULT_PORT } from '../daemon/open-peer.ts';
import { controlSocketOf } from '../home/control-socket.ts';
import { EXIT } from '../output/exit-code.ts';
import { type Finding, fail, ok, warn } from './finding.ts';
import { checkClock, checkHome, checkNode } from './machine-checks.ts';
import { checkMulticast, checkPort, checkReachable } from './network-checks.ts';

const STATUS_TIMEOUT_MS = 3_000;

/** Checks what a peer needs, and prints a line for each with what to do about it. */
export async function doctor({ settings, output, loadGateway }: CommandContext): Promise<number> {
  let failed = false;
  const print = (finding: Finding) => {
    failed ||= finding.state === 'fail';
    output.value(finding, () => {
      const advice = finding.advice === undefined ? '' : `; ${finding.advice}`;
      return `${finding.state.padEnd(4)}  ${finding.check.padEnd(10)} ${finding.message}${advice}`;
    });
  };
  print(checkNode());
  print(checkClock(Date.now()));
  for (const finding of checkHome(settings.home)) print(finding);
  const { finding, status } = await checkDaemon(settings.home);
  print(finding);
  if (status === undefined) {
    const isGateway = (settings.profile ?? (loadGateway === undefined ? 'edge' : 'gateway')) === 'gateway';
    for (const check of portChecks(settings, isGateway)) print(await check);
  } else {
    for (const each of checkLinks(status)) print(each);
  }
  if (settings.multicast) for (const each of await checkMulticast()) print(each);
  else print(ok('multicast', 'switched off'));
  for (const check of reachChecks(settings)) print(await check);
  return failed ? EXIT.failed : EXIT.done;
}

async function checkDaemon(home: string): Promise<{ finding: Finding; status: Params | undefined }> {
  const path = controlSocketOf(home);
  try {
    const client = await ControlClient.connect(path);
    if (client === undefined) return { finding: ok('daemon', `none is running on ${home}`), status: undefined };
    try {
      const status = (await client.call('status', {}, { timeoutMs: STATUS_TIMEOUT_MS })) as Params; // `status` answers an object
      return { finding: ok('daemon', `process ${status.pid} answers at ${path}`), status };
    } finally {
      client.close();
    }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { finding: fail('daemon', message, 'stop it with kill, and start it again'), status: undefined };
  }
}

function checkLinks(status: Params): Finding[] {
  const links = Array.isArray(status.links) ? status.links.length : 0;
  const groups = Array.isArray(status.groups) ? status.groups.length : 0;
  return [
    links > 0
      ? ok('neighbours', `${links} connected`)
      : warn('neighbours', 'none connected', 'start another peer on this network, or name one with --seed'),
    groups > 0 ? ok('groups', `member of ${groups}`) : warn('groups', 'member of none', 'pipevine join CODE'),
  ];
}

function portChecks(settings: Settings, isGateway: boolean): Promise<Finding>[] {
  const addresses = settings.listen ?? (isGateway ? [`tcp://0.0.0.0:${DEFAULT_PORT}`] : []);
  const checks = addresses.flatMap((address) => {
    const at = hostAndPort(address);
    return at === undefined || at.port === 0
      ? []
      : [checkPort('peers', at.host, at.port, '--listen tcp://0.0.0.0:PORT')];
  });
  if (isGateway && settings.mqtt === undefined) {
    const at = hostAndPort(`mqtt://${settings.mqttListen ?? '0.0.0.0:1883'}`);
    if (at !== undefined)
      checks.push(checkPort('MQTT', at.host, at.port, '--mqtt-listen HOST:PORT, or use that broker with --mqtt'));
  }
  return checks;
}

function reachChecks(settings: Settings): Promise<Finding>[] {
  const checks = settings.seed.flatMap((seed) => {
    const at = hostAndPort(seed);
    return at === undefined
      ? []
      : [checkReachable('seed', seed, at.host, at.port, 'check the address, and that a peer runs there')];
  });
  const broker = settings.mqtt === undefined ? undefined : hostAndPort(settings.mqtt);
  if (broker !== undefined) {
    const what = `${broker.host}:${broker.port}`;
    checks.push(
      checkReachable(
        'broker',
        what,
        broker.host,
        broker.port,
        'check --mqtt, and that the broker runs and listens there',
      ),
    );
  }
  return checks;
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'mqtt:': 1883, 'mqtts:': 8883 };

function hostAndPort(address: string): { readonly host: string; readonly port: number } | undefined {
  const match = /^([a-z]+:)\/\/(?:[^@/]*@)?(\[[^\]]+\]|[^:/]+)(?::(\d+))?/.exec(address);
  const port = Number(match?.[3] ?? DEFAULT_PORTS[match?.[1] ?? ''] ?? Number.NaN);
  const host = match?.[2]?.replace(/^\[(.*)\]$/, '$1');
  return host === undefined || Number.isNaN(port) ? undefined : { host, port };
}
