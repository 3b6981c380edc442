import { requirePrograms } from '../../boards/image/debian/required-programs.ts';
import { BoardsError } from '../../boards/index.ts';
import { runTool } from './run-tool.ts';

/** Each program that only these tests need, and the Debian package that has it. */
const PROGRAMS = { 'qemu-system-aarch64': 'qemu-system-arm', 'systemd-nspawn': 'systemd-container' };

/** What these tests need and this machine does not have, each as a sentence that says what to do; empty when all is there. */
export async function missingForImages(): Promise<string[]> {
  const missing: string[] = [];
  try {
    requirePrograms();
  } catch (error) {
    if (!(error instanceof BoardsError)) throw error;
    missing.push(error.message);
  }
  for (const [program, debianPackage] of Object.entries(PROGRAMS)) {
    await runTool(program, ['--version']).catch(() =>
      missing.push(`${program} is missing; run: apt-get install ${debianPackage}`),
    );
  }
  return missing;
}
