import { requirePrograms } from '../../boards/image/debian/required-programs.ts';
import { BoardsError } from '../../boards/index.ts';
import { runTool } from './run-tool.ts';

const EMULATOR = 'qemu-system-aarch64';

/** What these tests need and this machine does not have, each as a sentence that says what to do; empty when all is there. */
export async function missingForImages(): Promise<string[]> {
  const missing: string[] = [];
  try {
    requirePrograms();
  } catch (error) {
    if (!(error instanceof BoardsError)) throw error;
    missing.push(error.message);
  }
  await runTool(EMULATOR, ['--version']).catch(() =>
    missing.push(`${EMULATOR} is missing; run: apt-get install qemu-system-arm`),
  );
  return missing;
}
