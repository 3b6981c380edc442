import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { CUSTOMIZE_HOOK, ESSENTIAL_HOOK, PACKAGE_PATHS } from './debian-recipe.ts';
import { SYSTEM_FILES } from './system-files.ts';

const textOf = (path: string) => {
  const file = SYSTEM_FILES.find((each) => each.path === path);
  return file !== undefined && 'text' in file ? file.text : '';
};

it.each([
  ['the hook for essential packages', ESSENTIAL_HOOK],
  ['the last hook', CUSTOMIZE_HOOK],
  ['the script that grows the root partition', textOf('usr/local/lib/pipevine/grow-root')],
])('%s is a shell script', (_name, script) => {
  expect(script).not.toBe('');
  execFileSync('sh', ['-n'], { input: script });
});

it('names each file once, from the root, and nothing above it', () => {
  const paths = SYSTEM_FILES.map(({ path }) => path);
  expect(new Set(paths).size).toBe(paths.length);
  for (const path of paths) expect(path).toMatch(/^(etc|usr)\/(?!.*\.\.)/);
});

it('lets nobody in by a password, and root not at all', () => {
  const options = textOf('etc/ssh/sshd_config.d/pipevine.conf').split('\n');
  expect(options).toEqual(expect.arrayContaining(['PasswordAuthentication no', 'PermitRootLogin no']));
});

it('brings back after a rule that leaves out, never before: dpkg obeys the last', () => {
  for (const [index, rule] of PACKAGE_PATHS.entries()) {
    if (!rule.startsWith('path-include=')) continue;
    const folder = rule.slice('path-include='.length).split('/').slice(0, 4).join('/');
    const later = PACKAGE_PATHS.slice(index).filter((each) => each === `path-exclude=${folder}/*`);
    expect(later).toEqual([]);
  }
});
