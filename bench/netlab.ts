/**
 * `node bench/netlab.ts [--json]`, as root: how much a secure pipe carries between two peers behind NATs, over a punched UDP path
 * and over a relay, beside TCP in the same laboratory over the same two lines. Needs what test/netlab needs.
 */

import { fileURLToPath } from 'node:url';
import type { LabProcess } from '../test/netlab/lab-process.ts';
import type { NatKind } from '../test/netlab/nat-rules.ts';
import { ADDRESSES, type Place } from '../test/netlab/network-lab.ts';
import { Overlay, type Scheme } from '../test/netlab/overlay.ts';
import { until } from '../test/netlab/until.ts';
import type { WireConditions } from '../test/netlab/wire.ts';

const PROGRAM = fileURLToPath(new URL('netlab-peer.ts', import.meta.url));
const TCP_PORT = 9000;
/** What every Linux has, and what RFC 9002 is made after: the system's own choice differs from machine to machine. */
const TCP_CONTROL = 'reno';
const TCP_ENDS: readonly Place[] = ['left.host1', 'right.host1', 'internet.relay1', 'internet.relay2'];
const SIZE = 64 * 1024;
const WARM_UP_MS = 2_000;
const STREAM_MS = 5_000;
const ANSWER_MS = 180_000;
const DIRECT_MS = 30_000;
const ROUNDS = 200;

const LINES: readonly { readonly title: string; readonly line: WireConditions }[] = [
  { title: 'good line', line: {} },
  { title: '20 ms each way', line: { delayMs: 20, queuePackets: 5_000 } },
  { title: '20 ms each way, 1 % loss', line: { delayMs: 20, lossPercent: 1, queuePackets: 5_000 } },
];
const WAYS: readonly { readonly title: string; readonly nat: NatKind; readonly schemes: readonly Scheme[] }[] = [
  { title: 'punched UDP', nat: 'cone', schemes: ['udp'] },
  { title: 'relayed over UDP', nat: 'symmetric', schemes: ['udp'] },
  { title: 'relayed over TCP', nat: 'symmetric', schemes: ['tcp'] },
];

type Answer = Readonly<Record<string, unknown>>;

/** A process of the bench, which takes orders one at a time. */
class Worker {
  readonly #process: LabProcess;
  #answers = 0;

  constructor(labProcess: LabProcess) {
    this.#process = labProcess;
  }

  async next(): Promise<Answer> {
    const number = this.#answers++;
    const line = await this.#process.waitFor(
      (stdout) => {
        const lines = stdout.split('\n');
        return number < lines.length - 1 ? lines[number] : undefined;
      },
      'an answer',
      ANSWER_MS,
    );
    return JSON.parse(line);
  }

  async order(order: Answer): Promise<Answer> {
    this.#process.writeLine(JSON.stringify(order));
    const answer = await this.next();
    if (answer.error !== undefined) throw new Error(`${order.do}: ${answer.error}`);
    return answer;
  }
}

interface Figures {
  readonly way: string;
  readonly line: string;
  readonly megabytesPerSecond: number;
  readonly tcpMegabytesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

async function measure({ title: way, nat, schemes }: (typeof WAYS)[number]): Promise<Figures[]> {
  await using overlay = await Overlay.create({ left: nat, right: nat, schemes });
  const { lab, relays } = overlay;
  for (const place of TCP_ENDS)
    await lab.finish(place, ['sysctl', '-qw', `net.ipv4.tcp_congestion_control=${TCP_CONTROL}`]);
  const { code } = await relays.relay1.call('invite', { uses: 2, roles: ['member'] });
  const seeds = schemes.map((scheme) => `${scheme}://${ADDRESSES['internet.relay1'].ipv4}:7473`);
  const start = async (place: 'left.host1' | 'right.host1') => {
    const worker = new Worker(lab.run(place, [process.execPath, PROGRAM, 'peer', String(code), ...seeds]));
    const { peer } = await worker.next();
    await until(
      'a lease',
      ANSWER_MS,
      async () => Number((await worker.order({ do: 'leases' })).leases) > 0 || undefined,
    );
    return { worker, peer };
  };
  const [source, sink] = await Promise.all([start('left.host1'), start('right.host1')]);
  let failure: unknown;
  await until(
    'a pipe',
    ANSWER_MS,
    () =>
      source.worker.order({ do: 'connect', peer: sink.peer }).then(
        () => true,
        (error) => {
          failure = String(error);
          return undefined;
        },
      ),
    () => failure,
  );
  const wanted = nat === 'cone' ? 'direct' : 'relayed';
  await until(`a ${wanted} path`, DIRECT_MS, async () =>
    (await source.worker.order({ do: 'path' })).path === wanted ? true : undefined,
  );
  // TCP takes the same two lines; the router on the right lets it in.
  const inside = ADDRESSES['right.host1'].ipv4;
  const rule = `ip nat inwards iifname wan tcp dport ${TCP_PORT} dnat to ${inside}:${TCP_PORT}`;
  await lab.finish('right.router', ['nft', 'add', 'rule', ...rule.split(' ')]);
  const tcpSink = new Worker(lab.run('right.host1', [process.execPath, PROGRAM, 'tcp-sink', String(TCP_PORT)]));
  await tcpSink.next();
  const outside = ADDRESSES['right.router'].ipv4;
  const tcpSource = new Worker(
    lab.run('left.host1', [process.execPath, PROGRAM, 'tcp-source', outside, String(TCP_PORT)]),
  );
  await tcpSource.next();
  const figures: Figures[] = [];
  for (const { title: line, line: conditions } of LINES) {
    await lab.restore('left');
    await lab.shape('left', conditions);
    const megabytesPerSecond = await throughput(source.worker, sink.worker);
    const tcpMegabytesPerSecond = await throughput(tcpSource, tcpSink);
    const { p50Ms, p99Ms } = await source.worker.order({ do: 'ask', rounds: ROUNDS });
    figures.push({
      way,
      line,
      megabytesPerSecond,
      tcpMegabytesPerSecond,
      p50Ms: Number(p50Ms),
      p99Ms: Number(p99Ms),
    });
  }
  return figures;
}

/** After a while to get up to speed. */
async function throughput(source: Worker, sink: Worker): Promise<number> {
  await source.order({ do: 'send', size: SIZE, durationMs: WARM_UP_MS });
  await sink.order({ do: 'report' });
  await source.order({ do: 'send', size: SIZE, durationMs: STREAM_MS });
  const { bytes, elapsedMs } = await sink.order({ do: 'report' });
  return Number(bytes) / 1_000 / Number(elapsedMs);
}

const all: Figures[] = [];
for (const way of WAYS) {
  for (const figures of await measure(way)) {
    all.push(figures);
    const { line, megabytesPerSecond: own, tcpMegabytesPerSecond: tcp, p50Ms, p99Ms } = figures;
    const ratio = (own / tcp).toFixed(2);
    console.log(
      `${way.title}, ${line}: ${own.toFixed(1)} MB/s, TCP ${tcp.toFixed(1)} MB/s, ratio ${ratio}; round trip p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`,
    );
  }
}
if (process.argv.includes('--json')) console.log(JSON.stringify(all));
