import type { FlashProgress } from '@pipevine/boards';
import { humanBytes } from '../output/bytes.ts';
import { humanDuration } from '../output/duration.ts';
import type { Output } from '../output/output.ts';

const PHASES = { writing: 'Writing', verifying: 'Reading back' } as const;
/** Between two reports; a terminal rewrites its line, a log gets a new one. */
const TERMINAL_MS = 200;
const JSON_MS = 500;
const LOG_MS = 10_000;

/** Where a line can be rewritten. */
export type Terminal = Pick<NodeJS.WriteStream, 'write'>;

/** Shows progress: under --json as values, at a terminal as one line that changes, else as a notice now and then. */
export function progressPrinter(
  output: Output,
  now: () => number,
  terminal: Terminal | undefined,
): (progress: FlashProgress) => void {
  const everyMs = output.json ? JSON_MS : terminal === undefined ? LOG_MS : TERMINAL_MS;
  let phase: FlashProgress['phase'] | undefined;
  let shownMs = Number.NEGATIVE_INFINITY;
  return (progress) => {
    const isEnd = progress.fraction >= 1;
    if (progress.phase === phase && !isEnd && now() - shownMs < everyMs) return;
    phase = progress.phase;
    shownMs = now();
    if (output.json) output.value(report(progress), () => '');
    else if (terminal === undefined) output.notice(progressText(progress));
    else terminal.write(`\r\u001b[K${progressText(progress)}${isEnd ? '\n' : ''}`);
  };
}

/** The documented shape. */
function report({ phase, bytes, totalBytes, fraction, rate, leftMs }: FlashProgress): object {
  return {
    phase,
    bytes,
    total: totalBytes ?? null,
    fraction: Math.round(fraction * 10_000) / 10_000,
    rate: rate ?? null,
    leftMs: leftMs ?? null,
  };
}

function progressText({ phase, bytes, fraction, rate, leftMs }: FlashProgress): string {
  const percent = String(Math.floor(fraction * 100)).padStart(3);
  const speed = rate === undefined ? '' : `, ${(rate / 1e6).toFixed(1)} MB/s`;
  const left = leftMs === undefined || fraction >= 1 ? '' : `, ${humanDuration(leftMs)} left`;
  return `${PHASES[phase]} ${percent} %, ${humanBytes(bytes)}${speed}${left}`;
}
