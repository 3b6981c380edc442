import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const TIMEOUT_MS = 120_000;

export interface Booted {
  /** Whether the system ended by itself: powered off, not killed. */
  readonly isPoweredOff: boolean;
  /** What the script has printed until then. */
  readonly output: string;
}

/**
 * Boots this Debian in a container (systemd-nspawn), with an overlay above that has `files`, without a network, and runs a shell
 * script there after `units`. The system powers itself off when the script has ended; systemctl in the script would lose its
 * connection over that, and may say so. Nothing stays mounted. Needs root.
 */
export async function bootContainer(init: {
  readonly files: ReadonlyMap<string, string | { readonly copyOf: string }>;
  readonly units: readonly string[];
  readonly script: string;
}): Promise<Booted> {
  const folder = await mkdtemp(join(tmpdir(), 'pipevine-container-'));
  const upper = join(folder, 'upper');
  for (const part of ['upper', 'work', 'root']) await mkdir(join(folder, part));
  const target = `[Unit]\nRequires=basic.target\nAfter=basic.target\nWants=try.service ${init.units.join(' ')}\n`;
  const service = `[Unit]\nAfter=${init.units.join(' ')}\nSuccessAction=poweroff\nFailureAction=poweroff\n[Service]\nType=oneshot\nExecStart=/bin/sh /try.sh\n`;
  const files = new Map(init.files)
    .set('/usr/lib/systemd/system/try.target', target)
    .set('/usr/lib/systemd/system/try.service', service)
    .set('/try.sh', `exec > /try.log 2>&1\n${init.script}\n`);
  try {
    for (const [path, content] of files) {
      const file = join(upper, path);
      await mkdir(dirname(file), { recursive: true });
      const bytes = typeof content === 'string' ? content : await readFile(content.copyOf);
      await writeFile(file, bytes, { mode: typeof content === 'string' ? 0o644 : 0o755 });
    }
    const outside = [
      'set -e',
      'mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"',
      'exec systemd-nspawn --quiet --directory="$1/root" --machine="$2" --private-network --register=no --keep-unit --console=pipe --boot -- --unit=try.target',
    ].join('\n');
    const name = `pipevine-${process.pid}`;
    const args = ['--mount', '--propagation', 'private', 'sh', '-c', outside, 'sh', folder, name];
    const isPoweredOff = await new Promise<boolean>((resolve) => {
      const child = execFile('unshare', args, { timeout: TIMEOUT_MS }, (error) => resolve(error === null));
      child.stdin?.end();
    });
    return { isPoweredOff, output: await readFile(join(upper, 'try.log'), 'utf8').catch(() => '') };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
