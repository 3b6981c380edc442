import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildBundle } from '../../boards/bundle.ts';

/** Names a bundle that is there already. */
export const BUNDLE_VARIABLE = 'PIPEVINE_LAB_BUNDLE';

let built: Promise<string> | undefined;

/** The whole command line as one file, which starts in a fraction of the time; made once, and gone with the process. */
export function daemonBundle(): Promise<string> {
  built ??= build();
  return built;
}

async function build(): Promise<string> {
  const given = process.env[BUNDLE_VARIABLE] ?? '';
  if (given !== '') return given;
  const folder = mkdtempSync(join(tmpdir(), 'pipevine-netlab-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const { file } = await buildBundle({ entry: 'main.ts', file: 'pipevine.cjs' }, folder);
  return file;
}
