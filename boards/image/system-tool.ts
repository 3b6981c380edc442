import { execFile } from 'node:child_process';
import { delimiter } from 'node:path';
import { BoardsError } from '../boards-error.ts';
import { installing, isOnPath, type Program } from './programs.ts';

/** What works on the file systems of an image. */
export type SystemTool = Extract<Program, 'debugfs' | 'e2fsck' | 'resize2fs' | 'mcopy' | 'mtype' | 'xz' | 'fsck.vfat'>;

export interface ToolInit {
  /** Working folder. All names that a tool gets are relative to it, so that a user's path never meets a tool's own syntax. */
  readonly folder: string;
  readonly signal?: AbortSignal | undefined;
}

export interface ToolResult {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** More output than this is none of a sound image. */
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024;
/** A hostile file system may lead a tool in circles; a sound one of some GB takes seconds. */
const DEADLINE_MS = 10 * 60_000;
/** The tools of file systems are where a user's own PATH often does not look. */
const PATH = [process.env.PATH ?? '', '/usr/sbin', '/sbin', '/usr/bin', '/bin'].join(delimiter);

/** Runs a tool without a shell, and with nothing of the user's environment but the path. Whatever its exit code. */
export async function runTool(
  tool: SystemTool,
  args: readonly string[],
  { folder, signal }: ToolInit,
): Promise<ToolResult> {
  const env = {
    PATH,
    LC_ALL: 'C.UTF-8',
    TZ: 'UTC',
    PAGER: 'cat',
    DEBUGFS_PAGER: '__none__',
    MTOOLS_SKIP_CHECK: '1',
  };
  return new Promise((resolve, reject) => {
    const options = {
      cwd: folder,
      env,
      signal,
      timeout: DEADLINE_MS,
      maxBuffer: MAX_OUTPUT_BYTES,
      encoding: 'buffer',
    } as const;
    const child = execFile(tool, args, options, (error, stdout, stderr) => {
      if (error === null || typeof error.code === 'number') {
        resolve({ code: child.exitCode ?? -1, stdout, stderr: stderr.toString('utf8') });
      } else if (signal?.aborted) reject(error);
      else if (error.code === 'ENOENT') reject(missing([tool]));
      else
        reject(
          new BoardsError('refused', `${tool} did not end well on this image (${error.message}); is the image whole?`),
        );
    });
    child.stdin?.end();
  });
}

/** Throws `environment`, naming all that is missing at once. */
export function requireTools(tools: readonly SystemTool[]): void {
  const absent = tools.filter((tool) => !hasTool(tool));
  if (absent.length > 0) throw missing(absent);
}

export const hasTool = (tool: SystemTool): boolean => isOnPath(tool, PATH);

function missing(tools: readonly SystemTool[]): BoardsError {
  return new BoardsError('environment', `needed, and not here: ${tools.join(', ')}; on Debian: ${installing(tools)}`);
}
