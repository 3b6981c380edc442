import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ProgramFailure, runApart } from '../../boards/image/debian/apart.ts';
import { runWithArm64 } from '../../boards/image/debian/foreign-programs.ts';

describe('a command in namespaces of its own', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pipevine-apart-'));
  });
  after(() => rm(folder, { recursive: true }));

  test('gives what it prints, and says how it failed', async () => {
    assert.equal(await runApart(['sh', '-c', 'cat; echo out'], { stdin: 'in\n' }), 'in\nout');
    const failed = runApart(['sh', '-c', 'echo reason >&2; exit 3'], { name: 'the work' });
    await assert.rejects(failed, (error) => {
      assert.ok(error instanceof ProgramFailure);
      assert.equal(error.exitCode, 3);
      assert.equal(error.message, 'the work failed (3):\nreason');
      return true;
    });
  });

  test('leaves no mount and no process behind when it is stopped', async () => {
    const controller = new AbortController();
    const mark = join(folder, 'mark');
    await writeFile(mark, '');
    const script = 'mount -t tmpfs tmpfs "$1"; tail -f "$2" & echo ready; wait';
    const run = runApart(['sh', '-c', script, 'sh', folder, mark], {
      signal: controller.signal,
      onLine: (line) => {
        if (line === 'ready') controller.abort();
      },
    });
    await assert.rejects(run, /stopped/);
    assert.equal((await readFile('/proc/mounts', 'utf8')).includes(folder), false);
    assert.deepEqual(await commandsNaming(mark), []);
  });

  test('has its programs for arm64 emulated as long as it runs, and no longer', async () => {
    const list = 'mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc; ls /proc/sys/fs/binfmt_misc';
    const name = `pipevine-aarch64-${process.pid}`;
    assert.match(await runWithArm64(['ls', '/proc/sys/fs/binfmt_misc']), new RegExp(`^${name}$`, 'm'));
    assert.doesNotMatch(await runApart(['sh', '-c', list]), new RegExp(name));
    await assert.rejects(runWithArm64(['false']), /false failed \(1\)/);
    assert.doesNotMatch(await runApart(['sh', '-c', list]), new RegExp(name));
  });
});

/** Of all processes the command lines that have this word. */
async function commandsNaming(word: string): Promise<readonly string[]> {
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const commands = await Promise.all(processes.map((id) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')));
  return commands.filter((command) => command.split('\0').includes(word));
}
