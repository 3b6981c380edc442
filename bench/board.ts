/** `node bench/board.ts [EXECUTABLE]`, as root: start and memory of the executable of a board's edge peer, with its board as a thing. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { boardProfile, bundleBoard } from '@pipevine/boards';
import { BoardDisk } from './board-disk.ts';
import { MemoryCgroup } from './memory-cgroup.ts';

const ROUNDS = 15;
const SETTLE_MS = 10_000;
const DISK_BYTES = 400 * 1024 * 1024;
const LIMIT_BYTES = 48 * 1024 * 1024;

const folder = mkdtempSync(join(tmpdir(), 'pipevine-bench-board-'));
const disk = new BoardDisk(folder, DISK_BYTES);
const home = join(disk.folder, 'home');
const LISTEN = ['--listen', 'tcp://127.0.0.1:0', '--listen', 'udp://127.0.0.1:0', '--no-multicast'];
const UP = ['up', '--board', '--home', home, ...LISTEN, '--json'];

async function build(): Promise<string> {
  console.error('making the executable, about half a minute');
  const board = boardProfile(process.arch === 'arm64' ? 'generic-arm64' : 'generic-x64');
  const { files } = await bundleBoard({ board, profile: 'edge', folder, compression: 'fast' });
  return files.find(({ kind }) => kind === 'executable')?.path ?? '';
}

/** Resolves when it says the first, or ends. */
const spoken = (child: ChildProcess) =>
  Promise.race([once(child.stdout ?? child, 'data'), once(child, 'exit')]).then(() => undefined);

async function end(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

async function startMs(command: string, args: readonly string[]): Promise<number> {
  const at = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  await spoken(child);
  const elapsed = performance.now() - at;
  await end(child);
  return elapsed;
}

/** MB of a field of smaps_rollup. */
function memory({ pid }: ChildProcess, field: 'Anonymous' | 'Rss'): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return (Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(rollup)?.[1]) * 1024) / 1e6;
}

/** A peer in a group of its own, to which the pages of its executable belong too: nobody else has read that. */
async function startInside(group: MemoryCgroup, executable: string): Promise<ChildProcess> {
  disk.forget(executable);
  const child = spawn('sh', ['-c', 'echo $$ > "$0"; exec "$@"', group.members, executable, ...UP], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, MALLOC_ARENA_MAX: '1' },
  });
  await spoken(child);
  return child;
}

const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const row = (what: string, figure: string, aim = '') => console.log(`${what.padEnd(46)}${figure.padEnd(66)}${aim}`);

try {
  const given = process.argv[2];
  const made = given ?? (await build());
  const [executable, copy] = [join(disk.folder, 'pipevine'), join(disk.folder, 'copy')];
  for (const path of [executable, copy]) copyFileSync(made, path);
  await startMs(executable, UP); // makes the home
  const bare: number[] = [];
  const own: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    bare.push(await startMs(process.execPath, ['-e', '0']));
    own.push(await startMs(executable, UP));
  }
  const [bareMs, ownMs] = [median(bare), median(own)];
  row(
    'start until listening',
    `${ownMs.toFixed(0)} ms, node -e 0 ${bareMs.toFixed(0)} ms: ${(ownMs / bareMs).toFixed(2)}`,
    '2.2',
  );

  const group = new MemoryCgroup(`pipevine-bench-${process.pid}`);
  const peer = await startInside(group, copy);
  await sleep(SETTLE_MS);
  row('idle, anonymous', `${memory(peer, 'Anonymous').toFixed(1)} MB`, '18 MB');
  row('idle, resident', `${memory(peer, 'Rss').toFixed(1)} MB`);
  group.reclaim();
  await sleep(SETTLE_MS);
  row('resident after its file pages were evicted', `${memory(peer, 'Rss').toFixed(1)} MB`, '60 MB');
  await end(peer);
  group.remove();

  const small = new MemoryCgroup(`pipevine-bench-small-${process.pid}`);
  small.limit(LIMIT_BYTES);
  const limited = await startInside(small, copy);
  await sleep(SETTLE_MS);
  const answers: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const at = performance.now();
    await promisify(execFile)(executable, ['status', '--home', home, '--json']);
    answers.push(performance.now() - at);
  }
  const used = `${(small.usedBytes / 1e6).toFixed(1)} MB used, ${memory(limited, 'Anonymous').toFixed(1)} MB anonymous`;
  row('within 48 MiB', `${used}; answers in ${median(answers).toFixed(0)} ms`, 'alive');
  await end(limited);
  small.remove();
} finally {
  disk.remove();
  rmSync(folder, { recursive: true, force: true });
}
