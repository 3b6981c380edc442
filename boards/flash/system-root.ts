import { closeSync, openSync, readSync } from 'node:fs';

/** The folder that has /sys, /proc, /dev and /run: `/`, or one made up for a test. */
export type SystemRoot = string;

/** Files of the kernel are short; the list of mounts is the longest. */
const MAX_BYTES = 1_024 * 1_024;
const CHUNK_BYTES = 4_096;

/** What a file says, without spaces around it; empty when there is none. */
export function readText(path: string): string {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const chunks: Buffer[] = [];
    for (let length = 0; length < MAX_BYTES; ) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      const count = readSync(file, chunk, 0, chunk.length, null);
      if (count === 0) break;
      chunks.push(chunk.subarray(0, count));
      length += count;
    }
    return Buffer.concat(chunks).toString('utf8').trim();
  } catch {
    return '';
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** The kernel writes the slash of a device in a folder as an exclamation mark. */
export const devicePath = (name: string): string => `/dev/${name.replaceAll('!', '/')}`;
export const deviceName = (path: string): string => path.replace(/^\/dev\//, '').replaceAll('/', '!');
