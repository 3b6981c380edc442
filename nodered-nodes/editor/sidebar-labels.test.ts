import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const labels = (language: string): object =>
  JSON.parse(readFileSync(`${HERE}sidebar-${language}.json`, 'utf8')).sidebar;

function keys(value: object, path = ''): string[] {
  return Object.entries(value).flatMap(([key, member]) =>
    typeof member === 'string' ? [path + key] : keys(member, `${path}${key}.`),
  );
}

test('the sidebar has the same labels in German', () => {
  expect(keys(labels('de'))).toEqual(keys(labels('en-US')));
});

test('the sidebar has each label that it asks for, and asks for each that it has', () => {
  const code = globSync('sidebar*.ts', { cwd: HERE })
    .filter((file) => !file.endsWith('.test.ts'))
    .map((file) => readFileSync(HERE + file, 'utf8'))
    .join('\n');
  const asked = [...code.matchAll(/(?<![.\w])text\(\s*['`]([^'`]+)['`]/g)].map(([, key = '']) => key);
  expect(asked.length).toBeGreaterThan(20);
  // What is put in while it runs stands for any one member.
  const patterns = asked.map(
    (key) => new RegExp(`^${key.replaceAll('.', '\\.').replaceAll(/\$\{[^}]+\}/g, '[\\w-]+')}$`),
  );
  const has = keys(labels('en-US'));
  for (const pattern of patterns)
    expect(
      has.some((key) => pattern.test(key)),
      String(pattern),
    ).toBe(true);
  expect(has.filter((key) => !patterns.some((pattern) => pattern.test(key)))).toEqual([]);
});
