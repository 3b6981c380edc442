import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EchoReport, LoneReport, Order, SinkReady, StreamReport } from './worker.ts';

const WORKER = fileURLToPath(new URL('worker.ts', import.meta.url));
const BUNDLE = fileURLToPath(new URL('../dist/pipevine-edge.cjs', import.meta.url));
const STREAM_MS = 1_500;
/** Of so many rounds, raw TCP and Pipevine in turn, the one with the median ratio counts. */
const ROUNDS = 5;
const ECHO_ROUNDS = 20_000;

/** A process of the bench that takes orders one at a time. */
class Worker {
  readonly #child: ChildProcess;
  readonly #answers: unknown[] = [];
  #waiting: { resolve(answer: unknown): void; reject(error: Error): void } | undefined;

  constructor(...args: string[]) {
    this.#child = fork(WORKER, args, { execArgv: ['--disable-warning=ExperimentalWarning'] });
    this.#child.on('message', (answer) => {
      if (this.#waiting === undefined) this.#answers.push(answer);
      else this.#waiting.resolve(answer);
      this.#waiting = undefined;
    });
    this.#child.on('exit', () => this.#waiting?.reject(new Error('A process of the bench ended early.')));
  }

  async next<T>(): Promise<T> {
    const answer = await new Promise<unknown>((resolve, reject) => {
      if (this.#answers.length > 0) resolve(this.#answers.shift());
      else this.#waiting = { resolve, reject };
    });
    return answer as T; // Each order has one kind of answer, and the caller gave the order.
  }

  order<T>(order: Order): Promise<T> {
    this.#child.send(order);
    return this.next<T>();
  }

  stop(): void {
    this.#child.kill();
  }
}

interface Throughput {
  readonly perSecond: number;
  readonly megabytesPerSecond: number;
  /** Messages for each CPU second of the busier process. */
  readonly perCpuSecond: number;
}

async function pair<T>(kind: string, use: (source: Worker, sink: Worker) => Promise<T>, relay?: SinkReady): Promise<T> {
  const sink = new Worker('sink', kind, JSON.stringify(relay ?? {}));
  const ready = await sink.next<SinkReady>();
  const source = new Worker('source', kind, JSON.stringify(ready));
  try {
    await source.next();
    return await use(source, sink);
  } finally {
    source.stop();
    sink.stop();
  }
}

async function throughput(
  source: Worker,
  sink: Worker,
  size: number,
  mode: 'coalesced' | 'alone',
): Promise<Throughput> {
  await source.order({ do: 'stream', size, mode, durationMs: STREAM_MS / 4 });
  await sink.order({ do: 'report' });
  const sent = await source.order<{ cpuMs: number }>({ do: 'stream', size, mode, durationMs: STREAM_MS });
  const got = await sink.order<StreamReport>({ do: 'report' });
  return {
    perSecond: got.messages / (got.elapsedMs / 1000),
    megabytesPerSecond: got.bytes / 1e6 / (got.elapsedMs / 1000),
    perCpuSecond: got.messages / (Math.max(got.cpuMs, sent.cpuMs) / 1000),
  };
}

const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

/** Milliseconds from spawn until the process says that it is ready, or exits. */
async function startMs(args: string[], environment: NodeJS.ProcessEnv): Promise<number> {
  const at = performance.now();
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, ...environment },
  });
  await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
  const elapsed = performance.now() - at;
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return elapsed;
}

/** Anonymous memory of an idle process, in MB: what it adds to the machine, file-backed pages left out. */
async function idleMegabytes(args: string[], settleMs: number): Promise<number> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  const rollup = readFileSync(`/proc/${child.pid}/smaps_rollup`, 'utf8');
  child.kill('SIGKILL');
  await once(child, 'exit');
  return Number(/Anonymous:\s+(\d+)/.exec(rollup)?.[1] ?? 0) / 1024;
}

function edgeArguments(home: string): string[] {
  return [
    BUNDLE,
    'up',
    '--profile',
    'edge',
    '--home',
    home,
    '--listen',
    'tcp://127.0.0.1:0',
    '--no-multicast',
    '--json',
  ];
}

const results: Record<string, unknown> = {
  machine: `${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores`,
  node: process.version,
  date: new Date().toISOString().slice(0, 10),
};
const rows: string[][] = [['what', 'raw TCP', 'Pipevine', 'ratio', 'budget']];
const count = (value: number) => Math.round(value).toLocaleString('en');

console.error('throughput and round trips: secure pipe beside raw TCP, about a minute');
const raw = new Map<string, Throughput>();
const piped = new Map<string, Throughput>();
const cases: [size: number, mode: 'coalesced' | 'alone', budget: string][] = [
  [32, 'coalesced', '>= 0.20 and 2,000,000/s'],
  [256, 'coalesced', ''],
  [1024, 'coalesced', '>= 0.25'],
  [65536, 'coalesced', '>= 0.40'],
  [32, 'alone', '>= 0.60'],
];
let lone: LoneReport = { bytesOut: 0, bytesBack: 0 };
await pair('raw', (rawSource, rawSink) =>
  pair('pipe', async (pipeSource, pipeSink) => {
    lone = await pipeSource.order<LoneReport>({ do: 'lone', size: 32, rounds: 50 });
    for (const [size, mode] of cases) {
      const rounds: { raw: Throughput; piped: Throughput }[] = [];
      // In turn, so that what else the machine does meets both alike.
      for (let round = 0; round < ROUNDS; round++) {
        rounds.push({
          raw: await throughput(rawSource, rawSink, size, mode),
          piped: await throughput(pipeSource, pipeSink, size, mode),
        });
      }
      const ratio = (one: { raw: Throughput; piped: Throughput }) => one.piped.perSecond / one.raw.perSecond;
      const middle = rounds.sort((one, other) => ratio(one) - ratio(other))[Math.floor(ROUNDS / 2)];
      if (middle === undefined) continue;
      raw.set(`${size} ${mode}`, middle.raw);
      piped.set(`${size} ${mode}`, middle.piped);
    }
  }),
);
for (const [size, mode, budget] of cases) {
  const key = `${size} ${mode}`;
  const [a, b] = [raw.get(key), piped.get(key)];
  if (a === undefined || b === undefined) continue;
  rows.push([
    `${size} B, ${mode === 'alone' ? 'one message a turn' : 'many a turn'}`,
    `${count(a.perSecond)}/s  ${count(a.megabytesPerSecond)} MB/s`,
    `${count(b.perSecond)}/s  ${count(b.megabytesPerSecond)} MB/s`,
    (b.perSecond / a.perSecond).toFixed(3),
    budget,
  ]);
  results[`throughput ${key}`] = { raw: a, pipevine: b, ratio: b.perSecond / a.perSecond };
}

const rawEcho = await pair('raw-echo', (source) =>
  source.order<EchoReport>({ do: 'echo', size: 32, rounds: ECHO_ROUNDS }),
);
const pipeEcho = await pair('pipe', (source) =>
  source.order<EchoReport>({ do: 'echo', size: 32, rounds: ECHO_ROUNDS }),
);
rows.push([
  'round trip, 32 B, p50',
  `${rawEcho.p50Us} us`,
  `${pipeEcho.p50Us} us`,
  (pipeEcho.p50Us / rawEcho.p50Us).toFixed(2),
  '<= 1.3',
]);
rows.push([
  'round trip, 32 B, p99',
  `${rawEcho.p99Us} us`,
  `${pipeEcho.p99Us} us`,
  (pipeEcho.p99Us / rawEcho.p99Us).toFixed(2),
  '',
]);
console.error('the same over a relay');
const relay = new Worker('relay');
const relayReady = await relay.next<SinkReady>();
await pair(
  'relayed',
  async (source, sink) => {
    const echo = await source.order<EchoReport>({ do: 'echo', size: 32, rounds: ECHO_ROUNDS / 4 });
    const relayed: Record<string, unknown> = { echo };
    for (const size of [32, 1024, 65536]) {
      const one = await throughput(source, sink, size, 'coalesced');
      relayed[`throughput ${size}`] = one;
      rows.push([
        `relayed, ${size} B, many a turn`,
        '',
        `${count(one.perSecond)}/s  ${count(one.megabytesPerSecond)} MB/s`,
        '',
        '',
      ]);
    }
    rows.push([
      'relayed, round trip, 32 B, p50',
      `${rawEcho.p50Us} us`,
      `${echo.p50Us} us`,
      (echo.p50Us / rawEcho.p50Us).toFixed(2),
      '',
    ]);
    results.relayed = relayed;
  },
  relayReady,
);
relay.stop();
rows.push(['on the wire, 32 B alone', '36 B', `${lone.bytesOut} B`, '', '<= 60 B']);
rows.push(['  its acknowledgement', '', `${lone.bytesBack} B`, '', '']);
results['round trip'] = { raw: rawEcho, pipevine: pipeEcho };
results['on the wire'] = lone;

if (!existsSync(BUNDLE))
  execFileSync(process.execPath, [fileURLToPath(new URL('../boards/bundle-cli.ts', import.meta.url))]);
console.error('start and idle memory of the edge bundle, about a minute');
const home = mkdtempSync(join(tmpdir(), 'pipevine-bench-home-'));
const cache = { NODE_COMPILE_CACHE: join(home, 'cache') };
const bareStarts: number[] = [];
const edgeStarts: number[] = [];
const cachedStarts: number[] = [];
await startMs(edgeArguments(join(home, 'warm')), cache);
for (let round = 0; round < 9; round++) {
  bareStarts.push(await startMs(['-e', '0'], {}));
  edgeStarts.push(await startMs(edgeArguments(join(home, 'warm')), {}));
  cachedStarts.push(await startMs(edgeArguments(join(home, 'warm')), cache));
}
const bare = median(bareStarts);
for (const [what, values, budget] of [
  ['start until listening, bundle', edgeStarts, '<= 2.7'],
  ['  with a compile cache', cachedStarts, ''],
] as const) {
  rows.push([
    what,
    `node -e 0: ${bare.toFixed(0)} ms`,
    `${median(values).toFixed(0)} ms`,
    (median(values) / bare).toFixed(2),
    budget,
  ]);
}
const bareMemory = await idleMegabytes(['-e', 'setInterval(() => {}, 1e6)'], 3_000);
const edgeMemory = await idleMegabytes(edgeArguments(join(home, 'warm')), 10_000);
rows.push([
  'idle memory (anonymous)',
  `bare Node: ${bareMemory.toFixed(1)} MB`,
  `${edgeMemory.toFixed(1)} MB`,
  `+${(edgeMemory - bareMemory).toFixed(1)} MB`,
  '<= +9 MB',
]);
results.start = { bareMs: bare, bundleMs: median(edgeStarts), cachedMs: median(cachedStarts) };
results.idle = { bareMegabytes: bareMemory, edgeMegabytes: edgeMemory };
rmSync(home, { recursive: true, force: true });

const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
console.log(`\n${results.machine}, Node ${results.node}, ${results.date}\n`);
for (const row of rows)
  console.log(
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
console.log(`\n${JSON.stringify(results)}`);
