import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** Runs a program to its end, by the path of root; gives its output, and fails with what it said when it fails. */
export async function runTool(program: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, {
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin`, TZ: 'UTC', MTOOLS_SKIP_CHECK: '1' },
    maxBuffer: MAX_OUTPUT_BYTES,
  });
  return stdout;
}
