import { watch } from 'node:fs';
import { open, readdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { type ErrorCode, PipevineError } from '@pipevine/runtime';
import type { BoardFiles } from './board-platform.ts';

const MAX_READ_BYTES = 64 * 1024;
const MAX_NAMES = 1_024;
/** No such file, or a file whose device is gone. */
const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'ENODEV', 'ENXIO']);

/** The files of this machine, or those under another root. */
export function nodeBoardFiles(root = '/'): BoardFiles {
  return {
    async read(path) {
      try {
        const file = await open(join(root, path), 'r');
        try {
          const bytes = new Uint8Array(MAX_READ_BYTES);
          let length = 0;
          while (length < bytes.length) {
            const { bytesRead } = await file.read(bytes, length, bytes.length - length, null);
            if (bytesRead === 0) break;
            length += bytesRead;
          }
          return new TextDecoder().decode(bytes.subarray(0, length));
        } finally {
          await file.close();
        }
      } catch (error) {
        if (ABSENT.has(codeOf(error))) return undefined;
        throw failure('read', path, error);
      }
    },

    async write(path, text) {
      try {
        // Not 'w': a file of /sys is neither made nor cut.
        const file = await open(join(root, path), 'r+').catch((error) => {
          if (codeOf(error) === 'EACCES') return open(join(root, path), 'a'); // some can be written only
          throw error;
        });
        try {
          await file.write(text);
        } finally {
          await file.close();
        }
      } catch (error) {
        throw failure('written', path, error);
      }
    },

    async list(path) {
      const names = await readdir(join(root, path)).catch(() => []);
      return names.sort().slice(0, MAX_NAMES);
    },

    async space(path) {
      try {
        const { bsize, blocks, bavail } = await statfs(join(root, path));
        return { totalBytes: blocks * bsize, freeBytes: bavail * bsize };
      } catch {
        return undefined;
      }
    },

    watch(path, onChange) {
      try {
        const watcher = watch(join(root, path), { persistent: false }, onChange);
        watcher.on('error', () => watcher.close()); // the folder itself is gone
        return watcher;
      } catch {
        return { close: () => undefined };
      }
    },
  };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function failure(verb: string, path: string, cause: unknown): PipevineError {
  const system = codeOf(cause);
  const codes: Readonly<Record<string, ErrorCode>> = { EACCES: 'permission-denied', EPERM: 'permission-denied' };
  const code = ABSENT.has(system) ? 'not-found' : (codes[system] ?? 'unreachable');
  const advice =
    code === 'permission-denied' ? '; the user of pipevine needs the right to it: see docs/board-things.md' : '';
  return new PipevineError(code, `${path} cannot be ${verb} (${system || String(cause)})${advice}`, { cause });
}
