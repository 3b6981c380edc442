import { closeSync, constants, existsSync, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { syncFolder } from './sync-folder.ts';

/** The file is a multiple of this long: most texts fit into one, and a new one then changes neither its size nor its place. */
const STEP_BYTES = 1024;
const { O_CREAT, O_NOFOLLOW, O_WRONLY } = constants;

/**
 * Writes a text over what stands in a file, padded with spaces; it is on the disk when this returns. For FAT: a file written beside
 * it and renamed would be an empty one there, for whoever reads the card, until the system writes by itself what it knows.
 */
export function writeInPlace(path: string, text: string): void {
  const isNew = !existsSync(path);
  const bytes = Buffer.alloc(Math.ceil(Buffer.byteLength(text) / STEP_BYTES) * STEP_BYTES, ' ');
  bytes.write(text);
  const file = openSync(path, O_WRONLY | O_CREAT | O_NOFOLLOW, 0o644);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at, at);
    ftruncateSync(file, bytes.length);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  if (isNew) syncFolder(dirname(path));
}
