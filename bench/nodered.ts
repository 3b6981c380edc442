/**
 * Messages from one Node-RED to another: `node bench/nodered.ts [--json]`. A function node sends 10,000 of them at once, on the other
 * side one counts them, through pipe out and pipe in (direct, and over a gateway as two edges do it), and through Node-RED's own mqtt
 * nodes over mosquitto, in turn, in the same two processes. Prints for each the median rate of the rounds, from the first message
 * sent until the last one was counted, and how many were lost.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { freePort } from '../test/e2e/pipevine-process.ts';
import { code, debug, type FlowPart, inject, pipeIn, pipeOut, press, tab } from '../test/nodered/flow-parts.ts';
import { startGateway } from '../test/nodered/overlay-gateway.ts';
import { installNodes, packNodes } from '../test/nodered/packed-package.ts';
import { RedComms } from '../test/nodered/red-comms.ts';
import { startRed } from '../test/nodered/red-process.ts';

const MESSAGES = 10_000;
const ROUNDS = 5;
/** With so little to carry, what counts is the cost of a message. */
const TEXT = 'x'.repeat(32);
/** A message that has not come by then is lost. */
const ROUND_MS = 30_000;
const WAYS = ['direct', 'relayed', 'qos0', 'qos1'] as const;
type Way = (typeof WAYS)[number];
const TITLES: Readonly<Record<Way, string>> = {
  direct: 'pipe, secure, direct',
  relayed: 'pipe, secure, over a gateway',
  qos0: 'mqtt nodes, mosquitto, QoS 0',
  qos1: 'mqtt nodes, mosquitto, QoS 1',
};

const SEND = `
const startedMs = Date.now();
for (let i = 0; i < ${MESSAGES}; i++) node.send({ payload: { round: msg.payload, startedMs, text: '${TEXT}' } });
return null;`;
const COUNT = `
const { round, startedMs } = msg.payload;
const count = context.get('round') === round ? context.get('count') + 1 : 1;
context.set('round', round);
context.set('count', count);
return count === ${MESSAGES} ? { payload: { round, tookMs: Date.now() - startedMs } } : null;`;

/** Queues of any length, so that QoS 1 loses nothing. */
async function startMosquitto(folder: string): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const port = await freePort();
  const file = join(folder, 'mosquitto.conf');
  const lines = [`listener ${port} 127.0.0.1`, 'allow_anonymous true', 'max_queued_messages 0', 'persistence false'];
  writeFileSync(file, `${lines.join('\n')}\n`);
  const child = spawn('mosquitto', ['-c', file], {
    stdio: 'ignore',
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
  });
  const ended = once(child, 'exit');
  for (let isListening = false; !isListening; ) {
    const socket = connect(port, '127.0.0.1');
    isListening = await Promise.race([
      once(socket, 'connect').then(
        () => true,
        () => false,
      ),
      ended.then(() => {
        throw new Error('mosquitto ended');
      }),
    ]);
    socket.destroy();
  }
  return {
    port,
    stop: async () => {
      child.kill();
      await ended;
    },
  };
}

const place = { x: 200, y: 100 };
const broker = (port: number): FlowPart => ({
  id: 'broker',
  type: 'mqtt-broker',
  broker: '127.0.0.1',
  port: String(port),
  protocolVersion: '4',
  keepalive: '60',
  cleansession: true,
});
const mqttOut = (id: string, topic: string, qos: string): FlowPart => ({
  ...place,
  ...{ id, type: 'mqtt out', z: 'here', topic, qos, retain: 'false', broker: 'broker', wires: [] },
});
const mqttIn = (id: string, topic: string, qos: string, to: string): FlowPart => ({
  ...place,
  ...{ id, type: 'mqtt in', z: 'there', topic, qos, datatype: 'json', broker: 'broker', inputs: 0, wires: [[to]] },
});

const folder = mkdtempSync(join(tmpdir(), 'pipevine-bench-'));
await using cleanup = new AsyncDisposableStack();
cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
const [tarball, gateway, mosquitto] = await Promise.all([packNodes(), startGateway(), startMosquitto(folder)]);
cleanup.defer(() => rmSync(dirname(tarball), { recursive: true, force: true }));
cleanup.use(gateway);
cleanup.defer(() => mosquitto.stop());
const reds = await Promise.all(
  ['here', 'there'].map(async (name) => {
    await installNodes(tarball, join(folder, name));
    return cleanup.use(await startRed('node-red', join(folder, name), gateway.environment));
  }),
);
const [here, there] = reds;
if (here === undefined || there === undefined) throw new Error('two Node-REDs were started');
const [hereComms, thereComms] = await Promise.all([RedComms.open(here.url), RedComms.open(there.url)]);
cleanup.use(hereComms);
cleanup.use(thereComms);

const peer = (id: string, more: object): FlowPart => ({
  ...{ id, type: 'pipevine-peer', join: 'local', home: gateway.home, multicast: false, offline: 'queue' },
  ...more,
});
await there.deploy([
  tab('there'),
  broker(mosquitto.port),
  peer('there-direct', { profile: 'gateway', listen: 'tcp://127.0.0.1:0' }),
  peer('there-relayed', {}),
  pipeIn('in-direct', 'there', 'there-direct', 'direct', ['count-direct']),
  pipeIn('in-relayed', 'there', 'there-relayed', 'relayed', ['count-relayed']),
  mqttIn('in-qos0', 'bench/qos0', '0', 'count-qos0'),
  mqttIn('in-qos1', 'bench/qos1', '1', 'count-qos1'),
  ...WAYS.flatMap((way) => [
    code(`count-${way}`, 'there', COUNT, [`counted-${way}`]),
    debug(`counted-${way}`, 'there'),
  ]),
]);
await here.deploy([
  tab('here'),
  broker(mosquitto.port),
  peer('peer-here', {}),
  pipeOut('out-direct', 'here', 'peer-here', 'direct'),
  pipeOut('out-relayed', 'here', 'peer-here', 'relayed'),
  mqttOut('out-qos0', 'bench/qos0', '0'),
  mqttOut('out-qos1', 'bench/qos1', '1'),
  ...WAYS.flatMap((way) => [
    inject(`go-${way}`, 'here', [`send-${way}`]),
    code(`send-${way}`, 'here', SEND, [`out-${way}`]),
  ]),
]);
const isReady = (text: string) => /online|connected/.test(text);
for (const way of WAYS) {
  await Promise.all([hereComms.status(`out-${way}`, isReady), thereComms.status(`in-${way}`, isReady)]);
}

const rates: Record<Way, number[]> = { direct: [], relayed: [], qos0: [], qos1: [] };
const unfinished: Record<Way, number> = { direct: 0, relayed: 0, qos0: 0, qos1: 0 };
// The first round warms up.
for (let round = 0; round <= ROUNDS; round++) {
  for (const way of WAYS) {
    await press(here, `go-${way}`, round);
    const isThis = (value: unknown) => (value as { readonly round: number }).round === round; // As COUNT makes it.
    try {
      const { value } = await thereComms.message(`counted-${way}`, isThis, { deadlineMs: ROUND_MS });
      const { tookMs } = value as { readonly tookMs: number }; // The same.
      if (round > 0) rates[way].push((MESSAGES / tookMs) * 1_000);
    } catch {
      unfinished[way]++;
    }
  }
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const results = WAYS.map((way) => ({
  way: TITLES[way],
  perSecond: Math.round(median(rates[way])),
  lost: unfinished[way],
}));
if (process.argv.includes('--json')) console.log(JSON.stringify(results));
else {
  console.log(`${MESSAGES} messages of ${TEXT.length} characters in JSON, median of ${ROUNDS} rounds:`);
  for (const { way, perSecond, lost } of results) {
    const note = lost === 0 ? 'none lost' : `${lost} rounds lost messages`;
    console.log(`${way.padEnd(30)} ${perSecond.toLocaleString('en').padStart(8)}/s  ${note}`);
  }
}
