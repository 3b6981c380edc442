import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const page = readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8');
/** Each program with the heading above it and the output printed below it. */
const examples = page.split(/^## /m).flatMap((section) => {
  const [, program, output] = /```ts\n([\s\S]*?)```\n\n```text\n([\s\S]*?)```/.exec(section) ?? [];
  return program === undefined || output === undefined ? [] : [{ title: section.split('\n')[0], program, output }];
});

describe('the examples of docs/api.md', () => {
  it('are all found', () => {
    expect(examples).toHaveLength((page.match(/^```ts$/gm) ?? []).length);
  });

  it.each(examples)('$title: prints what the page says', async ({ program, output }) => {
    // Inside the tree, so that the packages are found by name.
    const folder = await mkdtemp(join(fileURLToPath(new URL('.', import.meta.url)), 'run-'));
    try {
      await writeFile(join(folder, 'example.ts'), program);
      const run = promisify(execFile)(process.execPath, ['example.ts'], { cwd: folder, timeout: 30_000 });
      expect((await run).stdout).toBe(output);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
