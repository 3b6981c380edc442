import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { BoardsError } from '../boards-error.ts';

/** `small`: for keeping, about a minute. `fast`: for trying; a fifth larger. */
export type Compression = 'small' | 'fast';

/**
 * Compresses by the xz command, as every dpkg reads it. One thread: how the work is cut would show in the bytes.
 * The filter for branch instructions, where there is one, is left out: dpkg before 1.21 cannot be relied on to have it.
 */
export async function xz(content: Uint8Array, compression: Compression): Promise<Uint8Array> {
  const child = spawn('xz', ['--format=xz', compression === 'small' ? '-6' : '-1', '-T1', '--stdout'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const failed = once(child, 'error').then(([error]: Error[]) => {
    throw new BoardsError('environment', `xz cannot be run (${error?.message}); on Debian: apt-get install xz-utils`);
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stdin.on('error', () => {
    // xz ended early; its exit code says so below.
  });
  child.stdin.end(content);
  const [code]: (number | null)[] = await Promise.race([once(child, 'close'), failed]);
  if (code !== 0) throw new BoardsError('environment', `xz ended with ${code}; is there room in memory, about 100 MB?`);
  return Buffer.concat(chunks);
}
